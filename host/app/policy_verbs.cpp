// SPDX-License-Identifier: Apache-2.0
#include "app/policy_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "app/machine_link.h"
#include "app/paint.h"
#include "app/policy_wanted.h"
#include "app/policy_work.h"
#include "app/verbs.h"
#include "policy/browsers.h"

namespace icelock::app {
namespace {

using nlohmann::ordered_json;
using policy::Browser;
using policy::Change;

void print(std::ostream& out, const ordered_json& value) {
  // Policy files may hold any bytes.
  out << ipc::text_of(value, 2) << "\n";
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
  const Browser* browser = change.browser == policy::settings_id
                               ? &policy::settings_owner()
                               : policy::find_browser(change.browser);
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

void print_outcome(const PolicyOptions& options, const Outcome& outcome, std::string_view verdict,
                   std::ostream& out, std::ostream& err) {
  if (options.json) {
    ordered_json json = {{"v", 1}, {"ok", true}};
    json.update(outcome_json(outcome));
    return print(out, json);
  }
  const Paint paint(options.colour);
  for (const Change& change : outcome.plan.changes) print_change(change, paint, out);
  out << verdict << "\n";
  for (const std::string& problem : outcome.problems) err << "icelock: " << problem << "\n";
  if (!outcome.unrecorded.empty()) {
    err << "icelock: done, but it is not in the history: " << outcome.unrecorded << "\n";
  }
}

// sudo's word, which only root could have made up.
std::optional<uid_t> sudo_uid() {
  const char* text = std::getenv("SUDO_UID");
  if (text == nullptr || ::geteuid() != 0) return std::nullopt;
  uid_t uid = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, problem] = std::from_chars(text, end, uid);
  return problem == std::errc() && stop == end ? std::optional(uid) : std::nullopt;
}

Result<policy::Asked> asked(const PolicyOptions& options) {
  auto reason = policy::clean_reason(options.reason);
  if (!reason) return std::unexpected(reason.error());
  return policy::Asked{::getuid(), sudo_uid(), std::move(*reason)};
}

// Policy has one writer: the service, when it is there. It takes the time that disks take.
constexpr std::chrono::seconds work_limit{30};

std::optional<Result<Outcome>> by_service(const PolicyOptions& options, std::string_view op,
                                          ipc::Json arguments = ipc::Json::object()) {
  if (!options.browsers.empty()) arguments["browsers"] = options.browsers;
  if (!options.reason.empty()) arguments["reason"] = options.reason;
  if (const auto who = sudo_uid()) arguments["sudo_uid"] = *who;
  if (options.level) arguments["level"] = name(*options.level);
  const auto answer = ask_service(options.root, op, std::move(arguments), work_limit);
  if (!answer) return std::nullopt;
  if (!*answer) return std::unexpected(answer->error());
  return outcome_of(**answer);
}

Result<Outcome> apply(const PolicyOptions& options) {
  ipc::Json arguments = {{"fingerprint", options.fingerprint}};
  if (!options.document.empty()) {
    const auto said = wanted(options);
    if (!said) return std::unexpected(said.error());
    arguments["policy"] = wanted_json(*said);
  }
  if (auto outcome = by_service(options, "apply", arguments)) return std::move(*outcome);
  const auto who = asked(options);
  if (!who) return std::unexpected(who.error());
  const auto levels = wanted(options);
  if (!levels) return std::unexpected(levels.error());
  return apply_policies(options.root, *levels, *who, options.fingerprint);
}

std::string shell_word(const std::string& word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

// How a person goes on from here with the same words, to be copied.
std::string command(const PolicyOptions& options, const std::string& start,
                    std::vector<std::string> words) {
  std::string result = start;
  const auto add = [&](const std::string& word) { result += " " + printable(shell_word(word)); };
  if (!options.document.empty()) add(options.document.string());
  if (options.level) words.insert(words.end(), {"--level", std::string(name(*options.level))});
  for (const std::string& browser : options.browsers) {
    words.insert(words.end(), {"--browser", browser});
  }
  if (options.root != "/") words.insert(words.end(), {"--root", options.root.string()});
  if (!options.reason.empty()) words.insert(words.end(), {"--reason", options.reason});
  for (const std::string& word : words) add(word);
  return result;
}

// What to do with a plan. Others than root see the files, and not what icelock wrote there, so
// that root's plan can be another one.
std::string next_step(const PolicyOptions& options, const policy::Plan& plan) {
  policy::Wanted unused;
  const auto ledger = policy::Store(options.root).add_left_out(unused);
  if (!ledger && ledger.error().code == Code::not_permitted) {
    return "Nothing is written yet. Only root sees what icelock wrote here before, and can have "
           "another plan:\n  " +
           command(options, "sudo icelock plan", {});
  }
  const bool others = options.root == "/" && ::geteuid() != 0;
  return "Nothing is written yet. To make these changes, and no others:\n  " +
         command(options, others ? "sudo icelock apply" : "icelock apply",
                 {"--plan", plan.fingerprint()});
}

Result<Outcome> revert(const PolicyOptions& options) {
  if (auto outcome = by_service(options, "revert")) return std::move(*outcome);
  const auto who = asked(options);
  if (!who) return std::unexpected(who.error());
  return revert_policies(options.root, options.browsers, *who);
}

Result<policy::History> history(const PolicyOptions& options) {
  const auto answer = ask_service(options.root, "history", ipc::Json::object(), work_limit);
  if (!answer) return policy::read_history(options.root);
  if (!*answer) return std::unexpected(answer->error());
  return history_of(**answer);
}

void print_entry(const policy::HistoryEntry& entry, const Paint& paint, std::ostream& out) {
  out << paint.bold(printable(entry.time) + " " + printable(entry.verb)) << " by uid "
      << entry.asked.uid;
  if (entry.asked.sudo_uid) out << ", sudo for uid " << *entry.asked.sudo_uid;
  const char* separator = ": ";
  for (const std::string& browser : entry.browsers) {
    out << std::exchange(separator, ", ") << printable(browser);
  }
  out << "\n  plan " << printable(entry.plan) << ", result " << printable(entry.result) << "\n";
  if (!entry.asked.reason.empty()) out << "  " << printable(entry.asked.reason) << "\n";
}

}  // namespace

int report(const PolicyOptions& options, const Error& error, std::ostream& out, std::ostream& err) {
  return report_error(error, {out, err, options.json, options.colour});
}

int run_plan(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto levels = wanted(options);
  if (!levels) return report(options, levels.error(), out, err);
  auto plan = make_plan(options.root, *levels);
  if (!plan) return report(options, plan.error(), out, err);
  if (!plan->changes.empty()) {
    auto& notes = plan->changes.front().notes;
    for (std::string& note : machine_notes(options)) notes.push_back(std::move(note));
  }
  const bool pending = plan->pending();
  const std::string verdict = pending ? next_step(options, *plan) : "Nothing to do.";
  print_outcome(options, {std::move(*plan), false, {}, {}, {}}, verdict, out, err);
  return pending ? changes_pending : 0;
}

int run_apply(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  if (options.fingerprint.empty() && !options.unplanned) return run_plan(options, out, err);
  const auto outcome = apply(options);
  if (!outcome) return report(options, outcome.error(), out, err);
  print_outcome(options, *outcome, outcome->plan.pending() ? "Applied." : "Nothing to do.", out,
                err);
  return outcome->problems.empty() ? 0 : not_obeyed;
}

int run_revert(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto outcome = revert(options);
  if (!outcome) return report(options, outcome.error(), out, err);
  const bool nothing = outcome->plan.changes.empty();
  print_outcome(options, *outcome,
                nothing ? "Nothing to do: icelock changed nothing here." : "Reverted.", out, err);
  return 0;
}

int run_history(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto found = history(options);
  if (!found) return report(options, found.error(), out, err);
  if (options.json) {
    ordered_json json = {{"v", 1}, {"ok", true}};
    json.update(history_json(*found));
    print(out, json);
    return 0;
  }
  const Paint paint(options.colour);
  for (const policy::HistoryEntry& entry : found->entries) print_entry(entry, paint, out);
  if (found->entries.empty()) out << "icelock applied and reverted nothing here.\n";
  if (found->skipped > 0) {
    err << "icelock: " << found->skipped
        << (found->skipped == 1 ? " line of the history was" : " lines of the history were")
        << " cut off or spoilt, and skipped\n";
  }
  return 0;
}

}  // namespace icelock::app
