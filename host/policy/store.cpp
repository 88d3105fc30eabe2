// SPDX-License-Identifier: Apache-2.0
#include "policy/store.h"

#include <algorithm>
#include <utility>

#include "policy/in_force.h"
#include "policy/json_parse.h"
#include "policy/ledger.h"
#include "policy/render.h"
#include "policy/targets.h"
#include "policy/tree.h"

namespace icelock::policy {
namespace {

Result<std::optional<Level>> level_in_folder(const Tree& tree, const Browser& browser,
                                             const std::string& folder,
                                             const std::vector<SiteException>& granted) {
  if (!tree.is_open_to_all(folder)) return std::nullopt;
  auto files = TRY(read_policy_folder(tree, folder));
  const InForce view = chromium_in_force(browser, files);
  std::string level = view.value(browser.level_key);
  if (level.empty()) level = recommended_value(tree, browser, folder);
  return chromium_level_of(level, view.value(chromium_url_key), granted);
}

// Firefox uses its policies.json alone when there is one, however broken.
Result<std::optional<Level>> firefox_installed(const Tree& tree, const std::string& path) {
  if (!tree.is_open_to_all(parent_of(path))) return std::nullopt;
  auto file = TRY(tree.read(path));
  if (const std::optional<FileState>& state = file) {
    return state->is_open_to_all() ? firefox_level(state->bytes) : std::nullopt;
  }
  std::optional<Level> loosest;
  for (const NamedFile& other : firefox_distribution(tree)) {
    const auto level = firefox_level(other.bytes.value_or(""));
    if (!level) return std::nullopt;
    loosest = std::min(loosest.value_or(Level::disabled), *level);
  }
  return loosest;
}

// Those that set anything in this browser, in the order in which the last one wins.
Result<std::vector<NamedFile>> files_read(const Tree& tree, const Target& target) {
  const std::string folder = parent_of(target.path);
  if (!tree.is_open_to_all(folder)) return std::vector<NamedFile>();
  if (target.browser->family == BrowserFamily::chromium) return read_policy_folder(tree, folder);
  return std::vector<NamedFile>{{leaf_of(target.path), tree.read_as_browser(target.path)}};
}

std::vector<NotAsAsked> differences(const Browser& browser, const ExtensionInstall& asked,
                                    const ExtensionInForce& view) {
  const bool firefox = browser.family == BrowserFamily::firefox;
  std::vector<NotAsAsked> wrong;
  const auto hold = [&](const std::map<std::string, Setting>& there, const std::string& key,
                        const std::string& value) {
    const auto found = there.find(key);
    if (found != there.end() && found->second.value == value) return;
    const bool installs = &there == &view.install;
    const std::string place =
        installs ? std::string(extension_settings_key)
                 : std::string(third_party_key) + (firefox ? ".Extensions" : ".extensions");
    NotAsAsked each{.installs = installs,
                    .key = place + "." + asked.id + "." + key,
                    .asked = value,
                    .value = {},
                    .file = installs ? view.winner : std::string()};
    if (found != there.end()) {
      each.value = found->second.value;
      each.file = found->second.file;
    }
    wrong.push_back(std::move(each));
  };
  hold(view.install, "installation_mode", "\"force_installed\"");
  hold(view.install, firefox ? "install_url" : "update_url", nlohmann::json(asked.url).dump());
  const auto settings = parse_strict(asked.settings);
  if (!settings || !settings->is_object()) return wrong;
  for (const auto& [key, value] : settings->items()) hold(view.settings, key, value.dump());
  return wrong;
}

}  // namespace

Store::Store(std::filesystem::path root) : root_(std::move(root)) {}

Result<std::optional<Level>> Store::installed(const Browser& browser,
                                              const std::vector<SiteException>& granted) const {
  auto tree = TRY(Tree::open(root_));
  if (browser.family == BrowserFamily::firefox) {
    return firefox_installed(tree, std::string(browser.policy_path));
  }
  std::optional<Level> loosest;
  for (const Target& target : targets(browser)) {
    auto level = level_in_folder(tree, browser, parent_of(target.path), granted);
    if (!level || !*level) return level;
    loosest = std::min(loosest.value_or(Level::disabled), **level);
  }
  return loosest;
}

Result<std::vector<SiteException>> Store::sites_in_force(
    const Browser& browser, Level level, const std::vector<SiteException>& granted) const {
  std::vector<SiteException> in_force = effective_sites(browser, level, granted);
  auto tree = TRY(Tree::open(root_));
  for (const Target& target : targets(browser)) {
    if (in_force.empty()) break;
    auto files = TRY(read_policy_folder(tree, parent_of(target.path)));
    in_force = granted_in(chromium_in_force(browser, files).value(chromium_url_key), in_force);
  }
  return in_force;
}

Result<bool> Store::installs_extension(const Browser& browser) const {
  auto tree = TRY(Tree::open(root_));
  const auto ledger = TRY(read_ledger(tree));
  for (const Target& target : targets(browser)) {
    const LedgerFile* entry = ledger.find(target.path);
    if (entry == nullptr || entry->written.empty()) continue;
    const std::string before = bytes_of(entry->original).value_or("");
    if (extension_in(browser, entry->written.back()) != extension_in(browser, before)) return true;
  }
  return false;
}

Result<std::vector<NotAsAsked>> Store::extension_not_in_force(
    const Browser& browser, const ExtensionInstall& extension) const {
  auto tree = TRY(Tree::open(root_));
  std::vector<NotAsAsked> wrong;
  for (const Target& target : targets(browser)) {
    auto files = TRY(files_read(tree, target));
    const auto view = icelock::policy::extension_in_force(browser, files, extension.id);
    for (NotAsAsked& each : differences(browser, extension, view)) {
      if (!each.file.empty()) {
        each.file = tree.shown(parent_of(target.path) + "/" + each.file).string();
      }
      wrong.push_back(std::move(each));
    }
  }
  return wrong;
}

Result<std::optional<WantedPolicy>> Store::without_other_sites(
    const Browser& browser, const std::vector<SiteException>& granted) const {
  if (browser.family == BrowserFamily::firefox) return std::nullopt;
  auto tree = TRY(Tree::open(root_));
  for (const Target& target : targets(browser)) {
    const auto state = TRY(tree.read(target.path));
    if (!state || state->mtime_ns != service_mtime_ns) continue;
    const auto place = recommended_beside(target);
    if (!place) continue;
    const auto beside = tree.read(place->path).value_or(std::nullopt);
    auto own = chromium_policy(browser, state->bytes, bytes_of(beside).value_or(""));
    if (!own) continue;
    const auto taken_out = std::erase_if(own->sites, [&](const SiteException& site) {
      return std::none_of(granted.begin(), granted.end(), [&](const SiteException& grant) {
        return grant.pattern == site.pattern && grant.level <= site.level;
      });
    });
    if (taken_out > 0) return own;
  }
  return std::nullopt;
}

}  // namespace icelock::policy
