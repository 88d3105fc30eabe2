// SPDX-License-Identifier: Apache-2.0
#include "policy/in_force.h"

#include <algorithm>

#include "policy/json_parse.h"
#include "policy/render.h"

namespace icelock::policy {

namespace {

using nlohmann::json;

// Chromium takes several ids before one colon: "a,b".
bool names(std::string_view ids, std::string_view id) {
  for (std::size_t at = ids.find(id); at != ids.npos; at = ids.find(id, at + 1)) {
    const auto ends = [&](std::size_t end) {
      return end >= ids.size() || ids[end] == ',' || ids[end] == ' ';
    };
    if ((at == 0 || ends(at - 1)) && ends(at + id.size())) return true;
  }
  return false;
}

void take_members(const json& object, const std::string& file,
                  std::map<std::string, Setting>& into) {
  if (!object.is_object()) return;
  for (const auto& [key, value] : object.items()) into[key] = Setting{value.dump(), file};
}

json forced_entry(const json& list, std::string_view id) {
  json entry;
  for (const json& item : list) {
    const std::string text = item.is_string() ? item.get<std::string>() : std::string();
    const std::size_t end = std::min(text.find(';'), text.size());
    if (text.substr(0, end) != id) continue;
    entry = {{"installation_mode", "force_installed"},
             {"update_url", text.substr(std::min(end + 1, text.size()))}};
  }
  return entry;
}

}  // namespace

std::string InForce::value(std::string_view key) const {
  const auto found = settings.find(std::string(key));
  return found == settings.end() ? std::string() : found->second.value;
}

Result<std::vector<NamedFile>> read_policy_folder(const Tree& tree, std::string_view folder) {
  auto names = TRY(tree.names(folder));
  std::vector<NamedFile> files;
  for (std::string& name : names) {
    auto bytes = tree.read_as_browser(std::string(folder) + "/" + name);
    files.push_back({std::move(name), std::move(bytes)});
  }
  return files;
}

std::vector<NamedFile> with_file(std::vector<NamedFile> files, std::string_view name,
                                 const std::optional<std::string>& bytes) {
  std::erase_if(files, [&](const NamedFile& file) { return file.name == name; });
  if (!bytes) return files;
  const auto place = std::find_if(files.begin(), files.end(),
                                  [&](const NamedFile& file) { return file.name > name; });
  files.insert(place, NamedFile{std::string(name), bytes});
  return files;
}

InForce chromium_in_force(const Browser& browser, const std::vector<NamedFile>& files) {
  InForce result;
  for (const NamedFile& file : files) {
    const auto parsed = file.bytes ? parse_lenient(*file.bytes) : std::nullopt;
    if (!parsed || !parsed->is_object()) {
      result.ignored.push_back(file.name);
      continue;
    }
    for (const std::string_view key : {browser.level_key, chromium_url_key, local_ips_key,
                                       misspelt_key, extension_settings_key}) {
      const auto found = parsed->find(key);
      if (found == parsed->end()) continue;
      result.settings[std::string(key)] = Setting{found->dump(), file.name};
    }
  }
  return result;
}

std::string recommended_value(const Tree& tree, const Browser& browser, const std::string& folder) {
  const std::string recommended = parent_of(folder) + "/recommended";
  const auto files = read_policy_folder(tree, recommended);
  if (!files || !tree.is_open_to_all(recommended)) return {};
  const std::string value = chromium_in_force(browser, *files).value(browser.level_key);
  const auto level = chromium_level_of(value, {});
  if (!level || *level < Level::default_route_only) return {};
  return json(chromium_handling(Level::default_route_only)).dump();
}

ExtensionInForce extension_in_force(const Browser& browser, const std::vector<NamedFile>& files,
                                    std::string_view id) {
  const bool firefox = browser.family == BrowserFamily::firefox;
  ExtensionInForce result;
  std::map<std::string, Setting> forced;
  for (const NamedFile& file : files) {
    const std::string bytes = file.bytes.value_or("");
    const auto parsed = firefox ? parse_strict(bytes) : parse_lenient(bytes);
    if (!parsed || !parsed->is_object()) continue;
    const json& top = firefox ? member(*parsed, "policies") : *parsed;
    if (const json& list = member(top, "ExtensionInstallForcelist"); !firefox && list.is_array()) {
      forced.clear();
      take_members(forced_entry(list, id), file.name, forced);
    }
    if (const json& all = member(top, extension_settings_key); !all.is_null()) {
      result.install.clear();
      result.winner = file.name;
      for (const auto& [ids, entry] : all.items()) {
        if (names(ids, id)) take_members(entry, file.name, result.install);
      }
    }
    const json& extensions =
        member(member(top, third_party_key), firefox ? "Extensions" : "extensions");
    take_members(member(extensions, id), file.name, result.settings);
  }
  result.install.merge(forced);
  return result;
}

std::vector<NamedFile> firefox_distribution(const Tree& tree) {
  std::vector<NamedFile> found;
  for (const std::string_view path : firefox_distribution_files()) {
    if (auto bytes = tree.read_as_browser(path)) {
      found.push_back({std::string(path), std::move(bytes)});
    }
  }
  return found;
}

}  // namespace icelock::policy
