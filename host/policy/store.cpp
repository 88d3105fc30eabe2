// SPDX-License-Identifier: Apache-2.0
#include "policy/store.h"

#include <algorithm>
#include <utility>

#include "policy/in_force.h"
#include "policy/ledger.h"
#include "policy/render.h"
#include "policy/targets.h"
#include "policy/tree.h"

namespace icelock::policy {
namespace {

constexpr unsigned readable = 0444;  // a policy file that the browser's user cannot read fails open

Result<std::optional<Level>> level_in_folder(const Tree& tree, const Browser& browser,
                                             const std::string& folder,
                                             const std::vector<SiteException>& granted) {
  if (!tree.is_open_to_all(folder)) return std::nullopt;
  auto files = read_policy_folder(tree, folder);
  if (!files) return std::unexpected(files.error());
  const InForce view = chromium_in_force(browser, *files);
  return chromium_level_of(view.value(browser.level_key), view.value(chromium_url_key), granted);
}

// Firefox uses its policies.json alone when there is one, however broken.
Result<std::optional<Level>> firefox_installed(const Tree& tree, const std::string& path) {
  if (!tree.is_open_to_all(parent_of(path))) return std::nullopt;
  auto file = tree.read(path);
  if (!file) return std::unexpected(file.error());
  if (const std::optional<FileState>& state = *file) {
    const bool can_read = (state->mode & readable) == readable;
    return can_read ? firefox_level(state->bytes) : std::nullopt;
  }
  std::optional<Level> loosest;
  for (const NamedFile& other : firefox_distribution(tree)) {
    const auto level = firefox_level(other.bytes.value_or(""));
    if (!level) return std::nullopt;
    loosest = std::min(loosest.value_or(Level::disabled), *level);
  }
  return loosest;
}

}  // namespace

Store::Store(std::filesystem::path root) : root_(std::move(root)) {}

Result<std::optional<Level>> Store::installed(const Browser& browser,
                                              const std::vector<SiteException>& granted) const {
  auto tree = Tree::open(root_);
  if (!tree) return std::unexpected(tree.error());
  if (browser.family == BrowserFamily::firefox) {
    return firefox_installed(*tree, std::string(browser.policy_path));
  }
  std::optional<Level> loosest;
  for (const Target& target : targets(browser)) {
    auto level = level_in_folder(*tree, browser, parent_of(target.path), granted);
    if (!level || !*level) return level;
    loosest = std::min(loosest.value_or(Level::disabled), **level);
  }
  return loosest;
}

Result<std::vector<SiteException>> Store::sites_in_force(
    const Browser& browser, Level level, const std::vector<SiteException>& granted) const {
  std::vector<SiteException> in_force = effective_sites(browser, level, granted);
  auto tree = Tree::open(root_);
  if (!tree) return std::unexpected(tree.error());
  for (const Target& target : targets(browser)) {
    if (in_force.empty()) break;
    auto files = read_policy_folder(*tree, parent_of(target.path));
    if (!files) return std::unexpected(files.error());
    in_force = granted_in(chromium_in_force(browser, *files).value(chromium_url_key), in_force);
  }
  return in_force;
}

Result<bool> Store::installs_extension(const Browser& browser) const {
  auto tree = Tree::open(root_);
  if (!tree) return std::unexpected(tree.error());
  const auto ledger = read_ledger(*tree);
  if (!ledger) return std::unexpected(ledger.error());
  for (const Target& target : targets(browser)) {
    const LedgerFile* entry = ledger->find(target.path);
    if (entry == nullptr || entry->written.empty()) continue;
    const std::string before = bytes_of(entry->original).value_or("");
    if (extension_in(browser, entry->written.back()) != extension_in(browser, before)) return true;
  }
  return false;
}

Result<bool> Store::extension_in_force(const Browser& browser,
                                       const ExtensionInstall& extension) const {
  auto tree = Tree::open(root_);
  if (!tree) return std::unexpected(tree.error());
  for (const Target& target : targets(browser)) {
    if (browser.family == BrowserFamily::firefox) {
      const auto bytes = tree->read_as_browser(target.path);
      return bytes && extension_in(browser, *bytes).has_value();
    }
    auto files = read_policy_folder(*tree, parent_of(target.path));
    if (!files) return std::unexpected(files.error());
    const auto settings = chromium_in_force(browser, *files).value(extension_settings_key);
    if (!forces(settings, extension.id)) return false;
  }
  return true;
}

Result<std::optional<WantedPolicy>> Store::without_other_sites(
    const Browser& browser, const std::vector<SiteException>& granted) const {
  if (browser.family == BrowserFamily::firefox) return std::nullopt;
  auto tree = Tree::open(root_);
  if (!tree) return std::unexpected(tree.error());
  for (const Target& target : targets(browser)) {
    auto file = tree->read(target.path);
    if (!file) return std::unexpected(file.error());
    auto own = chromium_policy(browser, bytes_of(*file).value_or(""));
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
