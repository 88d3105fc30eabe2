// SPDX-License-Identifier: Apache-2.0
#include "policy/render.h"

#include <algorithm>
#include <array>
#include <map>

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

std::optional<Level> level_of_handling(const json& handling) {
  if (!handling.is_string()) return std::nullopt;
  for (const Level level : {Level::unrestricted, Level::default_route_only, Level::force_proxy}) {
    if (handling.get_ref<const std::string&>() == chromium_handling(level)) return level;
  }
  return std::nullopt;
}

struct UrlEntry {
  std::string url;
  std::optional<Level> level;  // nullopt: a word that is no level
};

std::vector<UrlEntry> url_entries(const json& list) {
  std::vector<UrlEntry> entries;
  if (!list.is_array()) return entries;  // a wrong type is refused as a whole
  for (const json& entry : list) {
    // Chromium drops a bad entry alone.
    if (!entry.is_object() || !entry.contains("url") || !entry.contains("handling")) continue;
    if (!entry["url"].is_string() || !entry["handling"].is_string()) continue;
    entries.push_back({entry["url"].get<std::string>(), level_of_handling(entry["handling"])});
    if (entries.back().url == "*") break;  // first match wins: nothing after it counts
  }
  return entries;
}

// Strict: an unknown word is no level. Otherwise it is unrestricted, which is how Chromium takes
// it.
std::optional<Level> chromium_level_of(const json& level_value, const json& url_value, bool strict,
                                       const std::vector<SiteException>& granted = {}) {
  std::map<std::string_view, Level> grants;
  for (const SiteException& site : granted) {
    const auto [place, fresh] = grants.try_emplace(site.pattern, site.level);
    place->second = std::min(place->second, site.level);
  }
  std::vector<UrlEntry> entries = url_entries(url_value);
  const bool catches_all = !entries.empty() && entries.back().url == "*";
  const bool has_base = catches_all || level_value.is_string();
  if (!has_base && strict) return std::nullopt;
  if (!catches_all && has_base) entries.push_back({"*", level_of_handling(level_value)});
  Level loosest = Level::disabled;
  for (const UrlEntry& entry : entries) {
    if (!entry.level && strict) return std::nullopt;
    const Level level = entry.level.value_or(Level::unrestricted);
    const auto grant = grants.find(entry.url);
    if (grant == grants.end() || level < grant->second) loosest = std::min(loosest, level);
  }
  // Nothing is said about most pages: no level, unless what is said about some of them loosens
  // these.
  if (!has_base && loosest >= Level::force_proxy) return std::nullopt;
  return loosest;
}

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

bool is_as_written(const json& entry, bool value, FirefoxHold hold) {
  if (!entry.is_object() || entry.size() > 3) return false;
  if (entry.size() == 3 && entry.value("Type", json()) != "boolean") return false;
  return entry.value("Value", json()) == value && entry.value("Status", json()) == status_of(hold);
}

Result<std::optional<json>> preference_in(std::string_view file, std::string_view pref) {
  auto text = member_text(file, firefox_preferences_path(), pref);
  if (!text) return std::unexpected(text.error());
  const std::optional<std::string>& spelt = *text;
  return spelt ? parse_strict(*spelt) : std::nullopt;
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

std::string chromium_policy_file(const Browser& browser, Level level,
                                 const std::vector<SiteException>& sites) {
  std::vector<SiteException> entries = effective_sites(browser, level, sites);
  if (browser.needs_url_list) entries.push_back({"*", level});
  std::string text = "{\n  \"" + std::string(browser.level_key) + "\": \"" +
                     std::string(chromium_handling(level)) + "\"";
  if (!entries.empty()) text += ",\n  \"" + std::string(chromium_url_key) + "\": [";
  const char* separator = "\n";
  for (const SiteException& entry : entries) {
    text += separator;
    text += "    {\"url\": " + json(entry.pattern).dump() + ", \"handling\": \"" +
            std::string(chromium_handling(entry.level)) + "\"}";
    separator = ",\n";
  }
  return text + (entries.empty() ? "\n}\n" : "\n  ]\n}\n");
}

Result<std::string> firefox_policy_file(std::string_view original, Level level, FirefoxHold hold) {
  std::string text(original.empty() ? std::string_view("{}\n") : original);
  for (const FirefoxPref& pref : firefox_prefs(level)) {
    const FirefoxHold its_hold = hold_of(pref.pref, hold);
    const auto now = preference_in(text, pref.pref);
    if (!now) return std::unexpected(now.error());
    const std::optional<json>& entry = *now;
    if (entry && is_as_written(*entry, pref.value, its_hold)) continue;
    auto edited = with_member(text, firefox_preferences_path(), pref.pref,
                              firefox_pref_text(pref.value, its_hold));
    if (!edited) return std::unexpected(edited.error());
    text = std::move(*edited);
  }
  return text;
}

std::optional<Level> chromium_level_of(std::string_view level_value, std::string_view url_value,
                                       const std::vector<SiteException>& granted) {
  const auto level = parse_lenient(level_value);
  const auto urls = parse_lenient(url_value);
  return chromium_level_of(level.value_or(json()), urls.value_or(json()), false, granted);
}

std::vector<SiteException> granted_in(std::string_view url_value,
                                      const std::vector<SiteException>& granted) {
  std::map<std::string, Level> given;
  for (const UrlEntry& entry : url_entries(parse_lenient(url_value).value_or(json()))) {
    given.try_emplace(entry.url, entry.level.value_or(Level::unrestricted));
  }
  std::vector<SiteException> found;
  std::ranges::copy_if(granted, std::back_inserter(found), [&](const SiteException& site) {
    const auto entry = given.find(site.pattern);
    return entry != given.end() && entry->second <= site.level;
  });
  return found;
}

std::optional<WantedPolicy> chromium_policy(const Browser& browser, std::string_view file) {
  const auto parsed = parse_lenient(file);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const auto level = level_of_handling(parsed->value(std::string(browser.level_key), json()));
  if (!level) return std::nullopt;
  WantedPolicy policy(*level);
  for (UrlEntry& entry : url_entries(parsed->value(std::string(chromium_url_key), json::array()))) {
    if (entry.url == "*") break;
    policy.sites.push_back({std::move(entry.url), entry.level.value_or(Level::unrestricted)});
  }
  return policy;
}

std::optional<Level> chromium_level(const Browser& browser, std::string_view file) {
  const auto parsed = parse_lenient(file);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  return chromium_level_of(parsed->value(std::string(browser.level_key), json()),
                           parsed->value(std::string(chromium_url_key), json()), true);
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
