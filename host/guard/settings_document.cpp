// SPDX-License-Identifier: Apache-2.0
#include "guard/settings_document.h"

#include "guard/settings_file.h"

namespace icelock::guard {
namespace {

// The schema has checked the words.
Level level_of(const nlohmann::ordered_json& word) {
  return parse_level(word.get<std::string>()).value_or(Level::disabled);
}

}  // namespace

policy::Wanted PolicyDocument::wanted(const std::vector<const policy::Browser*>& some) const {
  policy::Wanted result;
  for (const policy::Browser* browser : some) {
    const std::string id(browser->id);
    const auto own = browsers.find(id);
    if (own != browsers.end()) {
      result[id] = {own->second, sites};
    } else if (level) {
      result[id] = {*level, sites};
    }
  }
  return result;
}

Result<PolicyDocument> load_policy_document(const std::filesystem::path& path) {
  std::error_code problem;
  if (!std::filesystem::exists(path, problem)) {
    return fail(Code::not_found, "no such policy document", path.string());
  }
  const auto object = read_settings_file(path, policy_schema);
  if (!object) return std::unexpected(object.error());
  PolicyDocument document;
  if (object->contains("level")) document.level = level_of(object->at("level"));
  if (object->contains("browsers")) {
    for (const auto& [id, level] : object->at("browsers").items()) {
      document.browsers[id] = level_of(level);
    }
  }
  for (const auto& site : object->value("sites", nlohmann::ordered_json::array())) {
    auto pattern = policy::normal_pattern(site.at("pattern").get<std::string>());
    if (!pattern) return std::unexpected(pattern.error());
    const bool said = site.contains("level");
    document.sites.push_back(
        {std::move(*pattern), said ? level_of(site.at("level")) : Level::default_route_only});
  }
  return document;
}

}  // namespace icelock::guard
