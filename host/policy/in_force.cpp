// SPDX-License-Identifier: Apache-2.0
#include "policy/in_force.h"

#include <algorithm>

#include "policy/json_parse.h"
#include "policy/render.h"

namespace icelock::policy {

std::string InForce::value(std::string_view key) const {
  const auto found = settings.find(std::string(key));
  return found == settings.end() ? std::string() : found->second.value;
}

Result<std::vector<NamedFile>> read_policy_folder(const Tree& tree, std::string_view folder) {
  auto names = tree.names(folder);
  if (!names) return std::unexpected(names.error());
  std::vector<NamedFile> files;
  for (std::string& name : *names) {
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
