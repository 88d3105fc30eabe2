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

struct Key {
  ObjectPath path;
  std::string_view name;
};

std::vector<Key> keys_of(const Browser& browser) {
  if (browser.family == BrowserFamily::chromium) {
    return {{{}, browser.level_key}, {{}, chromium_url_key}};
  }
  std::vector<Key> keys;
  for (const FirefoxPref& pref : firefox_prefs(Level::unrestricted)) {
    keys.push_back({firefox_preferences_path(), pref.pref});
  }
  return keys;
}

bool same_value(std::string_view a, std::string_view b) {
  const auto left = parse_strict(a);
  return left && left == parse_strict(b);
}

// Errors in what icelock itself wrote or kept count as "not there": then the key is left alone.
std::optional<std::string> member_of(std::string_view text, const Key& key) {
  auto found = member_text(text, key.path, key.name);
  return found ? std::move(*found) : std::nullopt;
}

bool icelock_wrote(const LedgerFile& file, const Key& key, std::string_view value) {
  return std::any_of(file.written.begin(), file.written.end(), [&](const std::string& written) {
    const auto ours = member_of(written, key);
    return ours && same_value(*ours, value);
  });
}

bool had_object(const LedgerFile& file, const ObjectPath& parent, std::string_view name) {
  return file.original && member_of(file.original->bytes, Key{parent, name}).has_value();
}

// Objects that only icelock's keys had needed.
Result<std::string> without_empty_objects(std::string text, const LedgerFile& file,
                                          ObjectPath path) {
  while (!path.empty()) {
    const auto empty = is_empty_object(text, path);
    if (!empty) return std::unexpected(empty.error());
    const std::string_view name = path.back();
    path.pop_back();
    if (!*empty || had_object(file, path, name)) return text;
    auto edited = without_member(text, path, name);
    if (!edited) return edited;
    text = std::move(*edited);
  }
  return text;
}

Result<std::string> with_keys_put_back(const LedgerFile& file, const Browser& browser,
                                       std::string text, std::vector<std::string>& notes) {
  for (const Key& key : keys_of(browser)) {
    auto now = member_text(text, key.path, key.name);
    if (!now) return std::unexpected(now.error());
    const std::optional<std::string>& value = *now;
    if (!value) continue;
    if (!icelock_wrote(file, key, *value)) {
      notes.push_back(std::string(key.name) + " was set to something else since; left as it is");
      continue;
    }
    const auto original =
        file.original ? member_of(file.original->bytes, key) : std::optional<std::string>();
    auto edited = original ? with_member(text, key.path, key.name, *original)
                           : without_member(text, key.path, key.name);
    if (!edited) return edited;
    text = std::move(*edited);
  }
  if (browser.family == BrowserFamily::chromium) return text;
  return without_empty_objects(std::move(text), file, firefox_preferences_path());
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string text_of(const InForce& view, const std::string& key) {
  const auto found = view.settings.find(key);
  return found == view.settings.end() ? std::string() : found->second.value;
}

void add_keys(const Browser& browser, const InForce& before, const InForce& after, Change& change) {
  for (const Key& key : keys_of(browser)) {
    const std::string name(key.name);
    KeyChange keys{name, text_of(before, name), text_of(after, name)};
    if (keys.before != keys.after) change.keys.push_back(std::move(keys));
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

std::vector<Target> targets_at(std::string_view path) {
  std::vector<Target> found;
  for (const Browser& browser : browsers()) {
    for (Target& target : targets(browser)) {
      if (target.path == path) found.push_back(std::move(target));
    }
  }
  return found;
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
  auto now = tree.read(file.path);
  if (!now) return std::unexpected(now.error());
  result.now = std::move(*now);
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
  auto text = with_keys_put_back(file, *readers.front().browser, bytes, result.notes);
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
  for (const Key& key : keys_of(browser)) {
    const auto ours = member_of(file.written.back(), key);
    const auto now = member_of(bytes, key);
    if (ours && (!now || !same_value(*ours, *now))) changed.emplace_back(key.name);
  }
  return changed;
}

Result<void> describe(const Tree& tree, const Target& target,
                      const std::optional<std::string>& before,
                      const std::optional<std::string>& after, Change& change) {
  const Browser& browser = *target.browser;
  if (browser.family == BrowserFamily::chromium) {
    auto files = read_policy_folder(tree, parent_of(target.path));
    if (!files) return std::unexpected(files.error());
    const InForce old_view = chromium_in_force(browser, *files);
    const InForce new_view =
        chromium_in_force(browser, with_file(std::move(*files), chromium_file_name, after));
    add_keys(browser, old_view, new_view, change);
    add_chromium_notes(browser, old_view, new_view, change);
  } else {
    const auto others = firefox_distribution(tree);
    const auto view = [&](const std::optional<std::string>& bytes) {
      if (bytes || others.empty()) return firefox_in_force(target.path, bytes);
      return firefox_in_force(others.front().name, others.front().bytes);
    };
    add_keys(browser, view(before), view(after), change);
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
