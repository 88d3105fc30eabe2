// SPDX-License-Identifier: Apache-2.0
#include "policy/audit_rules.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "policy/render.h"

namespace icelock::policy {
namespace {

constexpr std::array<std::string_view, 3> severity_names = {"info", "warning", "error"};

// Errors: the lock does not hold, or a file fails open. Warnings: a risk, or a mistake without
// effect.
constexpr std::array rules = {
    Rule{"level_loose", Severity::error, "What is in force is looser than what was asked for",
         "Plan and apply it again, and remove what the other findings name.", true},
    Rule{"own_file_missing", Severity::error, "A file that icelock wrote is gone",
         "Plan and apply the same again, or run icelock revert.", true},
    Rule{"own_file_changed", Severity::error, "A key that icelock wrote was changed or removed",
         "Plan and apply the same again, or run icelock revert.", true},
    Rule{"level_overridden", Severity::error, "Another file outranks icelock's, and is looser",
         "Remove the key from that file."},
    Rule{"exception_missing", Severity::warning, "A wanted site exception is not in force",
         "Add it to the list of the file that wins.", true},
    Rule{"extension_missing", Severity::error, "The extension is not installed as asked for",
         "Move the entries of the file that wins into one whose name comes earlier.", true},
    Rule{"url_undoes_level", Severity::error, "A site list loosens the level",
         "Remove the entry, or make it an exception of icelock's."},
    Rule{"file_broken", Severity::error, "A policy file cannot be parsed, so it fails open",
         "Correct the JSON; a file with one mistake sets nothing at all."},
    Rule{"file_unreadable", Severity::error, "A policy file is closed to the browser's user",
         "Make it a plain file of at most 16 MiB with mode 0644."},
    Rule{"folder_closed", Severity::error, "A policy folder is closed to the browser's user",
         "Give it, and the folders above it, mode 0755."},
    Rule{"folder_unsafe", Severity::error, "A policy folder is not under root's control",
         "Let it be a real folder that only root can write."},
    Rule{"value_unknown", Severity::error, "A value that the browser takes for its default",
         "Use default_public_interface_only or disable_non_proxied_udp."},
    Rule{"value_type", Severity::error, "A value of the wrong type, which is dropped", ""},
    Rule{"value_shows_local", Severity::error, "A value that is looser than the default",
         "Use default_public_interface_only or disable_non_proxied_udp."},
    Rule{"url_entry_bad", Severity::error, "A site entry that the browser drops",
         "Give it a \"url\" and a \"handling\", both texts."},
    Rule{"url_pattern_bad", Severity::error, "A site pattern that the browser does not understand",
         "Write https://[*.]example.com for a domain and all below it."},
    Rule{"firefox_no_policies", Severity::error, "Firefox's file has no object \"policies\"",
         "Put everything into {\"policies\": {...}}."},
    Rule{"key_unknown", Severity::warning, "A policy name that no browser knows", ""},
    Rule{"key_of_another_browser", Severity::warning, "A policy name of another browser", ""},
    Rule{"key_twice", Severity::warning, "A key stands twice in one file",
         "Keep one; which of them counts is the parser's choice."},
    Rule{"sites_overridden", Severity::warning, "Another file's site list replaces icelock's",
         "Add icelock's entries to that list; one file's list counts alone."},
    Rule{"url_unreachable", Severity::warning, "A site entry after one that matches everything",
         "Put the entry for * last."},
    Rule{"url_catch_all", Severity::warning, "A site list with an entry for every page",
         "Leave it out: without a match the level key decides, and only that one reaches tabs that "
         "are open."},
    Rule{"local_ips_allowed", Severity::warning, "Sites that are shown plain local addresses",
         "Empty the list, unless these sites must see them."},
    Rule{"leftover", Severity::warning, "A leftover of an editor or package manager",
         "Delete it: browsers parse every file in this folder, and it may win by its name."},
    Rule{"not_read", Severity::warning, "A policy file in a place that is not read",
         "Move it to the folder that the browser reads, or delete it."},
    Rule{"host_blocked", Severity::warning, "The browser may not start icelock's host",
         "Add icelock.host to NativeMessagingAllowlist."},
    Rule{"firefox_status_user", Severity::warning, "A preference that stays when the policy goes",
         "Use \"Status\": \"locked\"."},
    Rule{"firefox_not_locked", Severity::warning, "A preference that the user can change",
         "Use \"Status\": \"locked\"."},
    Rule{"firefox_no_host", Severity::warning, "no_host shows plain addresses in getStats()",
         "Set default_address_only instead."},
    Rule{"firefox_mdns_off", Severity::warning, "Local addresses are not hidden behind names",
         "Leave it true."},
    Rule{"firefox_distribution_ignored", Severity::warning, "Firefox ignores its distribution file",
         "Move its policies into /etc/firefox/policies/policies.json."},
    Rule{"switch_overrides", Severity::warning, "A running browser's command line",
         "Start the browser without it."},
    Rule{"profile_flag", Severity::warning, "A flag in a profile shows local addresses",
         "Reset it at chrome://flags."},
    Rule{"other_extension", Severity::warning, "Another extension sets the WebRTC handling",
         "Remove that extension, or set a policy, which outranks both."},
    Rule{"profile_preference", Severity::info, "A profile holds a WebRTC preference of its own",
         ""},
    Rule{"key_conflict", Severity::info, "Two files set one key", ""},
    Rule{"recommended", Severity::info, "A recommended value, which an extension can change", ""},
    Rule{"site_exception", Severity::info, "A site exception of icelock's", ""},
    Rule{"sandboxed", Severity::info, "A browser in a sandbox, which reads other places",
         "Give it the policy in its own way; icelock does not write there."},
    Rule{"edge_limits", Severity::info, "What Edge does not promise", ""},
    Rule{"not_compared", Severity::warning, "There was nothing to compare the machine with",
         "Plan and apply a policy document: an audit then holds the machine against it."},
    Rule{"not_recorded", Severity::info, "Policy files of an export or of its Ansible role",
         "Take them away as they came; icelock revert cannot."},
    Rule{"event_log", Severity::info, "Chrome may collect WebRTC event logs",
         "Set WebRtcEventLogCollectionAllowed to false if the benchmark binds you.", false,
         "DISA STIG Google Chrome: WebRtcEventLogCollectionAllowed"},
    Rule{"firefox_webrtc_on", Severity::info, "WebRTC is on in Firefox",
         "Level disabled does the first half; calls stop then.", false,
         "CIS Mozilla Firefox ESR 102, 3.3"},
    Rule{"settings_broken", Severity::error, "The guard refuses the admin's settings file",
         "Correct the key; until then the guard keeps what it read before, and a new one is "
         "locked."},
    Rule{"ledger_broken", Severity::error, "icelock's ledger cannot be used",
         "Restore it from a backup: without it icelock neither applies nor reverts."},
    Rule{"ledger_missing", Severity::warning, "icelock's files are there, and its ledger is not",
         "Restore it from a backup, or remove the files, plan and apply again. Files that icelock "
         "export made have none."},
    Rule{"browser_unmanaged", Severity::warning, "A browser without a level, while others have one",
         "Name it in the policy document, or give the document a level for all browsers."},
    Rule{"extension_settings_overridden", Severity::error,
         "Another file sets the extension up otherwise than asked for",
         "Take the key out of that file, or give it a name that comes earlier.", true},
};

constexpr std::array<std::pair<std::string_view, Lint>, 9> handlings = {{
    {"AllowAllInterfaces", {"default", "a display name of Edge's, not a value"}},
    {"AllowPublicAndPrivateInterfaces",
     {"default_public_and_private_interfaces", "a display name of Edge's, not a value"}},
    {"AllowPublicInterfaceOnly",
     {"default_public_interface_only", "a display name of Edge's, not a value"}},
    {"DisableNonProxiedUdp", {"disable_non_proxied_udp", "a display name of Edge's, not a value"}},
    {"proxy_only", {"disable_non_proxied_udp", "a value of Firefox's"}},
    {"unrestricted", {"default", "a level of icelock's, not a value"}},
    {"default_route_only", {"default_public_interface_only", "a level of icelock's, not a value"}},
    {"force_proxy", {"disable_non_proxied_udp", "a level of icelock's, not a value"}},
    {"disabled", {"disable_non_proxied_udp", "a level of icelock's, not a value"}},
}};

constexpr std::array<std::string_view, 4> known_handlings = {
    "default", "default_public_and_private_interfaces", "default_public_interface_only",
    "disable_non_proxied_udp"};

constexpr std::array<std::string_view, 14> leftover_ends = {
    "~",    ".bak",    ".old",     ".orig",    ".save",     ".tmp",      ".swp",
    ".new", ".rpmnew", ".rpmsave", ".rpmorig", ".dpkg-old", ".dpkg-new", ".dpkg-dist"};

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

}  // namespace

std::string_view name(Severity severity) {
  return severity_names[static_cast<std::size_t>(severity)];
}

std::span<const Rule> audit_rules() {
  return rules;
}

void add(Audit& audit, std::string_view rule, Place place, std::string text, std::string fix) {
  const auto* found = std::ranges::find(rules, rule, &Rule::id);
  if (found == rules.end()) std::abort();  // a misspelt rule; every rule has a test
  if (fix.empty()) fix = found->fix;
  audit.findings.push_back(
      {found, place.browser == nullptr ? std::string() : std::string(place.browser->id),
       std::move(place.file), std::move(place.key), std::move(text), std::move(fix)});
}

std::optional<Lint> lint_key(const Browser& browser, std::string_view key) {
  const std::string spelt = lower(key);
  if (browser.family == BrowserFamily::firefox) {
    if (!spelt.starts_with("webrtc")) return std::nullopt;
    return Lint{"", "a policy of the Chromium family; Firefox has Preferences only"};
  }
  if (spelt == "webrtciphandlingpolicy" || spelt == "defaultwebrtciphandlingpolicy") {
    return Lint{browser.level_key, ""};
  }
  if (key == browser.level_key || key == chromium_url_key) return std::nullopt;
  if (key == "WebRtcIPHandling") return Lint{browser.level_key, "Chrome's name"};
  if (key == "WebRtcLocalhostIpHandling") return Lint{browser.level_key, "Edge's name"};
  for (const std::string_view right : {browser.level_key, chromium_url_key}) {
    if (spelt == lower(right)) return Lint{right, ""};  // names are case-sensitive
  }
  return std::nullopt;
}

std::optional<Lint> lint_handling(std::string_view value) {
  if (std::ranges::find(known_handlings, value) != known_handlings.end()) return std::nullopt;
  for (const auto& [wrong, lint] : handlings) {
    if (value == wrong) return lint;
  }
  return Lint{"", ""};
}

std::optional<Lint> lint_pattern(std::string_view pattern) {
  if (pattern.empty()) return Lint{"", "it is empty"};
  if (pattern.find_first_of(" \t\r\n") != pattern.npos) return Lint{"", "it holds a blank"};
  const std::size_t scheme = pattern.find("://");
  std::string_view host = scheme == pattern.npos ? pattern : pattern.substr(scheme + 3);
  host = host.substr(0, host.find('/'));
  if (host.starts_with("[*.]")) host.remove_prefix(4);
  if (host.starts_with("*.")) return Lint{"", "subdomains are written [*.]"};
  if (host == "*" || host.starts_with("*:")) return std::nullopt;
  if (host.substr(0, host.rfind(':')).find('*') != host.npos) {
    return Lint{"", "a * cannot stand inside a name"};
  }
  return std::nullopt;
}

bool is_leftover(std::string_view file_name) {
  if (file_name.starts_with(".") || file_name.starts_with("#")) return true;
  return std::ranges::any_of(leftover_ends,
                             [&](std::string_view end) { return file_name.ends_with(end); });
}

}  // namespace icelock::policy
