// SPDX-License-Identifier: Apache-2.0
#include "guard/settings_document.h"

#include <algorithm>
#include <array>
#include <utility>

#include "guard/settings_file.h"

namespace icelock::guard {
namespace {

// The schema has checked the words.
Level level_of(const nlohmann::ordered_json& word) {
  return parse_level(word.get<std::string>()).value_or(Level::disabled);
}

// Where each field of the document that is about the guard stands in the settings file.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> settings_keys = {
    {{"floor", "floor"}, {"hold", "hold_seconds"}, {"modes", "modes"}, {"protected", "protected"}}};

Result<void> add_site(PolicyDocument& document, const std::string& spelt, Level level) {
  auto pattern = TRY(policy::normal_pattern(spelt));
  document.sites.push_back({std::move(pattern), level});
  return {};
}

Result<void> add_preset(PolicyDocument& document, const std::string& preset) {
  const auto services = nlohmann::json::parse(call_sites).at("services");
  std::string names;
  for (const auto& service : services) {
    const auto name = service.at("name").get<std::string>();
    names += (names.empty() ? "" : ", ") + name;
    if (name != preset) continue;
    for (const auto& pattern : service.at("patterns")) {
      if (auto done = add_site(document, pattern.get<std::string>(), Level::default_route_only);
          !done) {
        return done;
      }
    }
    return {};
  }
  return fail(Code::bad_settings, "\"presets\": \"" + preset + "\" is none of " + names);
}

// The service would hold exceptions of its own to the floor; a document that contradicts itself is
// not for anybody to guess at.
std::optional<std::string_view> contradiction(const PolicyDocument& document,
                                              const nlohmann::ordered_json& object) {
  const auto none = nlohmann::ordered_json::object();
  const auto told = object.value("extension", none).value("settings", none);
  if (object.contains("floor")) {
    const Level floor = level_of(object.at("floor"));
    if (goes_below(document, floor)) return "a level, a browser or a site is looser than \"floor\"";
    if (told.contains("floor") && level_of(told.at("floor")) < floor) {
      return "the \"floor\" of the extension's settings is looser than \"floor\"";
    }
  }
  if (object.contains("modes") && told.contains("mode")) {
    const auto& modes = object.at("modes");
    if (std::ranges::find(modes, told.at("mode")) == modes.end()) {
      return "the \"mode\" of the extension's settings is none of \"modes\"";
    }
  }
  return std::nullopt;
}

void take_extension(PolicyDocument& document, const nlohmann::ordered_json& extension) {
  const std::string settings = extension.value("settings", nlohmann::ordered_json::object()).dump();
  if (extension.contains("chromium")) {
    const auto& wish = extension.at("chromium");
    const std::string id = wish.value("id", std::string(policy::chromium_extension_id));
    document.extension[BrowserFamily::chromium] = {.id = id,
                                                   .url = wish.at("updateUrl").get<std::string>(),
                                                   .settings = settings,
                                                   .beside = {}};
    // Or icelock-host would not talk to it.
    if (id != policy::chromium_extension_id) {
      document.settings["extensions"] = nlohmann::json::array({id}).dump();
    }
  }
  if (extension.contains("firefox")) {
    document.extension[BrowserFamily::firefox] = {
        .id = std::string(policy::firefox_extension_id),
        .url = extension.at("firefox").at("installUrl").get<std::string>(),
        .settings = settings,
        .beside = {}};
  }
}

Result<PolicyDocument> document_of(const nlohmann::ordered_json& object,
                                   const std::filesystem::path& path) {
  PolicyDocument document;
  document.text = object.dump();
  if (object.contains("level")) document.level = level_of(object.at("level"));
  if (object.contains("browsers")) {
    for (const auto& [id, level] : object.at("browsers").items()) {
      document.browsers[id] = level_of(level);
    }
  }
  for (const auto& site : object.value("sites", nlohmann::ordered_json::array())) {
    const bool said = site.contains("level");
    const Level level = said ? level_of(site.at("level")) : Level::default_route_only;
    TRY(add_site(document, site.at("pattern").get<std::string>(), level));
  }
  for (const auto& preset : object.value("presets", nlohmann::ordered_json::array())) {
    if (auto done = add_preset(document, preset.get<std::string>()); !done) {
      return fail(Code::bad_settings, done.error().what, path.string() + ":1");
    }
  }
  for (const auto& [field, key] : settings_keys) {
    if (object.contains(field)) document.settings[std::string(key)] = object.at(field).dump();
  }
  if (const auto wrong = contradiction(document, object)) {
    return fail(Code::bad_settings, std::string(*wrong), path.string() + ":1");
  }
  document.private_windows = object.contains("privateWindows");
  if (object.contains("extension")) take_extension(document, object.at("extension"));
  return document;
}

}  // namespace

bool goes_below(const PolicyDocument& document, Level floor) {
  const auto looser = [&](Level level) { return level < floor; };
  return (document.level && looser(*document.level)) ||
         std::ranges::any_of(document.browsers,
                             [&](const auto& one) { return looser(one.second); }) ||
         std::ranges::any_of(document.sites, looser, &policy::SiteException::level);
}

policy::Wanted PolicyDocument::wanted(const std::vector<const policy::Browser*>& some) const {
  policy::Wanted result;
  for (const policy::Browser* browser : some) {
    const std::string id(browser->id);
    const bool firefox = browser->family == BrowserFamily::firefox;
    const auto own = browsers.find(id);
    const auto its_level = own != browsers.end() ? std::optional(own->second) : level;
    const auto install = extension.find(browser->family);
    if (!its_level && install == extension.end() && !(firefox && private_windows)) continue;
    policy::WantedPolicy& wish = result[id];
    wish.level = its_level;
    if (its_level) wish.sites = sites;
    wish.private_windows = private_windows;
    if (install != extension.end()) wish.extension = install->second;
  }
  return result;
}

Result<PolicyDocument> load_policy_document(const std::filesystem::path& path) {
  std::error_code problem;
  if (!std::filesystem::exists(path, problem)) {
    return fail(Code::not_found, "no such policy document", path.string());
  }
  const auto object = TRY(read_settings_file(path, policy_schema));
  return document_of(object, path);
}

Result<PolicyDocument> parse_policy_document(const std::string& text,
                                             const std::filesystem::path& path) {
  const auto object = TRY(parse_settings(text, policy_schema, path));
  return document_of(object, path);
}

}  // namespace icelock::guard
