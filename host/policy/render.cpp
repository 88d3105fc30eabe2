// SPDX-License-Identifier: Apache-2.0
#include "policy/render.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "policy/json_parse.h"
#include "policy/json_text.h"

namespace icelock::policy {
namespace {

using nlohmann::json;

constexpr std::string_view enabled = "media.peerconnection.enabled";
constexpr std::string_view default_address = "media.peerconnection.ice.default_address_only";
constexpr std::string_view no_host = "media.peerconnection.ice.no_host";
constexpr std::string_view if_behind_proxy = "media.peerconnection.ice.proxy_only_if_behind_proxy";
constexpr std::string_view proxy_only = "media.peerconnection.ice.proxy_only";
constexpr std::string_view obfuscate = "media.peerconnection.ice.obfuscate_host_addresses";

constexpr std::string_view private_only = "media.peerconnection.ice.proxy_only_if_pbmode";

using Prefs = std::array<FirefoxPref, 6>;

// no_host is false at every level: with it, getStats() lists the plain local addresses.
constexpr Prefs prefs(bool rtc, bool default_address_only, bool only_proxied) {
  return {{{enabled, rtc},
           {default_address, default_address_only},
           {no_host, false},
           {if_behind_proxy, false},
           {proxy_only, only_proxied},
           {obfuscate, true}}};
}

// `disabled` keeps proxy_only for documents that were open before the interface went away.
constexpr std::array<Prefs, 4> prefs_by_level = {prefs(true, false, false),
                                                 prefs(true, true, false), prefs(true, false, true),
                                                 prefs(false, false, true)};

constexpr std::array<std::string_view, 4> handling_by_level = {
    "default", "default_public_interface_only", "disable_non_proxied_udp",
    "disable_non_proxied_udp"};

// What a Preferences entry locks its preference to. A bare value locks; 0 and 1 stand for booleans
// where the platform has none (mozilla/policy-templates, "Preferences").
std::optional<bool> locked_value(const json& entry) {
  const json* value = &entry;
  if (entry.is_object()) {
    if (!entry.contains("Value") || entry.value("Status", json()) != "locked") return std::nullopt;
    if (entry.value("Type", json("boolean")) != "boolean") return std::nullopt;
    value = &entry["Value"];
  }
  if (value->is_boolean()) return value->get<bool>();
  if (*value == 0 || *value == 1) return *value == 1;
  return std::nullopt;
}

std::string_view status_of(FirefoxHold hold) {
  return hold == FirefoxHold::locked ? "locked" : "default";
}

// No setting of the extension is made of this one.
FirefoxHold hold_of(std::string_view pref, FirefoxHold wanted) {
  return pref == obfuscate ? FirefoxHold::locked : wanted;
}

// A preference's type may be left out: it says nothing that the value does not.
bool same_entry(json there, const json& ours) {
  if (there.is_object() && there.size() == 2 && ours.contains("Type")) there["Type"] = ours["Type"];
  return there == ours;
}

bool is_as_written(const json& entry, bool value, FirefoxHold hold) {
  return same_entry(entry, json::parse(firefox_pref_text(value, hold)));
}

Result<std::optional<json>> value_in(std::string_view file,
                                     const std::vector<std::string_view>& path,
                                     std::string_view key) {
  const auto spelt = TRY(member_text(file, path, key));
  return spelt ? parse_strict(*spelt) : std::nullopt;
}

Result<std::optional<json>> preference_in(std::string_view file, std::string_view pref) {
  return value_in(file, firefox_preferences_path(), pref);
}

std::vector<std::string_view> firefox_extensions_path() {
  return {"policies", extension_settings_key};
}

std::vector<std::string_view> firefox_third_party_path() {
  return {"policies", third_party_key, "Extensions"};
}

// Members one a line, as deep as they stand in the file.
std::string lines_of(const std::vector<std::string>& items, char open, char close) {
  std::string text(1, open);
  const char* separator = "\n    ";
  for (const std::string& item : items) text += std::exchange(separator, ",\n    ") + item;
  return text + "\n  " + close;
}

std::string site_list(const std::vector<SiteException>& sites) {
  std::vector<std::string> items;
  items.reserve(sites.size());
  for (const SiteException& site : sites) {
    items.push_back("{\"url\": " + json(site.pattern).dump() + ", \"handling\": \"" +
                    std::string(chromium_handling(site.level)) + "\"}");
  }
  return lines_of(items, '[', ']');
}

// override_update_url: the .crx names no place for updates, and would look into Google's store.
std::string extension_settings(const ExtensionInstall& extension) {
  json all = parse_lenient(extension.beside).value_or(json());
  if (!all.is_object()) all = json::object();
  all[extension.id] = {{"installation_mode", "force_installed"},
                       {"update_url", extension.url},
                       {"override_update_url", true}};
  std::vector<std::string> items;
  for (const auto& [id, entry] : all.items())
    items.push_back(json(id).dump() + ": " + entry.dump());
  return lines_of(items, '{', '}');
}

std::vector<PolicyEntry> chromium_entries(const Browser& browser, const WantedPolicy& wanted,
                                          bool with_level) {
  std::vector<PolicyEntry> entries;
  const auto add = [&](std::string_view key, std::string value) {
    entries.push_back({{}, std::string(key), std::move(value)});
  };
  if (const auto level = wanted.level) {
    if (with_level) add(browser.level_key, json(chromium_handling(*level)).dump());
    std::vector<SiteException> sites = effective_sites(browser, *level, wanted.sites);
    if (with_level && browser.needs_url_list) sites.push_back({"*", *level});
    if (!sites.empty()) add(chromium_url_key, site_list(sites));
  }
  if (wanted.extension) {
    add(extension_settings_key, extension_settings(*wanted.extension));
    add(third_party_key, "{\"extensions\": {" + json(wanted.extension->id).dump() + ": " +
                             wanted.extension->settings + "}}");
  }
  return entries;
}

std::vector<PolicyEntry> firefox_entries(const WantedPolicy& wanted, FirefoxHold hold) {
  std::vector<PolicyEntry> entries;
  if (wanted.level) {
    for (const FirefoxPref& pref : firefox_prefs(*wanted.level)) {
      entries.push_back({firefox_preferences_path(), std::string(pref.pref),
                         firefox_pref_text(pref.value, hold_of(pref.pref, hold))});
    }
  }
  if (wanted.private_windows) {
    entries.push_back(
        {firefox_preferences_path(), std::string(private_only), firefox_pref_text(true)});
  }
  if (const auto& extension = wanted.extension) {
    const std::string id(firefox_extension_id);
    entries.push_back({firefox_extensions_path(), id,
                       "{\"installation_mode\": \"force_installed\", \"install_url\": " +
                           json(extension->url).dump() + "}"});
    if (extension->settings != "{}") {
      entries.push_back({firefox_third_party_path(), id, extension->settings});
    }
  }
  return entries;
}

}  // namespace

std::string_view chromium_handling(Level level) {
  return handling_by_level[static_cast<std::size_t>(level)];
}

std::span<const FirefoxPref> firefox_prefs(Level level) {
  return prefs_by_level[static_cast<std::size_t>(level)];
}

std::vector<std::string_view> firefox_preferences_path() {
  return {"policies", "Preferences"};
}

std::string firefox_pref_text(bool value, FirefoxHold hold) {
  return std::string("{\"Value\": ") + (value ? "true" : "false") + ", \"Status\": \"" +
         std::string(status_of(hold)) + "\", \"Type\": \"boolean\"}";
}

std::vector<PolicyEntry> policy_entries(const Browser& browser, const WantedPolicy& wanted,
                                        FirefoxHold hold) {
  if (browser.id == settings_id) {
    std::vector<PolicyEntry> entries;
    entries.reserve(wanted.settings.size());
    for (const auto& [key, value] : wanted.settings) entries.push_back({{}, key, value});
    return entries;
  }
  return browser.family == BrowserFamily::firefox ? firefox_entries(wanted, hold)
                                                  : chromium_entries(browser, wanted, true);
}

std::vector<PolicyKey> policy_keys(const Browser& browser) {
  if (browser.id == settings_id) {
    return {
        {{}, "floor"}, {{}, "hold_seconds"}, {{}, "modes"}, {{}, "protected"}, {{}, "extensions"}};
  }
  if (browser.family == BrowserFamily::chromium) {
    return {{{}, browser.level_key},
            {{}, chromium_url_key},
            {{}, extension_settings_key},
            {{}, third_party_key}};
  }
  std::vector<PolicyKey> keys;
  for (const FirefoxPref& pref : firefox_prefs(Level::unrestricted)) {
    keys.push_back({firefox_preferences_path(), pref.pref});
  }
  keys.push_back({firefox_preferences_path(), private_only});
  keys.push_back({firefox_extensions_path(), firefox_extension_id});
  keys.push_back({firefox_third_party_path(), firefox_extension_id});
  return keys;
}

std::string chromium_policy_file(const Browser& browser, const WantedPolicy& wanted,
                                 bool with_level) {
  std::string text;
  for (const PolicyEntry& entry : chromium_entries(browser, wanted, with_level)) {
    text += (text.empty() ? "{\n  \"" : ",\n  \"") + entry.key + "\": " + entry.value;
  }
  return text.empty() ? "{}\n" : text + "\n}\n";
}

std::string chromium_recommended_file(const Browser& browser, bool says_level) {
  if (!says_level) return "{}\n";
  return "{\n  \"" + std::string(browser.level_key) +
         "\": " + json(chromium_handling(Level::default_route_only)).dump() + "\n}\n";
}

Result<std::string> firefox_policy_file(std::string_view original, const WantedPolicy& wanted,
                                        FirefoxHold hold) {
  return with_entries(original, firefox_entries(wanted, hold));
}

Result<std::string> with_entries(std::string_view original,
                                 const std::vector<PolicyEntry>& entries) {
  std::string text(original.empty() ? std::string_view("{}\n") : original);
  for (const PolicyEntry& entry : entries) {
    const auto there = TRY(value_in(text, entry.path, entry.key));
    if (there && same_entry(*there, parse_strict(entry.value).value_or(json()))) continue;
    text = TRY(with_member(text, entry.path, entry.key, entry.value));
  }
  return text;
}

bool firefox_leaves_to_extension(std::string_view file) {
  return std::ranges::all_of(firefox_prefs(Level::default_route_only), [&](const auto& pref) {
    const auto found = preference_in(file, pref.pref).value_or(std::nullopt);
    return found && is_as_written(*found, pref.value, hold_of(pref.pref, FirefoxHold::as_default));
  });
}

std::optional<Level> firefox_level(std::string_view file) {
  if (!check_object_text(file)) return std::nullopt;
  std::map<std::string_view, std::optional<bool>> locked;
  for (const FirefoxPref& pref : firefox_prefs(Level::unrestricted)) {
    const auto found = preference_in(file, pref.pref);
    if (!found) return std::nullopt;
    const std::optional<json>& entry = *found;
    locked[pref.pref] = entry ? locked_value(*entry) : std::nullopt;
  }
  if (firefox_leaves_to_extension(file)) return Level::default_route_only;
  if (locked[enabled] == false) return Level::disabled;
  // A level that keeps the interface holds only when everything that could loosen it is locked too.
  if (locked[no_host] != false || locked[obfuscate] != true) return std::nullopt;
  if (locked[proxy_only] == true) return Level::force_proxy;
  if (locked[default_address] == true) return Level::default_route_only;
  if (locked[default_address] == false && locked[proxy_only] == false) return Level::unrestricted;
  return std::nullopt;
}

}  // namespace icelock::policy
