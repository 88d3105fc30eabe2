// SPDX-License-Identifier: Apache-2.0
#include "policy/targets.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "policy/in_force.h"
#include "policy/json_parse.h"
#include "policy/json_text.h"
#include "policy/manifest.h"
#include "policy/render.h"

namespace icelock::policy {
namespace {

bool same_value(std::string_view a, std::string_view b) {
  const auto left = parse_strict(a);
  return left && left == parse_strict(b);
}

// Errors in what icelock itself wrote or kept count as "not there": then the key is left alone.
std::optional<std::string> member_of(std::string_view text, const PolicyKey& key) {
  auto found = member_text(text, key.path, key.key);
  return found ? std::move(*found) : std::nullopt;
}

bool icelock_wrote(const LedgerFile& file, const PolicyKey& key, std::string_view value) {
  return std::any_of(file.written.begin(), file.written.end(), [&](const std::string& written) {
    const auto ours = member_of(written, key);
    return ours && same_value(*ours, value);
  });
}

bool ever_wrote(const LedgerFile& file, const PolicyKey& key) {
  return std::ranges::any_of(file.written, [&](const std::string& written) {
    return member_of(written, key).has_value();
  });
}

bool had_object(const LedgerFile& file, const ObjectPath& parent, std::string_view name) {
  return file.original && member_of(file.original->bytes, PolicyKey{parent, name}).has_value();
}

// Objects that only icelock's keys had needed.
Result<std::string> without_empty_objects(std::string text, const LedgerFile& file,
                                          ObjectPath path) {
  while (!path.empty()) {
    const auto empty = TRY(is_empty_object(text, path));
    const std::string_view name = path.back();
    path.pop_back();
    if (!empty || had_object(file, path, name)) return text;
    text = TRY(without_member(text, path, name));
  }
  return text;
}

bool is_among(const std::vector<PolicyEntry>& entries, const PolicyKey& key) {
  return std::ranges::any_of(entries, [&](const PolicyEntry& entry) {
    return entry.path == key.path && entry.key == key.key;
  });
}

Result<std::string> put_back(const LedgerFile& file, const PolicyKey& key,
                             const std::string& text) {
  const auto original =
      file.original ? member_of(file.original->bytes, key) : std::optional<std::string>();
  return original ? with_member(text, key.path, key.key, *original)
                  : without_member(text, key.path, key.key);
}

// `kept`: entries that stay, because they are wanted still.
Result<std::string> with_keys_put_back(const LedgerFile& file, const Browser& browser,
                                       std::string text, const std::vector<PolicyEntry>& kept,
                                       std::vector<std::string>& notes) {
  // What others keep in places where icelock wrote nothing may be of any shape.
  auto keys = policy_keys(browser);
  std::erase_if(keys, [&](const PolicyKey& key) { return !ever_wrote(file, key); });
  for (const PolicyKey& key : keys) {
    if (is_among(kept, key)) continue;
    const auto value = TRY(member_text(text, key.path, key.key));
    if (!value) continue;
    if (!icelock_wrote(file, key, *value)) {
      const bool was_so = file.original && member_of(file.original->bytes, key) == value;
      if (was_so) continue;
      notes.push_back(std::string(key.key) + " was set to something else since; left as it is");
      continue;
    }
    text = TRY(put_back(file, key, text));
  }
  for (const PolicyKey& key : keys) {
    text = TRY(without_empty_objects(std::move(text), file, key.path));
  }
  return text;
}

void add_key(std::string name, std::string before, std::string after, Change& change) {
  if (before != after)
    change.keys.push_back({std::move(name), std::move(before), std::move(after)});
}

// Of a file that counts alone.
void add_own_keys(const Browser& browser, std::string_view before, std::string_view after,
                  Change& change) {
  const auto value = [](std::string_view text, const PolicyKey& key) {
    const auto parsed = parse_strict(member_of(text, key).value_or(""));
    return parsed ? parsed->dump() : std::string();
  };
  for (const PolicyKey& key : policy_keys(browser)) {
    const bool plain = key.path.empty() || key.path == firefox_preferences_path();
    const std::string where = plain ? "" : std::string(key.path[1]) + " of ";
    add_key(where + std::string(key.key), value(before, key), value(after, key), change);
  }
}

// The value of ExtensionSettings may be long, and is in the diff.
void add_extension_notes(const ExtensionInstall& extension, const std::vector<NamedFile>& files,
                         const InForce& before, const InForce& after, Change& change) {
  const std::string key(extension_settings_key);
  const auto loser = before.settings.find(key);
  const auto winner = after.settings.find(key);
  if (winner != after.settings.end() && winner->second.file != chromium_file_name) {
    change.notes.push_back(winner->second.file + " sets " + key +
                           " too and wins over icelock's file, because its name comes later: the "
                           "extension is not installed by icelock");
  } else if (loser != before.settings.end() && loser->second.file != chromium_file_name) {
    change.notes.push_back(loser->second.file + " sets " + key +
                           " too; icelock's file comes later and wins, and repeats its entries: "
                           "apply again when that file changes");
  }
  for (const NamedFile& file : files) {
    if (file.name == chromium_file_name || !file.bytes) continue;
    const auto parsed = parse_lenient(*file.bytes);
    if (!parsed || !parsed->is_object() || !parsed->contains(third_party_key)) continue;
    if (parsed->at(std::string(third_party_key)).dump().find(extension.id) == std::string::npos) {
      continue;
    }
    change.notes.push_back(file.name +
                           " has settings for this extension too; of each one the file whose name "
                           "comes last counts");
  }
}

void add_chromium_notes(const Browser& browser, const InForce& before, const InForce& after,
                        Change& change) {
  for (const std::string_view key : {browser.level_key, chromium_url_key}) {
    const auto winner = after.settings.find(std::string(key));
    if (winner != after.settings.end() && winner->second.file != chromium_file_name) {
      change.notes.push_back(
          winner->second.file + " sets " + std::string(key) + " to " + winner->second.value +
          (winner->second.file > chromium_file_name
               ? " and wins over icelock's file, because its name comes later"
           : key == chromium_url_key ? ", and the sites in it obey that instead of icelock's level"
                                     : ""));
    }
    const auto loser = before.settings.find(std::string(key));
    if (loser != before.settings.end() && loser->second.file != chromium_file_name &&
        winner != after.settings.end() && winner->second.file == chromium_file_name) {
      change.notes.push_back(loser->second.file + " also sets " + std::string(key) + " (" +
                             loser->second.value + "); icelock's file comes later and wins");
    }
  }
  if (const auto found = after.settings.find(std::string(local_ips_key));
      found != after.settings.end() && found->second.value != "[]") {
    change.notes.push_back(found->second.file + " sets " + std::string(local_ips_key) +
                           ", which shows local addresses in plain to those sites");
  }
  if (const auto found = after.settings.find(std::string(misspelt_key));
      found != after.settings.end()) {
    change.notes.push_back(found->second.file + " sets " + std::string(misspelt_key) +
                           ", which no browser knows; it has no effect");
  }
  for (const std::string& name : after.ignored) {
    change.notes.push_back(name +
                           " is not a JSON file that everybody may read; the browser ignores it");
  }
}

}  // namespace

std::vector<Target> targets(const Browser& browser) {
  if (browser.id == settings_id) {
    const std::string path(browser.policy_path);
    return {{&browser, path, parent_of(path)}};
  }
  if (browser.family == BrowserFamily::firefox) {
    const std::string path(browser.policy_path);
    return {{&browser, path, parent_of(parent_of(path))}};
  }
  std::vector<Target> found;
  for (const std::string_view folder : {browser.policy_path, browser.other_policy_path}) {
    if (folder.empty()) continue;
    found.push_back(
        {&browser, std::string(folder) + "/" + std::string(chromium_file_name), parent_of(folder)});
  }
  return found;
}

std::optional<Target> recommended_beside(const Target& target) {
  const Browser& browser = *target.browser;
  if (browser.family == BrowserFamily::firefox || browser.id == settings_id) return std::nullopt;
  return Target{.browser = &browser,
                .path = target.stage_folder + "/recommended/" + std::string(chromium_file_name),
                .stage_folder = target.stage_folder,
                .recommended = true};
}

std::vector<Target> targets_at(std::string_view path) {
  std::vector<Target> found;
  for (const Browser& browser : browsers()) {
    for (const Target& target : targets(browser)) {
      const auto beside = recommended_beside(target);
      if (target.path == path) found.push_back(target);
      if (beside && beside->path == path) found.push_back(*beside);
    }
  }
  if (path == settings_owner().policy_path) found = targets(settings_owner());
  return found;
}

const Browser* find_target_browser(std::string_view id) {
  return id == settings_id ? &settings_owner() : find_browser(id);
}

Result<std::string> without_stale_keys(const LedgerFile& file, const Browser& browser,
                                       std::string text, const std::vector<PolicyEntry>& kept) {
  std::vector<std::string> unsaid;  // what others set is no news here
  return with_keys_put_back(file, browser, std::move(text), kept, unsaid);
}

bool has_other_keys(const Browser& browser, std::string_view text,
                    const std::vector<PolicyEntry>& kept) {
  return std::ranges::any_of(policy_keys(browser), [&](const PolicyKey& key) {
    return !is_among(kept, key) && member_of(text, key);
  });
}

std::unexpected<Error> at_file(Error error, const std::string& shown) {
  if (!error.object.empty() && error.object != shown) error.what += " (" + error.object + ")";
  error.object = shown;
  return std::unexpected(std::move(error));
}

Result<Restoration> restoration(const Tree& tree, const LedgerFile& file) {
  Restoration result;
  const std::string shown = tree.shown(file.path).string();
  const auto readers = targets_at(file.path);
  if (readers.empty()) {
    return fail(Code::bad_policy_file, "the ledger names a file that no browser reads", shown);
  }
  result.now = TRY(tree.read(file.path));
  if (!result.now) {
    if (file.original) result.notes.emplace_back("somebody removed the file since; it stays so");
    return result;
  }
  const std::string& bytes = result.now->bytes;
  if (std::find(file.written.begin(), file.written.end(), bytes) != file.written.end()) {
    result.then = file.original;
    return result;
  }
  result.then = result.now;
  if (file.original && file.original->bytes == bytes) return result;
  auto text = with_keys_put_back(file, *readers.front().browser, bytes, {}, result.notes);
  if (!text) return at_file(text.error(), shown);
  result.notes.insert(result.notes.begin(),
                      "somebody edited the file since; only icelock's keys are put back");
  const auto nothing_left = is_empty_object(*text, {});
  if (!file.original && nothing_left && *nothing_left) {
    result.then.reset();
  } else if (*text != bytes) {
    result.then->bytes = std::move(*text);
    result.then->mtime_ns = now_ns();
  }
  return result;
}

std::vector<std::string> changed_keys(const LedgerFile& file, const Browser& browser,
                                      const std::string& bytes) {
  std::vector<std::string> changed;
  if (std::ranges::find(file.written, bytes) != file.written.end()) return changed;
  for (const PolicyKey& key : policy_keys(browser)) {
    const auto ours = member_of(file.written.back(), key);
    const auto now = member_of(bytes, key);
    if (ours && (!now || !same_value(*ours, *now))) changed.emplace_back(key.key);
  }
  return changed;
}

Result<void> describe(const Tree& tree, const Target& target,
                      const std::optional<std::string>& before,
                      const std::optional<std::string>& after, Change& change) {
  const Browser& browser = *target.browser;
  if (browser.id == settings_id) {
    add_own_keys(browser, before.value_or(""), after.value_or(""), change);
    return {};
  }
  if (browser.family == BrowserFamily::chromium) {
    auto files = TRY(read_policy_folder(tree, parent_of(target.path)));
    const InForce old_view = chromium_in_force(browser, files);
    const InForce new_view =
        chromium_in_force(browser, with_file(files, chromium_file_name, after));
    for (const PolicyKey& key : policy_keys(browser)) {
      const std::string name(key.key);
      add_key(name, old_view.value(name), new_view.value(name), change);
    }
    add_chromium_notes(browser, old_view, new_view, change);
    if (const auto extension = extension_in(browser, after.value_or(""))) {
      add_extension_notes(*extension, files, old_view, new_view, change);
    }
  } else {
    const auto others = firefox_distribution(tree);
    const auto view = [&](const std::optional<std::string>& bytes) {
      return bytes || others.empty() ? bytes.value_or("") : others.front().bytes.value_or("");
    };
    add_own_keys(browser, view(before), view(after), change);
    if (after && extension_in(browser, *after)) {
      change.notes.emplace_back(
          "Firefox installs only a package that Mozilla signed, unless the preference "
          "xpinstall.signatures.required is false, which Firefox ESR allows");
    }
    for (const NamedFile& other : others) {
      if (after) {
        change.notes.push_back(tree.shown(other.name).string() +
                               " does not count as long as there is a " +
                               tree.shown(target.path).string());
      }
    }
    if (before != after) {
      change.notes.emplace_back(
          "Firefox reads its policies when it starts: a running one keeps the old values until "
          "then");
    }
  }
  if (!tree.is_open_to_all(parent_of(target.path))) {
    change.notes.push_back(tree.shown(parent_of(target.path)).string() +
                           " is closed to other users: their browsers cannot read what is in it");
  }
  if (!is_installed(browser, tree.shown(""))) {
    change.notes.push_back(std::string(browser.name) + " is not installed");
  }
  return {};
}

}  // namespace icelock::policy
