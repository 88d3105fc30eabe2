// SPDX-License-Identifier: Apache-2.0
#include "policy/audit.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "policy/audit_rules.h"
#include "policy/history.h"
#include "policy/json_parse.h"
#include "policy/manifest.h"
#include "policy/render.h"
#include "policy/targets.h"

namespace icelock::policy {
namespace {

struct Sandbox {
  std::string_view browser;
  std::string_view place;
  std::string_view reads;
};

// Flathub's application ids; snap names as in the store.
constexpr std::array sandboxes = {
    Sandbox{"chrome", "var/lib/flatpak/app/com.google.Chrome", "a flatpak extension's policies"},
    Sandbox{"chromium", "var/lib/flatpak/app/org.chromium.Chromium",
            "the flatpak extension point org.chromium.Chromium.Extension"},
    Sandbox{"chromium", "snap/chromium", "what snapd lets through of /etc"},
    Sandbox{"edge", "var/lib/flatpak/app/com.microsoft.Edge", "a flatpak extension's policies"},
    Sandbox{"brave", "var/lib/flatpak/app/com.brave.Browser", "a flatpak extension's policies"},
    Sandbox{"brave", "snap/brave", "what snapd lets through of /etc"},
    Sandbox{"vivaldi", "var/lib/flatpak/app/com.vivaldi.Vivaldi", "a flatpak extension's policies"},
    Sandbox{"firefox", "var/lib/flatpak/app/org.mozilla.firefox",
            "the flatpak extension point org.mozilla.firefox.systemconfig"},
    Sandbox{"firefox", "snap/firefox", "what snapd lets through of /etc"},
};

void find_sandboxed(const Tree& tree, Audit& result) {
  for (const Sandbox& sandbox : sandboxes) {
    if (!tree.has_folder(sandbox.place)) continue;
    add(result, "sandboxed",
        {find_browser(sandbox.browser), tree.shown(sandbox.place).string(), ""},
        "this one reads " + std::string(sandbox.reads) + ", which is not looked at here");
  }
}

// Places that no browser earlier in the table reads: Vivaldi may read Chromium's.
bool has_place_of_its_own(const Tree& tree, const Browser& browser, std::set<std::string>& seen) {
  bool found = false;
  for (const Target& target : targets(browser)) {
    const std::string folder = parent_of(target.path);
    const auto opened = tree.folder(folder);
    // One that is unsafe is there too.
    const bool there = opened || opened.error().code != Code::not_found;
    if (seen.insert(folder).second && there) found = true;
  }
  return found;
}

/// What a file of icelock's own, and the one in recommended/ beside it, say about the level;
/// nullopt when they say nothing.
std::optional<WantedPolicy> stated_level(const Browser& browser, const std::string& text,
                                         const std::string& recommended) {
  if (browser.family == BrowserFamily::firefox) {
    const auto level = firefox_level(text);
    return level ? std::optional<WantedPolicy>(*level) : std::nullopt;
  }
  return chromium_policy(browser, text, recommended);
}

/// What they ask for; nullopt when they say nothing.
std::optional<WantedPolicy> stated(const Browser& browser, const std::string& text,
                                   const std::string& recommended) {
  std::optional<WantedPolicy> wanted = stated_level(browser, text, recommended);
  const auto extension = extension_in(browser, text);
  if (!extension) return wanted;
  if (!wanted) wanted.emplace();
  wanted->extension = extension;
  return wanted;
}

void compare_file(const Tree& tree, const LedgerFile& entry, const Target& target,
                  const Browser* named, Audit& result) {
  const std::string shown = tree.shown(target.path).string();
  auto read = tree.read(target.path);
  const std::optional<FileState> now = read ? std::move(*read) : std::nullopt;
  if (!now) {
    add(result, "own_file_missing", {named, shown, ""},
        "icelock wrote this file, and it cannot be read");
    return;
  }
  for (const std::string& key : changed_keys(entry, *target.browser, now->bytes)) {
    add(result, "own_file_changed", {named, shown, key}, "it is not as icelock wrote it");
  }
}

/// Holds what is there against what icelock wrote. Unless it is `decided` what every browser is to
/// have, what it wrote last is also what was asked for.
void compare_with_ledger(const Tree& tree, const Ledger& ledger, bool decided, Audit& result) {
  const auto wrote = [&](const Target& target) {
    const LedgerFile* entry = ledger.find(target.path);
    return entry != nullptr && !entry->written.empty();
  };
  for (const Target& target : targets(settings_owner())) {
    if (wrote(target)) compare_file(tree, *ledger.find(target.path), target, nullptr, result);
  }
  for (BrowserAudit& row : result.browsers) {
    if (decided && !row.wanted) continue;
    const auto places = targets(*row.browser);
    // One that only shares a file with another browser was not asked for.
    if (!std::ranges::all_of(places, wrote)) continue;
    for (const Target& target : places) {
      const LedgerFile* entry = ledger.find(target.path);
      compare_file(tree, *entry, target, row.browser, result);
      std::string recommended;
      if (const auto beside = recommended_beside(target); beside && wrote(*beside)) {
        const LedgerFile& softer = *ledger.find(beside->path);
        compare_file(tree, softer, *beside, row.browser, result);
        recommended = softer.written.back();
      }
      const auto wrote_last = stated(*row.browser, entry->written.back(), recommended);
      if (!row.wanted) row.wanted = wrote_last;
      // What a service decides is the level; the extension that an admin applied stays.
      if (wrote_last && !row.wanted->extension) row.wanted->extension = wrote_last->extension;
    }
  }
}

/// Where a role of Ansible's, which writes the same files, keeps what was there before
/// (policies/ansible/library/icelock_policy.py).
constexpr std::string_view role_state = "var/lib/icelock-ansible/state.json";

/// What such a role put here, or whoever copied an export: the files with what they are to say.
/// Nothing says what was there before.
Ledger unrecorded(const Tree& tree) {
  Ledger found;
  const auto text = [&](std::string_view path) {
    auto read = tree.read(path);
    return read ? bytes_of(*read) : std::nullopt;
  };
  const nlohmann::json state = parse_strict(text(role_state).value_or("")).value_or(nullptr);
  for (const auto& [path, entry] : member(state, "files").items()) {
    const nlohmann::json& content = member(entry, "content");
    if (!content.is_string() || !path.starts_with('/')) continue;
    if (targets_at(path.substr(1)).empty()) continue;
    found.files.push_back({path.substr(1), std::nullopt, {content.get<std::string>()}});
  }
  for (const Browser& browser : browsers()) {
    if (browser.family == BrowserFamily::firefox) continue;  // its file is everybody's
    for (const Target& target : targets(browser)) {
      if (found.find(target.path) != nullptr) continue;
      if (auto bytes = text(target.path)) {
        found.files.push_back({target.path, std::nullopt, {std::move(*bytes)}});
      }
    }
  }
  return found;
}

void compare_without_ledger(const Tree& tree, const std::filesystem::path& root, bool decided,
                            Audit& result) {
  const Place place{nullptr, tree.shown(ledger_path).string(), ""};
  const auto history = read_history(root);
  const bool applied =
      history && !history->entries.empty() && history->entries.back().verb == "apply";
  const Ledger files = unrecorded(tree);
  if (applied || (decided && !files.empty())) {
    add(result, "ledger_missing", place, "icelock wrote here, and nothing says what was before");
  } else if (!files.empty()) {
    add(result, "not_recorded", {nullptr, tree.shown(files.files.front().path).string(), ""},
        "taken for what is intended; icelock on this machine wrote none of it");
  } else if (!decided) {
    add(result, "not_compared", {nullptr, "", ""},
        "no policy was applied here, so nothing says what is intended");
  }
  if (files.empty()) return;
  result.compared = true;
  compare_with_ledger(tree, files, decided, result);
}

/// Holds the machine against the ledger, or says why there is nothing to hold it against.
void compare(const Tree& tree, const std::filesystem::path& root, bool decided, Audit& result) {
  const Place place{nullptr, tree.shown(ledger_path).string(), ""};
  result.compared = decided;
  const auto ledger = read_ledger(tree);
  if (!ledger && ledger.error().code == Code::not_permitted) {
    add(result, "not_compared", place, to_string(ledger.error()),
        "Run it as root, or with icelockd running.");
  } else if (!ledger) {
    add(result, "ledger_broken", place, to_string(ledger.error()));
  } else if (!ledger->empty()) {
    result.compared = true;
    for (const LedgerFile& file : ledger->files) {
      if (!targets_at(file.path).empty() && !file.written.empty()) continue;
      add(result, "ledger_broken", place, "icelock makes no such entry for " + file.path);
    }
    compare_with_ledger(tree, *ledger, decided, result);
  } else {
    compare_without_ledger(tree, root, decided, result);
  }
}

void find_unmanaged(Audit& result) {
  const auto managed = [](const BrowserAudit& row) { return row.wanted.has_value(); };
  if (std::ranges::none_of(result.browsers, managed)) return;
  for (const BrowserAudit& row : result.browsers) {
    if (!row.installed_here || row.wanted || row.level) continue;
    add(result, "browser_unmanaged", {row.browser, "", std::string(row.browser->level_key)},
        "nothing was asked for " + std::string(row.browser->name) +
            ", and no policy sets its level, while other browsers have theirs");
  }
}

/// In words, when `installed` is looser than `asked` for this browser, as far as it can obey.
std::optional<std::string> looser_than(const Browser& browser, std::optional<Level> installed,
                                       Level asked) {
  if (asked == Level::unrestricted) return std::nullopt;
  Level least = asked;
  if (browser.family == BrowserFamily::chromium) least = std::min(least, Level::force_proxy);
  if (installed && *installed >= least) return std::nullopt;
  std::string text(browser.name);
  text += installed ? " obeys only " + std::string(name(*installed))
                    : std::string(": no level is in force for every page");
  return text;
}

/// One finding for the installation, and one for each managed setting.
void compare_extension(const Store& store, const Browser& browser,
                       const ExtensionInstall& extension, Audit& result) {
  const std::string name(browser.name);
  const auto wrong = store.extension_not_in_force(browser, extension);
  if (!wrong) {
    return add(
        result, "extension_missing", {&browser, "", ""},
        "whether " + name + " installs the extension cannot be told: " + to_string(wrong.error()));
  }
  bool missing = false;
  for (const NotAsAsked& each : *wrong) {
    if (each.installs && std::exchange(missing, true)) continue;
    add(result, each.installs ? "extension_missing" : "extension_settings_overridden",
        {&browser, each.file, each.key},
        name +
            (each.installs ? " does not install the extension as asked: "
                           : " does not set the extension up as asked: ") +
            each.key + (each.value.empty() ? " is not set" : " is " + each.value) + " instead of " +
            each.asked);
  }
}

/// Fills in the level and the exceptions that are in force, and holds them against what is asked.
void compare_level(const Store& store, const WantedPolicy& asked, BrowserAudit& row,
                   Audit& result) {
  const Browser& browser = *row.browser;
  row.level = store.installed(browser, asked.sites).value_or(std::nullopt);
  if (const auto text = looser_than(browser, row.level, asked.at_least())) {
    add(result, "level_loose", {&browser, "", ""}, *text);
  }
  if (asked.extension) compare_extension(store, browser, *asked.extension, result);
  const auto there = store.sites_in_force(browser, asked.at_least(), asked.sites);
  if (!there) return;
  row.exceptions = *there;
  for (const SiteException& site : effective_sites(browser, asked.at_least(), asked.sites)) {
    if (std::ranges::find(*there, site) != there->end()) continue;
    add(result, "exception_missing", {&browser, "", std::string(chromium_url_key)},
        std::string(browser.name) + ": the exception for " + site.pattern +
            " is not in force: another policy file has its own list of sites");
  }
}

void add_edge_limits(Audit& result, const BrowserAudit& row) {
  const Place place{row.browser, "", std::string(row.browser->level_key)};
  add(result, "edge_limits", place,
      "profiles signed in with a personal Microsoft account ignore these policies, the level key "
      "needs a restart, and Microsoft lists neither for Linux",
      "Use the extension in such profiles.");
}

}  // namespace

std::vector<std::string> Audit::problems_of(std::string_view browser) const {
  std::vector<std::string> problems;
  for (const Finding& finding : findings) {
    if (finding.browser != browser || !finding.rule->drift) continue;
    problems.push_back((finding.file.empty() ? "" : finding.file + ": ") + finding.text);
  }
  return problems;
}

bool Audit::drift() const {
  return std::ranges::any_of(findings, [](const Finding& each) { return each.rule->drift; });
}

bool Audit::clean() const {
  return std::ranges::all_of(
      findings, [](const Finding& each) { return each.rule->severity == Severity::info; });
}

Result<Audit> audit(const std::filesystem::path& root, const std::optional<Wanted>& wanted,
                    const std::optional<Error>& settings) {
  auto tree = TRY(Tree::open(root));
  const Store store(root);
  Audit result;
  std::set<std::string> seen;
  for (const Browser& browser : browsers()) {
    const bool has_place = has_place_of_its_own(tree, browser, seen);
    BrowserAudit row{.browser = &browser,
                     .installed_here = is_installed(browser, root),
                     .wanted = {},
                     .level = {},
                     .exceptions = {},
                     .in_force = {}};
    if (!row.installed_here && !has_place) continue;
    const bool firefox = browser.family == BrowserFamily::firefox;
    (firefox ? audit_firefox : audit_chromium)(tree, browser, result, row);
    if (wanted && wanted->contains(std::string(browser.id))) {
      row.wanted = wanted->at(std::string(browser.id));
    }
    if (browser.id == "edge") add_edge_limits(result, row);
    result.browsers.push_back(std::move(row));
  }
  if (settings) {
    const std::string path = tree.shown(settings_owner().policy_path).string();
    add(result, "settings_broken", {nullptr, path, ""}, to_string(*settings));
  }
  compare(tree, root, wanted.has_value(), result);
  for (BrowserAudit& row : result.browsers) {
    compare_level(store, row.wanted.value_or(WantedPolicy()), row, result);
  }
  find_unmanaged(result);
  find_sandboxed(tree, result);
  return result;
}

std::vector<std::string> not_in_force(const std::filesystem::path& root, const Wanted& wanted) {
  const Store store(root);
  std::vector<std::string> problems;
  for (const auto& [id, asked] : wanted) {
    BrowserAudit row{.browser = find_browser(id),
                     .installed_here = true,
                     .wanted = asked,
                     .level = {},
                     .exceptions = {},
                     .in_force = {}};
    if (row.browser == nullptr) continue;
    Audit result;
    compare_level(store, asked, row, result);
    std::ranges::copy(result.problems_of(id), std::back_inserter(problems));
  }
  return problems;
}

}  // namespace icelock::policy
