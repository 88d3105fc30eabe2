// SPDX-License-Identifier: Apache-2.0
// What the policies of the Chromium family, and of extensions, say.
#include <algorithm>
#include <map>

#include "policy/json_parse.h"
#include "policy/render.h"

namespace icelock::policy {
namespace {

using nlohmann::json;

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

}  // namespace

// An unknown word is unrestricted, which is how Chromium takes it.
std::optional<Level> chromium_level_of(std::string_view level_value, std::string_view url_value,
                                       const std::vector<SiteException>& granted) {
  std::map<std::string_view, Level> grants;
  for (const SiteException& site : granted) {
    const auto [place, fresh] = grants.try_emplace(site.pattern, site.level);
    place->second = std::min(place->second, site.level);
  }
  const json base = parse_lenient(level_value).value_or(json());
  std::vector<UrlEntry> entries = url_entries(parse_lenient(url_value).value_or(json()));
  const bool catches_all = !entries.empty() && entries.back().url == "*";
  const bool has_base = catches_all || base.is_string();
  if (!catches_all && has_base) entries.push_back({"*", level_of_handling(base)});
  Level loosest = Level::disabled;
  for (const UrlEntry& entry : entries) {
    const Level level = entry.level.value_or(Level::unrestricted);
    const auto grant = grants.find(entry.url);
    if (grant == grants.end() || level < grant->second) loosest = std::min(loosest, level);
  }
  // Nothing is said about most pages: no level, unless what is said about some of them loosens
  // these.
  if (!has_base && loosest >= Level::force_proxy) return std::nullopt;
  return loosest;
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

std::optional<WantedPolicy> chromium_policy(const Browser& browser, std::string_view file,
                                            std::string_view recommended) {
  const json own = parse_lenient(file).value_or(json());
  const json beside = parse_lenient(recommended).value_or(json());
  const json& stated = member(own, browser.level_key);
  const auto level =
      level_of_handling(stated.is_null() ? member(beside, browser.level_key) : stated);
  if (!level) return std::nullopt;
  WantedPolicy policy(*level);
  for (UrlEntry& entry : url_entries(member(own, chromium_url_key))) {
    if (entry.url == "*") break;
    policy.sites.push_back({std::move(entry.url), entry.level.value_or(Level::unrestricted)});
  }
  return policy;
}

std::optional<ExtensionInstall> extension_in(const Browser& browser, std::string_view file) {
  const auto parsed = parse_lenient(file);
  if (!parsed) return std::nullopt;
  const bool firefox = browser.family == BrowserFamily::firefox;
  const json& top = firefox ? member(*parsed, "policies") : *parsed;
  const json& settings =
      member(member(top, third_party_key), firefox ? "Extensions" : "extensions");
  ExtensionInstall found{.id = {}, .url = {}, .settings = "{}", .beside = {}};
  if (firefox) {
    found.id = firefox_extension_id;
  } else if (settings.is_object() && settings.size() == 1) {
    found.id = settings.begin().key();  // chromium_entries() states them always, to be known by it
  }
  const json& entry = member(member(top, extension_settings_key), found.id);
  const json& url = member(entry, firefox ? "install_url" : "update_url");
  if (member(entry, "installation_mode") != "force_installed" || !url.is_string()) {
    return std::nullopt;
  }
  found.url = url.get<std::string>();
  if (const json& own = member(settings, found.id); own.is_object()) found.settings = own.dump();
  return found;
}

}  // namespace icelock::policy
