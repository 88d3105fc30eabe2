// SPDX-License-Identifier: Apache-2.0
#include "app/policy_verbs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "policy/browsers.h"
#include "policy/store.h"

namespace icelock::app {
namespace {

using nlohmann::ordered_json;
using policy::Browser;
using policy::Change;
using policy::ManifestChange;
using policy::Plan;

int report(const PolicyOptions& options, const Error& error, std::ostream& out, std::ostream& err) {
  const std::string code(info(error.code).name);
  if (options.json) {
    out << ordered_json({{"v", 1},
                         {"ok", false},
                         {"code", code},
                         {"what", error.what},
                         {"object", error.object}})
               .dump(2, ' ', false, ordered_json::error_handler_t::replace)
        << "\n";
  } else {
    err << "icelock: " << to_string(error) << " [" << code << "]\n";
  }
  return info(error.code).exit_code;
}

template <class Kind>
std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::none:
      return "none";
    case Kind::create:
      return "create";
    case Kind::replace:
      return "replace";
    case Kind::remove:
      return "remove";
  }
  return "none";
}

void print(std::ostream& out, const ordered_json& value) {
  // Policy files may hold any bytes.
  out << value.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
}

// A value of a policy as JSON rather than as text of JSON; null when it is not set.
ordered_json value_of(const std::string& text) {
  if (text.empty()) return nullptr;
  auto value = ordered_json::parse(text, nullptr, false);
  return value.is_discarded() ? ordered_json(text) : value;
}

ordered_json to_json(const Change& change) {
  ordered_json keys = ordered_json::array();
  for (const policy::KeyChange& key : change.keys) {
    keys.push_back(
        {{"key", key.key}, {"before", value_of(key.before)}, {"after", value_of(key.after)}});
  }
  return {{"browser", change.browser},      {"path", change.path.string()},
          {"kind", kind_name(change.kind)}, {"keys", keys},
          {"before", change.before},        {"after", change.after},
          {"notes", change.notes}};
}

// How a plan came out.
struct Outcome {
  bool done = false;
  std::string_view verdict;           // for people
  std::vector<std::string> problems;  // what does not hold although it was done
};

ordered_json to_json(const Plan& plan, const Outcome& outcome) {
  ordered_json changes = ordered_json::array();
  for (const Change& change : plan.changes) changes.push_back(to_json(change));
  return {{"v", 1},
          {"ok", true},
          {"pending", plan.pending() && !outcome.done},
          {"done", outcome.done},
          {"changes", changes},
          {"problems", outcome.problems}};
}

class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  std::string red(std::string_view text) const { return in("\x1b[31m", text); }
  std::string green(std::string_view text) const { return in("\x1b[32m", text); }
  std::string cyan(std::string_view text) const { return in("\x1b[36m", text); }
  std::string bold(std::string_view text) const { return in("\x1b[1m", text); }

 private:
  std::string in(std::string_view colour, std::string_view text) const {
    if (!on_) return std::string(text);
    return std::string(colour) + std::string(text) + "\x1b[0m";
  }
  bool on_;
};

// Somebody else's file must not be able to steer the terminal.
std::string printable(std::string_view line) {
  std::string text;
  for (const char c : line) {
    const bool control = (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    text += control ? '?' : c;
  }
  return text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(printable(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// One hunk is enough: icelock's keys stand together, so all between the first and the last line
// that differ is shown as taken out and put in.
void print_diff(const Change& change, const Paint& paint, std::ostream& out) {
  constexpr std::size_t context = 3;
  const auto before = lines_of(change.before);
  const auto after = lines_of(change.after);
  const std::size_t shorter = std::min(before.size(), after.size());
  std::size_t head = 0;
  while (head < shorter && before[head] == after[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  const std::size_t first = head - std::min(head, context);
  const std::size_t shown_tail = std::min(tail, context);
  const auto range = [&](const std::vector<std::string>& lines) {
    const std::size_t count = lines.size() - tail + shown_tail - first;
    return std::to_string(count == 0 ? first : first + 1) + "," + std::to_string(count);
  };
  const std::string path = change.path.string();
  const bool creates = change.kind == Change::Kind::create;
  const bool removes = change.kind == Change::Kind::remove;
  out << paint.bold("--- " + (creates ? "/dev/null" : path)) << "\n";
  out << paint.bold("+++ " + (removes ? "/dev/null" : path)) << "\n";
  if (head == before.size() && head == after.size()) return;
  out << paint.cyan("@@ -" + range(before) + " +" + range(after) + " @@") << "\n";
  for (std::size_t i = first; i < head; ++i) out << " " << before[i] << "\n";
  for (std::size_t i = head; i < before.size() - tail; ++i) {
    out << paint.red("-" + before[i]) << "\n";
  }
  for (std::size_t i = head; i < after.size() - tail; ++i) {
    out << paint.green("+" + after[i]) << "\n";
  }
  for (std::size_t i = after.size() - tail; i < after.size() - tail + shown_tail; ++i) {
    out << " " << after[i] << "\n";
  }
}

void print_change(const Change& change, const Paint& paint, std::ostream& out) {
  const Browser* browser = policy::find_browser(change.browser);
  out << paint.bold(browser == nullptr ? change.browser : browser->name);
  if (change.kind == Change::Kind::none) out << ": " << change.path.string() << " stays as it is";
  out << "\n";
  if (change.kind != Change::Kind::none) print_diff(change, paint, out);
  const auto shown = [](const std::string& value) {
    return value.empty() ? std::string("not set") : printable(value);
  };
  for (const policy::KeyChange& key : change.keys) {
    out << "  " << key.key << ": " << paint.red(shown(key.before)) << " -> "
        << paint.green(shown(key.after)) << "\n";
  }
  for (const std::string& note : change.notes) out << "  note: " << printable(note) << "\n";
}

void print_plan(const PolicyOptions& options, const Plan& plan, const Outcome& outcome,
                std::ostream& out, std::ostream& err) {
  if (options.json) return print(out, to_json(plan, outcome));
  const Paint paint(options.colour);
  for (const Change& change : plan.changes) print_change(change, paint, out);
  out << outcome.verdict << "\n";
  for (const std::string& problem : outcome.problems) err << "icelock: " << problem << "\n";
}

Result<std::vector<const Browser*>> chosen(const PolicyOptions& options) {
  std::vector<const Browser*> found;
  for (const std::string& id : options.browsers) {
    found.push_back(policy::find_browser(id));
    if (found.back() == nullptr) return fail(Code::not_found, "no such browser", id);
  }
  if (!options.browsers.empty()) return found;
  for (const Browser& browser : policy::browsers()) {
    if (policy::is_installed(browser, options.root)) found.push_back(&browser);
  }
  if (found.empty()) {
    return fail(Code::not_found,
                "no browser that icelock knows is installed; name one with --browser",
                options.root == "/" ? "" : options.root.string());
  }
  return found;
}

Result<Plan> make_plan(const PolicyOptions& options) {
  const auto browsers = chosen(options);
  if (!browsers) return std::unexpected(browsers.error());
  policy::Wanted wanted;
  for (const Browser* browser : *browsers) {
    wanted[std::string(browser->id)] = options.level.value_or(default_level);
  }
  return policy::Store(options.root).plan(wanted);
}

// Says only what was read back: a file that somebody else's outranks is written, but not obeyed.
std::vector<std::string> not_in_force(const PolicyOptions& options, const Plan& plan) {
  const policy::Store store(options.root);
  std::vector<std::string> problems;
  for (const Change& change : plan.changes) {
    const Browser* browser = policy::find_browser(change.browser);
    if (browser == nullptr) continue;
    Level wanted = options.level.value_or(default_level);
    if (browser->family == BrowserFamily::chromium) wanted = std::min(wanted, Level::force_proxy);
    const std::optional<Level> level = store.installed(*browser).value_or(std::nullopt);
    if (level && *level >= wanted) continue;
    std::string text(browser->name);
    text += level ? " obeys only " + std::string(name(*level))
                  : std::string(": no level is in force for every page");
    if (std::find(problems.begin(), problems.end(), text) == problems.end()) {
      problems.push_back(std::move(text));
    }
  }
  return problems;
}

ordered_json to_json(const std::vector<ManifestChange>& changes) {
  ordered_json list = ordered_json::array();
  for (const ManifestChange& change : changes) {
    list.push_back({{"browser", change.browser},
                    {"path", change.path.string()},
                    {"kind", kind_name(change.kind)}});
  }
  return list;
}

constexpr std::string_view dry_run_verdict = "Nothing was changed (dry run).";

constexpr std::string_view how_to_load_chromium =
    "Chromium family: open the browser's extensions page, switch developer mode on, choose \"Load "
    "unpacked\" and take icelock's extension folder.";
constexpr std::string_view how_to_load_firefox =
    "Firefox: open about:debugging, \"This Firefox\", \"Load Temporary Add-on\" and take the "
    "extension's "
    "manifest.json; a signed package stays installed.";

void print_manifests(const PolicyOptions& options, const std::vector<ManifestChange>& changes,
                     const std::vector<std::string>& hints, std::ostream& out) {
  if (options.json) {
    print(out, {{"v", 1}, {"ok", true}, {"changes", to_json(changes)}, {"hints", hints}});
    return;
  }
  for (const ManifestChange& change : changes) {
    out << change.browser << ": " << change.path.string() << " ("
        << (change.kind == ManifestChange::Kind::none ? std::string_view("nothing to do")
                                                      : kind_name(change.kind))
        << ")\n";
  }
  for (const std::string& hint : hints) out << hint << "\n";
}

std::vector<std::string> hints_for(const std::vector<const Browser*>& browsers) {
  std::vector<std::string> hints;
  for (const BrowserFamily family : {BrowserFamily::chromium, BrowserFamily::firefox}) {
    const bool there = std::any_of(browsers.begin(), browsers.end(), [&](const Browser* browser) {
      return browser->family == family;
    });
    if (!there) continue;
    hints.emplace_back(family == BrowserFamily::chromium ? how_to_load_chromium
                                                         : how_to_load_firefox);
  }
  return hints;
}

}  // namespace

int run_plan(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto plan = make_plan(options);
  if (!plan) return report(options, plan.error(), out, err);
  const bool pending = plan->pending();
  Outcome outcome;
  outcome.verdict = pending ? "Changes pending: icelock apply makes them." : "Nothing to do.";
  print_plan(options, *plan, outcome, out, err);
  return pending ? changes_pending : 0;
}

int run_apply(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto plan = make_plan(options);
  if (!plan) return report(options, plan.error(), out, err);
  if (options.dry_run) {
    print_plan(options, *plan, {false, dry_run_verdict, {}}, out, err);
    return 0;
  }
  if (const auto done = policy::Store(options.root).apply(*plan); !done) {
    return report(options, done.error(), out, err);
  }
  const Outcome outcome{true, plan->pending() ? "Applied." : "Nothing to do.",
                        not_in_force(options, *plan)};
  print_plan(options, *plan, outcome, out, err);
  return outcome.problems.empty() ? 0 : not_obeyed;
}

int run_revert(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  policy::Store store(options.root);
  const auto plan = store.plan_revert(options.browsers);
  if (!plan) return report(options, plan.error(), out, err);
  if (options.dry_run) {
    print_plan(options, *plan, {false, dry_run_verdict, {}}, out, err);
    return 0;
  }
  // Also without a change: a ledger of files that others have put back must go.
  if (const auto done = store.revert(*plan); !done) return report(options, done.error(), out, err);
  Outcome outcome{true, "Reverted.", {}};
  if (plan->changes.empty()) outcome.verdict = "Nothing to do: icelock changed nothing here.";
  print_plan(options, *plan, outcome, out, err);
  return 0;
}

int run_setup(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto browsers = chosen(options);
  if (!browsers) return report(options, browsers.error(), out, err);
  const auto changes = policy::install_manifests(*browsers, options.scope, options.root,
                                                 options.home, options.host_program);
  if (!changes) return report(options, changes.error(), out, err);
  print_manifests(options, *changes, hints_for(*browsers), out);
  return 0;
}

int run_unsetup(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  PolicyOptions all = options;
  if (all.browsers.empty()) {
    for (const Browser& browser : policy::browsers()) all.browsers.emplace_back(browser.id);
  }
  const auto browsers = chosen(all);
  if (!browsers) return report(options, browsers.error(), out, err);
  auto changes = policy::remove_manifests(*browsers, options.scope, options.root, options.home);
  if (!changes) return report(options, changes.error(), out, err);
  std::erase_if(*changes, [&](const ManifestChange& change) {
    return options.browsers.empty() && change.kind == ManifestChange::Kind::none;
  });
  print_manifests(options, *changes, {}, out);
  return 0;
}

}  // namespace icelock::app
