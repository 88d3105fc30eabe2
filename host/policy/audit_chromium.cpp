// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "policy/audit_rules.h"
#include "policy/in_force.h"
#include "policy/render.h"
#include "policy/targets.h"

namespace icelock::policy {
namespace {

using nlohmann::json;

constexpr std::string_view allowlist_key = "NativeMessagingAllowlist";
constexpr std::string_view blocklist_key = "NativeMessagingBlocklist";
constexpr std::string_view event_log_key = "WebRtcEventLogCollectionAllowed";
constexpr std::string_view port_range_key = "WebRtcUdpPortRange";

struct Value {
  json value;
  std::string file;  ///< its name in the folder
};
using Values = std::map<std::string, std::vector<Value>>;  // the last one wins

/// One policy folder of one browser.
class Folder {
 public:
  Folder(const Tree& tree, const Browser& browser, std::string path, Audit& audit)
      : tree_(tree), browser_(browser), path_(std::move(path)), audit_(audit) {}

  void read();
  void judge(BrowserAudit& row);

 private:
  Place at(std::string_view file, std::string_view key) const {
    const std::string path = file.empty() ? path_ : path_ + "/" + std::string(file);
    return {&browser_, tree_.shown(path).string(), std::string(key)};
  }
  const Value* winner(std::string_view key) const {
    const auto found = values_.find(std::string(key));
    return found == values_.end() ? nullptr : &found->second.back();
  }
  void read_file(const NamedFile& file);
  void judge_conflict(const std::string& key, const std::vector<Value>& values);
  void judge_level(const Value& value);
  void judge_sites(const Value& value);
  void judge_site(const json& entry, const Value& list, std::optional<Level> level);
  void judge_others();

  const Tree& tree_;
  const Browser& browser_;
  std::string path_;
  Audit& audit_;
  Values values_;
};

bool is_watched(const Browser& browser, std::string_view key) {
  return key == browser.level_key || key == chromium_url_key || key == local_ips_key ||
         key == allowlist_key || key == blocklist_key || key == event_log_key ||
         key == port_range_key;
}

void Folder::read() {
  if (!tree_.is_open_to_all(path_)) {
    add(audit_, "folder_closed", at("", ""), "not every user can read this folder");
  }
  auto files = read_policy_folder(tree_, path_);
  if (!files) {
    add(audit_, "folder_unsafe", at("", ""), to_string(files.error()));
    return;
  }
  for (const NamedFile& file : *files) read_file(file);
}

void Folder::read_file(const NamedFile& file) {
  if (is_leftover(file.name)) {
    add(audit_, "leftover", at(file.name, ""), "looks like a leftover, and is parsed all the same");
  }
  if (!file.bytes) {
    add(audit_, "file_unreadable", at(file.name, ""),
        "no plain file that everybody may read; the browser ignores it");
    return;
  }
  const auto parsed = parse_lenient(*file.bytes);
  if (!parsed || !parsed->is_object()) {
    add(audit_, "file_broken", at(file.name, ""),
        parsed ? "not a JSON object; the browser ignores the whole file"
               : "not JSON; the browser ignores the whole file");
    return;
  }
  for (const auto& [key, value] : parsed->items()) {
    if (const auto lint = lint_key(browser_, key)) {
      const std::string why = lint->why.empty() ? "no browser has this policy" : "this is ";
      add(audit_, lint->why.empty() ? "key_unknown" : "key_of_another_browser", at(file.name, key),
          why + std::string(lint->why) + "; it has no effect here",
          "Write " + std::string(lint->right) + ".");
    }
    if (is_watched(browser_, key)) values_[key].push_back({value, file.name});
  }
  for (const std::string& key : keys_twice(*file.bytes)) {
    if (is_watched(browser_, key)) {
      add(audit_, "key_twice", at(file.name, key), "the last one was taken here");
    }
  }
}

void Folder::judge(BrowserAudit& row) {
  for (const auto& [key, values] : values_) {
    row.in_force.push_back({key, values.back().value.dump(), at(values.back().file, "").file});
    judge_conflict(key, values);
  }
  if (const Value* level = winner(browser_.level_key)) judge_level(*level);
  if (const Value* sites = winner(chromium_url_key)) judge_sites(*sites);
  judge_others();
}

void Folder::judge_conflict(const std::string& key, const std::vector<Value>& values) {
  const Value& last = values.back();
  for (const Value& value : values) {
    if (value.file == last.file || value.value == last.value) continue;
    std::string_view rule = "key_conflict";
    if (value.file == chromium_file_name && key == chromium_url_key) rule = "sites_overridden";
    if (value.file == chromium_file_name && key == browser_.level_key &&
        chromium_level_of(last.value.dump(), "") < chromium_level_of(value.value.dump(), "")) {
      rule = "level_overridden";
    }
    add(audit_, rule, at(last.file, key),
        last.file + " says " + last.value.dump() + " and wins over " + value.file + " (" +
            value.value.dump() + "), because its name comes later");
  }
}

void Folder::judge_level(const Value& value) {
  const Place place = at(value.file, browser_.level_key);
  if (!value.value.is_string()) {
    add(audit_, "value_type", place, "must be a text; the browser drops it", "Write it in quotes.");
    return;
  }
  const auto& handling = value.value.get_ref<const std::string&>();
  if (const auto lint = lint_handling(handling)) {
    const std::string why = lint->why.empty() ? "" : " (" + std::string(lint->why) + ")";
    add(audit_, "value_unknown", place,
        "\"" + handling + "\"" + why + " is no value; the browser acts as if unset",
        lint->right.empty() ? "" : "Write " + std::string(lint->right) + ".");
  } else if (handling == "default_public_and_private_interfaces") {
    add(audit_, "value_shows_local", place, "this value shows plain local addresses to every page");
  }
}

void Folder::judge_sites(const Value& list) {
  const Place place = at(list.file, chromium_url_key);
  if (!list.value.is_array()) {
    add(audit_, "value_type", place, "must be a list; the browser drops it",
        "Write [{\"url\": ..., \"handling\": ...}].");
    return;
  }
  const Value* base = winner(browser_.level_key);
  const auto level =
      chromium_level_of(base ? base->value.dump() : recommended_value(tree_, browser_, path_), "");
  bool caught = false;
  for (const json& entry : list.value) {
    if (caught) {
      add(audit_, "url_unreachable", place, entry.dump() + " stands after the entry for *");
      continue;
    }
    judge_site(entry, list, level);
    caught = entry.is_object() && entry.value("url", json()) == "*";
  }
  if (caught && !browser_.needs_url_list) {
    add(audit_, "url_catch_all", place,
        "tabs that are open keep the entry for * when the list or the level changes later");
  }
}

void Folder::judge_site(const json& entry, const Value& list, std::optional<Level> level) {
  const Place place = at(list.file, chromium_url_key);
  const auto text = [&](const char* member) {
    return entry.is_object() && entry.contains(member) && entry[member].is_string()
               ? std::optional(entry[member].get<std::string>())
               : std::nullopt;
  };
  const auto url = text("url");
  const auto handling = text("handling");
  if (!url || !handling) {
    add(audit_, "url_entry_bad", place, entry.dump() + " is dropped by the browser");
    return;
  }
  if (const auto lint = lint_pattern(*url)) {
    add(audit_, "url_pattern_bad", place, "\"" + *url + "\": " + std::string(lint->why));
    return;
  }
  if (const auto lint = lint_handling(*handling)) {
    add(audit_, "value_unknown", place, "\"" + *handling + "\" for " + *url + " is no value",
        lint->right.empty() ? "" : "Write " + std::string(lint->right) + ".");
  }
  const auto given = chromium_level_of("\"" + *handling + "\"", "");
  if (!level || !given || *given >= *level) return;
  const bool ours = list.file == chromium_file_name;
  add(audit_, ours ? "site_exception" : "url_undoes_level", place,
      *url + " gets " + *handling + ", which is looser than " +
          std::string(chromium_handling(*level)));
}

void Folder::judge_others() {
  const auto lists = [](const Value* value, std::string_view item) {
    return value && value->value.is_array() &&
           std::ranges::find(value->value, json(item)) != value->value.end();
  };
  if (const Value* value = winner(local_ips_key); value && value->value != json::array()) {
    add(audit_, "local_ips_allowed", at(value->file, local_ips_key),
        value->value.dump() + " are shown plain local addresses");
  }
  const Value* blocked = winner(blocklist_key);
  if ((lists(blocked, "*") || lists(blocked, native_host_name)) &&
      !lists(winner(allowlist_key), native_host_name)) {
    add(audit_, "host_blocked", at(blocked->file, blocklist_key),
        "the extension cannot reach icelock here");
  }
  const Value* logs = winner(event_log_key);
  if (browser_.id == "chrome" && (logs == nullptr || logs->value != json(false))) {
    add(audit_, "event_log", at(logs ? logs->file : "", event_log_key), "it is not set to false");
  }
}

/// Files that an admin meant for this browser, beside the folder that it reads.
void find_misplaced(const Tree& tree, const Browser& browser, const std::string& folder,
                    Audit& audit) {
  const auto names = tree.names(parent_of(folder));
  if (!names) return;
  for (const std::string& file : *names) {
    if (!file.ends_with(".json")) continue;
    add(audit, "not_read", {&browser, tree.shown(parent_of(folder) + "/" + file).string(), ""},
        "only files in " + leaf_of(folder) + "/ are read");
  }
}

void find_recommended(const Tree& tree, const Browser& browser, const std::string& folder,
                      Audit& audit) {
  const std::string recommended = parent_of(folder) + "/recommended";
  const auto files = read_policy_folder(tree, recommended);
  if (!files) return;
  for (const auto& [key, setting] : chromium_in_force(browser, *files).settings) {
    if (key == extension_settings_key) continue;
    if (key == browser.level_key && setting.file == chromium_file_name) continue;  // as it is meant
    add(audit, "recommended",
        {&browser, tree.shown(recommended + "/" + setting.file).string(), key},
        setting.value + " applies until an extension or a mandatory policy says otherwise");
  }
}

}  // namespace

void audit_chromium(const Tree& tree, const Browser& browser, Audit& audit, BrowserAudit& row) {
  for (const Target& target : targets(browser)) {
    const std::string path = parent_of(target.path);
    Folder folder(tree, browser, path, audit);
    folder.read();
    folder.judge(row);
    find_misplaced(tree, browser, path, audit);
    find_recommended(tree, browser, path, audit);
  }
}

}  // namespace icelock::policy
