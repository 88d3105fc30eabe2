// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "policy/audit_rules.h"
#include "policy/in_force.h"
#include "policy/render.h"

namespace icelock::policy {
namespace {

using nlohmann::json;

constexpr std::string_view family = "media.peerconnection.";
constexpr std::string_view no_host = "media.peerconnection.ice.no_host";
constexpr std::string_view obfuscate = "media.peerconnection.ice.obfuscate_host_addresses";
constexpr std::string_view exempt = "media.peerconnection.ice.obfuscate_host_addresses.blocklist";
constexpr std::string_view rtc_enabled = "media.peerconnection.enabled";

/// One policies.json that is in force.
class File {
 public:
  File(const Browser& browser, std::string shown, Audit& audit)
      : browser_(browser), shown_(std::move(shown)), audit_(audit) {}

  void judge(const std::optional<std::string>& bytes, BrowserAudit& row);

 private:
  void note(std::string_view rule, std::string_view key, std::string text, std::string fix = {}) {
    add(audit_, rule, {&browser_, shown_, std::string(key)}, std::move(text), std::move(fix));
  }
  void judge_preference(const std::string& pref, const json& entry);
  void judge_value(const std::string& pref, const json& value);

  const Browser& browser_;
  std::string shown_;
  Audit& audit_;
  bool for_extension_ = false;  ///< open on purpose
};

void File::judge(const std::optional<std::string>& bytes, BrowserAudit& row) {
  if (!bytes) {
    return note("file_unreadable", "", "not everybody may read it, so Firefox applies nothing");
  }
  const auto parsed = parse_strict(*bytes);
  if (!parsed || !parsed->is_object()) {
    return note("file_broken", "", "not a JSON object; Firefox applies nothing of it");
  }
  const json& policies = member(*parsed, "policies");
  if (!policies.is_object()) {
    return note("firefox_no_policies", "", "Firefox applies nothing of this file");
  }
  for (const auto& [key, value] : policies.items()) {
    if (const auto lint = lint_key(browser_, key)) {
      note("key_of_another_browser", key, "this is " + std::string(lint->why),
           "Lock the preferences of media.peerconnection.ice instead.");
    }
  }
  for (const std::string& key : keys_twice(*bytes))
    note("key_twice", key, "Firefox takes the last one");
  for_extension_ = firefox_leaves_to_extension(*bytes);
  const json& preferences = member(policies, "Preferences");
  if (!preferences.is_object()) return;
  for (const auto& [pref, entry] : preferences.items()) {
    if (!pref.starts_with(family)) continue;
    row.in_force.push_back({pref, entry.dump(), shown_});
    judge_preference(pref, entry);
  }
}

void File::judge_preference(const std::string& pref, const json& entry) {
  if (!entry.is_object()) return judge_value(pref, entry);  // a bare value locks
  const json& status = member(entry, "Status");
  const std::string said = status.is_string() ? status.get<std::string>() : "";
  if (said == "user") {
    note("firefox_status_user", pref, "Status \"user\" writes it into every profile for good");
  } else if (said != "locked" && !for_extension_) {
    note("firefox_not_locked", pref,
         said.empty() ? "no Status, so the user can change it"
                      : "Status \"" + said + "\" lets the user change it");
  }
  if (entry.contains("Value")) judge_value(pref, entry.at("Value"));
}

void File::judge_value(const std::string& pref, const json& value) {
  const auto& known = firefox_prefs(Level::unrestricted);
  const bool boolean = std::ranges::find(known, pref, &FirefoxPref::pref) != known.end();
  if (boolean && !value.is_boolean() && value != 0 && value != 1) {
    return note("value_type", pref, value.dump() + " is neither true nor false",
                "Write true or false, without quotes.");
  }
  const bool on = value == true || value == 1;
  if (pref == no_host && on) {
    note("firefox_no_host", pref, "pages find the plain local addresses in getStats()");
  }
  if (pref == obfuscate && !on) {
    note("firefox_mdns_off", pref, "pages are given plain local addresses");
  }
  if (pref == exempt && value != json("")) {
    note("local_ips_allowed", pref, value.dump() + " are given plain local addresses");
  }
}

/// The policies that `path` would set and the file in /etc does not.
std::string lost_policies(const std::optional<std::string>& in_force, const std::string& ignored) {
  const auto kept = parse_strict(in_force.value_or(""));
  const auto lost = parse_strict(ignored);
  const json theirs = member(lost.value_or(json()), "policies");
  if (!theirs.is_object()) return {};
  const json ours = member(kept.value_or(json()), "policies");
  std::string names;
  for (const auto& [key, value] : theirs.items()) {
    if (ours.contains(key)) continue;
    names += (names.empty() ? "" : ", ") + key;
  }
  return names;
}

}  // namespace

void audit_firefox(const Tree& tree, const Browser& browser, Audit& audit, BrowserAudit& row) {
  const std::string path(browser.policy_path);
  const auto there = tree.read(path);
  const bool exists = !there || there->has_value();
  const auto bytes = tree.read_as_browser(path);
  if (!there) {
    add(audit, "folder_unsafe", {&browser, tree.shown(path).string(), ""},
        to_string(there.error()));
  }
  if (exists && !tree.is_open_to_all(parent_of(path))) {
    add(audit, "folder_closed", {&browser, tree.shown(parent_of(path)).string(), ""},
        "not every user can read this folder");
  }
  if (exists) File(browser, tree.shown(path).string(), audit).judge(bytes, row);
  for (const NamedFile& other : firefox_distribution(tree)) {
    const std::string shown = tree.shown(other.name).string();
    if (!exists) {
      File(browser, shown, audit).judge(other.bytes, row);
      continue;
    }
    const std::string lost = lost_policies(bytes, other.bytes.value_or(""));
    if (lost.empty()) continue;
    add(audit, "firefox_distribution_ignored", {&browser, shown, ""},
        "these policies are lost because " + tree.shown(path).string() + " exists: " + lost);
  }
  const bool off = std::ranges::any_of(row.in_force, [](const Winner& winner) {
    return winner.key == rtc_enabled && winner.value.find("false") != std::string::npos;
  });
  if (!off && row.installed_here) {
    add(audit, "firefox_webrtc_on", {&browser, "", std::string(rtc_enabled)},
        "the benchmark asks for this preference and use_document_iceservers to be false");
  }
}

}  // namespace icelock::policy
