// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "policy/export_parts.h"
#include "policy/render.h"

namespace icelock::policy {
namespace {

bool is_firefox_file(const std::string& path) {
  return std::ranges::any_of(browsers(), [&](const Browser& browser) {
    return browser.family == BrowserFamily::firefox && browser.policy_path == path;
  });
}

OrderedJson target_of(const ExportFile& file) {
  OrderedJson target = {{"path", "/" + file.path}, {"content", file.bytes}};
  if (is_firefox_file(file.path)) {
    target["merge"] = true;
    target["instead_of"] = OrderedJson::array();
    for (const std::string_view other : firefox_distribution_files()) {
      target["instead_of"].push_back("/" + std::string(other));
    }
    return target;
  }
  // A list of sites outranks the level wherever it stands.
  if (!OrderedJson::parse(file.bytes).contains(chromium_url_key)) {
    target["outranked_by"] = {chromium_url_key};
  }
  return target;
}

}  // namespace

Result<Export> export_ansible(const Rendering& rendering) {
  Export result{{}, rendering.tree_notes};
  result.notes.insert(result.notes.end(), rendering.notes.begin(), rendering.notes.end());
  for (const RoleFile& file : role_files) {
    result.files.push_back({std::string(file.path), std::string(file.bytes)});
  }
  OrderedJson list = OrderedJson::array();
  for (const ExportFile& file : rendering.tree) list.push_back(target_of(file));
  result.files.push_back({"files/policy.json", pretty({{"v", 1}, {"files", std::move(list)}})});
  std::ranges::sort(result.files, {}, &ExportFile::path);
  return result;
}

}  // namespace icelock::policy
