// SPDX-License-Identifier: Apache-2.0
#include "policy/store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "policy/fingerprint.h"
#include "policy/in_force.h"
#include "policy/ledger.h"
#include "policy/render.h"
#include "policy/targets.h"
#include "policy/tree.h"

namespace icelock::policy {
namespace {

constexpr unsigned readable = 0444;  // a policy file that the browser's user cannot read fails open

std::optional<std::string> bytes_of(const std::optional<FileState>& state) {
  return state ? std::optional(state->bytes) : std::nullopt;
}

Change::Kind kind_of(const std::optional<FileState>& before,
                     const std::optional<FileState>& after) {
  if (before == after) return Change::Kind::none;
  if (!before) return Change::Kind::create;
  return after ? Change::Kind::replace : Change::Kind::remove;
}

// Several browsers may read one file: it gets the strictest of the levels wanted for it, and the
// exceptions that all of them are to have.
WantedPolicy wanted_for(const Target& target, const Wanted& wanted,
                        std::vector<std::string>& notes) {
  WantedPolicy result = wanted.at(std::string(target.browser->id));
  for (const Target& other : targets_at(target.path)) {
    if (other.browser == target.browser) continue;
    const auto found = wanted.find(std::string(other.browser->id));
    notes.push_back(std::string(other.browser->name) + " reads the same file" +
                    (found == wanted.end() ? " and obeys it too" : ""));
    if (found == wanted.end()) continue;
    std::erase_if(result.sites, [&](const SiteException& site) {
      const auto& others = found->second.sites;
      return std::find(others.begin(), others.end(), site) == others.end();
    });
    if (found->second.level <= result.level) continue;
    result.level = found->second.level;
    notes.emplace_back("the file says what that browser is to have, ");
    notes.back() += name(result.level);
  }
  return result;
}

std::string url_list_in(const InForce& view) {
  const auto found = view.settings.find(std::string(chromium_url_key));
  return found == view.settings.end() ? std::string() : found->second.value;
}

// A list of icelock's own would take the place of another's as a whole, also where that one is the
// stricter.
Result<void> leave_out_sites(const Tree& tree, const Target& target, WantedPolicy& wanted,
                             std::vector<std::string>& notes) {
  if (wanted.sites.empty()) return {};
  if (target.browser->family == BrowserFamily::firefox) {
    notes.emplace_back("Firefox has no setting per site: the exceptions are left out");
  } else if (!target.browser->needs_url_list) {
    auto files = read_policy_folder(tree, parent_of(target.path));
    if (!files) return std::unexpected(files.error());
    const InForce others = chromium_in_force(
        *target.browser, with_file(std::move(*files), chromium_file_name, std::nullopt));
    if (url_list_in(others).empty()) return {};
    notes.emplace_back("the exceptions are left out: they would replace another file's " +
                       std::string(chromium_url_key));
  } else {
    return {};
  }
  wanted.sites.clear();
  return {};
}

void add_level_notes(const Browser& browser, Level level, std::vector<std::string>& notes) {
  if (level == Level::disabled && browser.family == BrowserFamily::chromium) {
    notes.push_back(std::string(browser.name) +
                    " has no policy that switches WebRTC off; the strictest that it has, " +
                    std::string(chromium_handling(level)) + ", is used");
  }
  if (level == Level::unrestricted) {
    notes.emplace_back(
        "a policy outranks the extension: while this one is installed, the extension cannot lock");
  }
}

// What a new policies.json starts from. Its mere existence switches the distribution's file off, so
// that one's policies are carried over.
std::string firefox_base(const Tree& tree, const std::optional<FileState>& before,
                         std::vector<std::string>& notes) {
  if (before) return before->bytes;
  for (const NamedFile& file : firefox_distribution(tree)) {
    const std::string bytes = file.bytes.value_or("");
    if (bytes.empty() || !firefox_policy_file(bytes, Level::unrestricted)) continue;
    notes.push_back("starts as a copy of " + tree.shown(file.name).string() +
                    ", whose policies Firefox would otherwise lose");
    return bytes;
  }
  return {};
}

// A file without a policy, to be replaced later: one that is new costs a running browser seconds.
constexpr std::string_view neutral_file = "{}\n";

bool is_service_file(const Browser& browser, const Upkeep& upkeep) {
  return upkeep.service && browser.family == BrowserFamily::chromium;
}

Result<Change> plan_target(const Tree& tree, const Target& target, const Wanted& wanted,
                           const Upkeep& upkeep) {
  Change change;
  const Browser& browser = *target.browser;
  change.browser = browser.id;
  change.path = tree.shown(target.path);
  auto read = tree.read(target.path);
  if (!read) return std::unexpected(read.error());
  const std::optional<FileState>& before = *read;
  WantedPolicy own = wanted_for(target, wanted, change.notes);
  if (auto done = leave_out_sites(tree, target, own, change.notes); !done) {
    return std::unexpected(done.error());
  }
  const Level level = own.level;
  Result<std::string> after = chromium_policy_file(browser, level, own.sites);
  if (browser.family == BrowserFamily::firefox) {
    // The extension must be able to tighten when the network changes under a running Firefox.
    const bool yields = upkeep.service && level == Level::default_route_only;
    after = firefox_policy_file(firefox_base(tree, before, change.notes), level,
                                yields ? FirefoxHold::as_default : FirefoxHold::locked);
  }
  if (!after) return at_file(after.error(), change.path.string());
  const bool service_file = is_service_file(browser, upkeep);
  if (service_file && level == Level::unrestricted) *after = neutral_file;
  change.before = before ? before->bytes : std::string();
  change.after = *after;
  if (!before) {
    change.kind = Change::Kind::create;
  } else if (change.before != change.after) {
    change.kind = Change::Kind::replace;
  } else if ((before->mode & readable) != readable) {
    change.kind = Change::Kind::replace;
    change.notes.emplace_back("the file is made readable for everybody, or the browser ignores it");
  } else if (service_file && (upkeep.again || before->mtime_ns != service_mtime_ns)) {
    change.kind = Change::Kind::replace;
  }
  add_level_notes(browser, level, change.notes);
  if (auto done = describe(tree, target, bytes_of(before), change.after, change); !done) {
    return std::unexpected(done.error());
  }
  return change;
}

Result<Change> plan_restoration(const Tree& tree, const LedgerFile& file) {
  auto restored = restoration(tree, file);
  if (!restored) return std::unexpected(restored.error());
  const Target target = targets_at(file.path).front();
  Change change;
  change.browser = target.browser->id;
  change.path = tree.shown(file.path);
  change.kind = kind_of(restored->now, restored->then);
  change.before = bytes_of(restored->now).value_or("");
  change.after = bytes_of(restored->then).value_or("");
  change.notes = std::move(restored->notes);
  if (auto done = describe(tree, target, bytes_of(restored->now), bytes_of(restored->then), change);
      !done) {
    return std::unexpected(done.error());
  }
  return change;
}

Result<std::vector<const Browser*>> known_browsers(const std::vector<std::string>& ids) {
  std::vector<const Browser*> found;
  for (const std::string& id : ids) {
    found.push_back(find_browser(id));
    if (found.back() == nullptr) return fail(Code::not_found, "no such browser", id);
  }
  return found;
}

bool reads(const std::vector<const Browser*>& readers, std::string_view path) {
  if (readers.empty()) return true;
  const auto all = targets_at(path);
  return std::any_of(all.begin(), all.end(), [&](const Target& target) {
    return std::find(readers.begin(), readers.end(), target.browser) != readers.end();
  });
}

Result<std::optional<Level>> level_in_folder(const Tree& tree, const Browser& browser,
                                             const std::string& folder,
                                             const std::vector<SiteException>& granted) {
  if (!tree.is_open_to_all(folder)) return std::nullopt;
  auto files = read_policy_folder(tree, folder);
  if (!files) return std::unexpected(files.error());
  const InForce view = chromium_in_force(browser, *files);
  const auto level = view.settings.find(std::string(browser.level_key));
  return chromium_level_of(level == view.settings.end() ? std::string() : level->second.value,
                           url_list_in(view), granted);
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

bool Plan::pending() const {
  return std::any_of(changes.begin(), changes.end(),
                     [](const Change& change) { return change.kind != Change::Kind::none; });
}

std::string Plan::fingerprint() const {
  Fingerprint hash;
  for (const Change& change : changes) {
    if (change.kind == Change::Kind::none) continue;
    hash.add(change.path.string()).add(std::to_string(static_cast<int>(change.kind)));
    hash.add(change.before).add(change.after);
  }
  return hash.digits();
}

Store::Store(std::filesystem::path root) : root_(std::move(root)) {}

Result<Plan> Store::plan(const Wanted& wanted, Upkeep upkeep) const {
  auto tree = Tree::open(root_);
  if (!tree) return std::unexpected(tree.error());
  Plan plan{.upkeep = upkeep, .changes = {}};
  std::set<std::string> planned;
  for (const auto& [id, wish] : wanted) {
    const Browser* browser = find_browser(id);
    if (browser == nullptr) return fail(Code::not_found, "no such browser", id);
    for (const Target& target : targets(*browser)) {
      auto change = plan_target(*tree, target, wanted, upkeep);
      if (!change) return std::unexpected(change.error());
      // The file is one: whoever comes first in the plan carries its change.
      if (!planned.insert(target.path).second) change->kind = Change::Kind::none;
      plan.changes.push_back(std::move(*change));
    }
  }
  return plan;
}

Result<Plan> Store::plan_revert(const std::vector<std::string>& browser_ids) const {
  auto readers = known_browsers(browser_ids);
  if (!readers) return std::unexpected(readers.error());
  auto tree = Tree::open(root_);
  if (!tree) return std::unexpected(tree.error());
  auto ledger = read_ledger(*tree);
  if (!ledger) return std::unexpected(ledger.error());
  Plan plan;
  for (const LedgerFile& file : ledger->files) {
    if (!reads(*readers, file.path)) continue;
    auto change = plan_restoration(*tree, file);
    if (!change) return std::unexpected(change.error());
    for (const Target& target : targets_at(file.path)) {
      const std::string id(target.browser->id);
      if (id == change->browser) continue;
      change->notes.push_back(std::string(target.browser->name) + " reads the same file");
    }
    plan.changes.push_back(std::move(*change));
  }
  return plan;
}

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
    in_force = granted_in(url_list_in(chromium_in_force(browser, *files)), in_force);
  }
  return in_force;
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
