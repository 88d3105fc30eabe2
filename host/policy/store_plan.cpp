// SPDX-License-Identifier: Apache-2.0
#include "policy/store.h"

#include <algorithm>
#include <cstdlib>
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
    if (!result.extension) result.extension = found->second.extension;
    const auto& others_level = found->second.level;
    if (!others_level) continue;
    if (!result.level) result.sites = found->second.sites;
    const auto taken = std::erase_if(result.sites, [&](const SiteException& site) {
      const auto& others = found->second.sites;
      return std::find(others.begin(), others.end(), site) == others.end();
    });
    if (taken > 0) {
      notes.push_back("exceptions are left out that " + std::string(other.browser->name) +
                      ", which reads the same file, is not to have");
    }
    const bool stricter = *others_level > result.at_least();
    result.level = std::max(result.at_least(), *others_level);
    if (!stricter) continue;
    notes.emplace_back("the file says what that browser is to have, ");
    notes.back() += name(*others_level);
  }
  return result;
}

// What the files of others set together in a browser of the Chromium family.
Result<InForce> others_view(const Tree& tree, const Target& target) {
  auto files = TRY(read_policy_folder(tree, parent_of(target.path)));
  return chromium_in_force(*target.browser,
                           with_file(std::move(files), chromium_file_name, std::nullopt));
}

// A list of icelock's own would take the place of another's as a whole, also where that one is the
// stricter.
Result<void> leave_out_sites(const Tree& tree, const Target& target, WantedPolicy& wanted,
                             std::vector<std::string>& notes) {
  if (wanted.sites.empty()) return {};
  if (target.browser->family == BrowserFamily::firefox) {
    notes.emplace_back("Firefox has no setting per site: the exceptions are left out");
  } else if (!target.browser->needs_url_list) {
    const auto others = TRY(others_view(tree, target));
    if (others.value(chromium_url_key).empty()) return {};
    notes.emplace_back("the exceptions are left out: they would replace another file's " +
                       std::string(chromium_url_key));
  } else {
    return {};
  }
  wanted.sites.clear();
  return {};
}

// What dpkg says is installed; running the browser to ask would be dearer, and root must not.
std::optional<std::string> package_version(const Tree& tree, std::string_view package) {
  if (package.empty()) return std::nullopt;
  const auto file = tree.read("var/lib/dpkg/status");
  if (!file) return std::nullopt;
  const std::optional<FileState>& found = *file;
  if (!found) return std::nullopt;
  const std::string& text = found->bytes;
  const std::size_t start = text.find("Package: " + std::string(package) + "\nStatus: install ok ");
  if (start == text.npos || (start > 0 && text[start - 1] != '\n')) return std::nullopt;
  const std::string_view entry =
      std::string_view(text).substr(start, text.find("\n\n", start) - start);
  constexpr std::string_view mark = "\nVersion: ";
  const std::size_t version = entry.find(mark);
  if (version == entry.npos) return std::nullopt;
  const std::string_view rest = entry.substr(version + mark.size());
  return std::string(rest.substr(0, rest.find_first_of("-\n")));
}

void add_sites_note(const Tree& tree, const Browser& browser, const WantedPolicy& wanted,
                    std::vector<std::string>& notes) {
  if (effective_sites(browser, wanted.at_least(), wanted.sites).empty()) return;
  const std::string since = std::to_string(browser.sites_since);
  const std::string engine = browser.needs_url_list ? "Edge " : "Chromium ";
  std::string note = "exceptions for sites need " + engine + since;
  if (const auto version = package_version(tree, browser.package)) {
    const bool too_old = std::atoi(version->c_str()) < browser.sites_since;
    note += too_old ? ": " + *version + " is installed, which is too old and ignores them"
                    : "; " + *version + " is installed";
  } else {
    note += "; older ones ignore them, and the sites get the level of all others";
  }
  notes.push_back(std::move(note));
}

void add_level_notes(const Browser& browser, const WantedPolicy& wanted,
                     std::vector<std::string>& notes) {
  if (wanted.level == Level::disabled && browser.family == BrowserFamily::chromium) {
    notes.push_back(std::string(browser.name) +
                    " has no policy that switches WebRTC off; the strictest that it has, " +
                    std::string(chromium_handling(Level::disabled)) + ", is used");
  }
  if (wanted.private_windows && browser.family == BrowserFamily::chromium) {
    notes.push_back(std::string(browser.name) +
                    " has no policy for private windows alone: they get the level of all windows");
  }
  if (wanted.level == Level::unrestricted) {
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

bool is_service_file(const Browser& browser, const Upkeep& upkeep) {
  return upkeep.service && browser.family == BrowserFamily::chromium;
}

// Whether the extension is to be able to tighten default_route_only: see Upkeep. Of browsers that
// share the file one that has the extension is enough. Not where somebody else's word would then
// count for more than icelock's.
bool leaves_to_extension(const Tree& tree, const Target& target,
                         const std::optional<FileState>& recommended, const Upkeep& upkeep) {
  const Browser& browser = *target.browser;
  if (!is_service_file(browser, upkeep) || !upkeep.recommended) return false;
  const auto readers = targets_at(target.path);
  const bool reports = std::ranges::any_of(readers, [&](const Target& reader) {
    return upkeep.reporting.contains(std::string(reader.browser->id));
  });
  if (!reports && (!recommended || browser.needs_url_list)) return false;
  const auto others = others_view(tree, target);
  if (!others || !others->value(browser.level_key).empty()) return false;
  const std::string folder = target.stage_folder + "/recommended";
  const auto beside = read_policy_folder(tree, folder);
  if (!beside || !tree.is_open_to_all(folder)) return false;
  const std::string ours = chromium_recommended_file(browser, true);
  const InForce view = chromium_in_force(browser, with_file(*beside, chromium_file_name, ours));
  const auto winner = view.settings.find(std::string(browser.level_key));
  return winner != view.settings.end() && winner->second.file == chromium_file_name;
}

// The extension, once applied, stays through what the service writes: without the policy browsers
// would uninstall it.
Result<void> settle_extension(const Tree& tree, const Target& target,
                              const std::optional<FileState>& before, const Upkeep& upkeep,
                              WantedPolicy& wanted) {
  if (upkeep.service && !wanted.extension && before) {
    wanted.extension = extension_in(*target.browser, before->bytes);
  }
  if (!wanted.extension || target.browser->family == BrowserFamily::firefox) return {};
  const auto others = TRY(others_view(tree, target));
  wanted.extension->beside = others.value(extension_settings_key);
  return {};
}

// A file that others write too, with `entries` set and what icelock no longer wants put back.
Result<std::string> edited_file(const Target& target, const Result<Ledger>& ledger,
                                std::string text, const std::vector<PolicyEntry>& entries,
                                std::vector<std::string>& notes) {
  const LedgerFile* written = ledger ? ledger->find(target.path) : nullptr;
  if (!ledger && has_other_keys(*target.browser, text, entries)) {
    notes.push_back("cannot tell what icelock wrote here before: " + to_string(ledger.error()));
  } else if (written != nullptr && !text.empty()) {
    text = TRY(without_stale_keys(*written, *target.browser, std::move(text), entries));
  }
  return with_entries(text, entries);
}

Result<std::string> new_content(const Tree& tree, const Target& target,
                                const std::optional<FileState>& before,
                                const Result<Ledger>& ledger, const Upkeep& upkeep, bool leaves,
                                WantedPolicy& own, std::vector<std::string>& notes) {
  const Browser& browser = *target.browser;
  if (browser.id == settings_id) {
    return edited_file(target, ledger, bytes_of(before).value_or(""), policy_entries(browser, own),
                       notes);
  }
  TRY(settle_extension(tree, target, before, upkeep, own));
  if (browser.family == BrowserFamily::firefox) {
    // The extension must be able to tighten when the network changes under a running Firefox.
    const bool yields = upkeep.service && own.level == Level::default_route_only;
    const auto entries =
        policy_entries(browser, own, yields ? FirefoxHold::as_default : FirefoxHold::locked);
    return edited_file(target, ledger, firefox_base(tree, before, notes), entries, notes);
  }
  // A file without a policy rather than none: one that is new costs a running browser seconds.
  if (is_service_file(browser, upkeep) && own.level == Level::unrestricted) own.level.reset();
  return chromium_policy_file(browser, own, !leaves || own.level != Level::default_route_only);
}

void set_kind(const Target& target, const std::optional<FileState>& before, const Upkeep& upkeep,
              Change& change) {
  change.kind = before ? Change::Kind::none : Change::Kind::create;
  if (!before) return;
  const bool same = change.before == change.after;
  const bool closed = !before->is_open_to_all();
  const bool untimely = is_service_file(*target.browser, upkeep) &&
                        (upkeep.again || before->mtime_ns != service_mtime_ns);
  if (!same || closed || untimely) change.kind = Change::Kind::replace;
  if (same && closed) {
    change.notes.emplace_back("the file is made readable for everybody, or it has no effect");
  }
}

// It says default_route_only at all stricter levels too, so that one file alone changes when a lock
// begins or ends. Without anything to say there is none, unless icelock's is there.
Result<std::optional<Change>> plan_recommended(const Tree& tree, const Target& target, Level level,
                                               const std::optional<FileState>& before, bool leaves,
                                               const Upkeep& upkeep) {
  if (!before && !leaves) return std::nullopt;
  Change change;
  change.browser = target.browser->id;
  change.path = tree.shown(target.path);
  change.before = bytes_of(before).value_or("");
  change.after =
      chromium_recommended_file(*target.browser, leaves && level >= Level::default_route_only);
  set_kind(target, before, upkeep, change);
  TRY(describe(tree, target, bytes_of(before), change.after, change));
  return change;
}

// What this file is to be, and the one in recommended/ beside it. Whichever is stricter then comes
// first: between the two the browser is never without either.
Result<std::vector<Change>> plan_target(const Tree& tree, const Target& target,
                                        const Wanted& wanted, const Result<Ledger>& ledger,
                                        const Upkeep& upkeep) {
  Change change;
  const Browser& browser = *target.browser;
  change.browser = browser.id;
  change.path = tree.shown(target.path);
  const auto before = TRY(tree.read(target.path));
  const auto beside = upkeep.recommended ? recommended_beside(target) : std::nullopt;
  // What cannot be read there is nobody's but its owner's, and keeps no lock away.
  const Result<std::optional<FileState>> there =
      beside ? tree.read(beside->path) : std::optional<FileState>();
  const auto recommended = there.value_or(std::nullopt);
  const bool leaves = there && leaves_to_extension(tree, target, recommended, upkeep);
  WantedPolicy own = wanted_for(target, wanted, change.notes);
  TRY(leave_out_sites(tree, target, own, change.notes));
  add_level_notes(browser, own, change.notes);
  add_sites_note(tree, browser, own, change.notes);
  auto after = new_content(tree, target, before, ledger, upkeep, leaves, own, change.notes);
  if (!after) return at_file(after.error(), change.path.string());
  change.before = bytes_of(before).value_or("");
  change.after = std::move(*after);
  set_kind(target, before, upkeep, change);
  TRY(describe(tree, target, bytes_of(before), change.after, change));
  std::vector<Change> changes{std::move(change)};
  if (!beside || !there) return changes;
  const Level level = own.at_least();
  auto softer = TRY(plan_recommended(tree, *beside, level, recommended, leaves, upkeep));
  if (!softer) return changes;
  const bool mandatory = level > Level::default_route_only || !leaves;
  changes.insert(mandatory ? changes.end() : changes.begin(), std::move(*softer));
  return changes;
}

Result<Change> plan_restoration(const Tree& tree, const LedgerFile& file) {
  auto restored = TRY(restoration(tree, file));
  const Target target = targets_at(file.path).front();
  Change change;
  change.browser = target.browser->id;
  change.path = tree.shown(file.path);
  change.kind = kind_of(restored.now, restored.then);
  change.before = bytes_of(restored.now).value_or("");
  change.after = bytes_of(restored.then).value_or("");
  change.notes = std::move(restored.notes);
  TRY(describe(tree, target, bytes_of(restored.now), bytes_of(restored.then), change));
  return change;
}

Result<std::vector<const Browser*>> known_browsers(const std::vector<std::string>& ids) {
  std::vector<const Browser*> found;
  for (const std::string& id : ids) {
    found.push_back(find_target_browser(id));
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

Result<Plan> Store::plan(const Wanted& wanted, const Upkeep& upkeep) const {
  const auto tree = TRY(Tree::open(root_));
  return plan_on(tree, wanted, upkeep);
}

Result<Plan> plan_on(const Tree& tree, const Wanted& wanted, const Upkeep& upkeep) {
  Plan plan{.upkeep = upkeep, .changes = {}};
  const auto ledger = read_ledger(tree);
  std::set<std::filesystem::path> planned;
  for (const auto& [id, wish] : wanted) {
    const Browser* browser = find_target_browser(id);
    if (browser == nullptr) return fail(Code::not_found, "no such browser", id);
    for (const Target& target : targets(*browser)) {
      auto changes = TRY(plan_target(tree, target, wanted, ledger, upkeep));
      for (Change& change : changes) {
        // The file is one: whoever comes first in the plan carries its change.
        if (!planned.insert(change.path).second) change.kind = Change::Kind::none;
        plan.changes.push_back(std::move(change));
      }
    }
  }
  return plan;
}

Result<void> Store::add_left_out(Wanted& wanted, bool settings_only) const {
  auto tree = TRY(Tree::open(root_));
  const auto ledger = TRY(read_ledger(tree));
  for (const LedgerFile& file : ledger.files) {
    const auto readers = targets_at(file.path);
    if (readers.empty()) continue;  // revert says what it thinks of such a ledger
    const bool named = std::ranges::any_of(readers, [&](const Target& target) {
      return wanted.contains(std::string(target.browser->id));
    });
    const std::string id(readers.front().browser->id);
    if (named || (settings_only && id != settings_id)) continue;
    wanted.emplace(id, WantedPolicy());
  }
  return {};
}

Result<Plan> Store::plan_revert(const std::vector<std::string>& browser_ids) const {
  auto readers = TRY(known_browsers(browser_ids));
  auto tree = TRY(Tree::open(root_));
  auto ledger = TRY(read_ledger(tree));
  Plan plan;
  for (const LedgerFile& file : ledger.files) {
    if (!reads(readers, file.path)) continue;
    auto change = TRY(plan_restoration(tree, file));
    for (const Target& target : targets_at(file.path)) {
      const std::string id(target.browser->id);
      if (id == change.browser) continue;
      change.notes.push_back(std::string(target.browser->name) + " reads the same file");
    }
    plan.changes.push_back(std::move(change));
  }
  return plan;
}

}  // namespace icelock::policy
