// SPDX-License-Identifier: Apache-2.0
#include "cli/policy_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <utility>

#include "app/machine_link.h"
#include "app/paint.h"
#include "app/policy_wanted.h"
#include "app/policy_work.h"
#include "cli/verbs.h"
#include "policy/browsers.h"

namespace icelock::app {
namespace {

using ipc::Json;

std::string text_at(const Json& json, const char* member) {
  return json.at(member).get<std::string>();
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
void print_diff(const Json& change, const Paint& paint, std::ostream& out) {
  constexpr std::size_t context = 3;
  const auto before = lines_of(text_at(change, "before"));
  const auto after = lines_of(text_at(change, "after"));
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
  const std::string path = text_at(change, "path");
  const std::string kind = text_at(change, "kind");
  out << paint.bold("--- " + (kind == "create" ? "/dev/null" : path)) << "\n";
  out << paint.bold("+++ " + (kind == "remove" ? "/dev/null" : path)) << "\n";
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

void print_change(const Json& change, const Paint& paint, std::ostream& out) {
  const std::string id = text_at(change, "browser");
  const policy::Browser* browser =
      id == policy::settings_id ? &policy::settings_owner() : policy::find_browser(id);
  const bool stays = change.at("kind") == "none";
  out << paint.bold(browser == nullptr ? id : browser->name);
  if (stays) out << ": " << text_at(change, "path") << " stays as it is";
  out << "\n";
  if (!stays) print_diff(change, paint, out);
  const auto shown = [](const Json& value) {
    return value.is_null() ? std::string("not set") : printable(ipc::text_of(value));
  };
  for (const Json& key : change.at("keys")) {
    out << "  " << text_at(key, "key") << ": " << paint.red(shown(key.at("before"))) << " -> "
        << paint.green(shown(key.at("after"))) << "\n";
  }
  for (const Json& note : change.at("notes")) {
    out << "  note: " << printable(note.get<std::string>()) << "\n";
  }
}

void print_outcome(const PolicyOptions& options, const Json& outcome, std::string_view verdict,
                   std::ostream& out, std::ostream& err) {
  if (options.json) return print_success(outcome, out);
  const Paint paint(options.colour);
  for (const Json& change : outcome.at("changes")) print_change(change, paint, out);
  out << verdict << "\n";
  for (const Json& problem : outcome.at("problems")) {
    err << "icelock: " << problem.get<std::string>() << "\n";
  }
  if (outcome.contains("unrecorded")) {
    err << "icelock: done, but it is not in the history: " << text_at(outcome, "unrecorded")
        << "\n";
  }
}

bool changes_files(const Json& outcome) {
  return std::ranges::any_of(outcome.at("changes"),
                             [](const Json& change) { return change.at("kind") != "none"; });
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
  auto reason = TRY(policy::clean_reason(options.reason));
  return policy::Asked{::getuid(), sudo_uid(), std::move(reason)};
}

// Policy has one writer: the service, when it is there. It takes the time that disks take.
constexpr std::chrono::seconds work_limit{30};

std::optional<Result<Json>> by_service(const PolicyOptions& options, std::string_view op,
                                       Json arguments = Json::object()) {
  if (!options.browsers.empty()) arguments["browsers"] = options.browsers;
  if (!options.reason.empty()) arguments["reason"] = options.reason;
  if (const auto who = sudo_uid()) arguments["sudo_uid"] = *who;
  if (options.level) arguments["level"] = name(*options.level);
  return ask_service(options.root, op, std::move(arguments), work_limit);
}

Result<PolicyWish> wish_of(const PolicyOptions& options) {
  PolicyWish wish{.browsers = options.browsers, .level = options.level, .document = {}};
  if (!options.document.empty()) {
    wish.document = TRY(guard::load_policy_document(options.document));
  }
  return wish;
}

Result<policy::Wanted> wanted_here(const PolicyOptions& options, const PolicyWish& wish) {
  auto found = wanted(options.root, wish);
  if (found && is_managed(options.root)) TRY(check_unmanaged(found));
  return found;
}

Result<Json> apply(const PolicyOptions& options) {
  const auto wish = TRY(wish_of(options));
  Json arguments = {{"fingerprint", options.fingerprint}};
  if (wish.document) arguments["document"] = Json::parse(wish.document->text);
  if (auto answer = by_service(options, "apply", arguments)) return *std::move(answer);
  const auto who = TRY(asked(options));
  const auto levels = TRY(wanted_here(options, wish));
  const auto outcome = TRY(apply_policies(options.root, levels, who, options.fingerprint));
  return outcome_json(outcome);
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

// What to do with a plan. Others than root see the files, and not what icelock wrote there, so that
// root's plan can be another one.
std::string next_step(const PolicyOptions& options, const std::string& fingerprint) {
  policy::Wanted unused;
  const auto ledger = policy::Store(options.root).add_left_out(unused);
  if (!ledger && ledger.error().code == Code::not_permitted) {
    return "Nothing is written yet. Only root sees what icelock wrote here before, and can have "
           "another plan:\n  " +
           command(options, "sudo icelock plan", {});
  }
  const bool others = options.root == "/" && ::geteuid() != 0;
  return "Nothing is written yet. To make these changes, and no others:\n  " +
         command(options, others ? "sudo icelock apply" : "icelock apply", {"--plan", fingerprint});
}

Result<Json> revert(const PolicyOptions& options) {
  if (auto answer = by_service(options, "revert")) return *std::move(answer);
  const auto who = TRY(asked(options));
  const auto outcome = TRY(revert_policies(options.root, options.browsers, who));
  return outcome_json(outcome);
}

Result<Json> plan(const PolicyOptions& options) {
  const auto wish = TRY(wish_of(options));
  const auto levels = TRY(wanted_here(options, wish));
  auto made = TRY(make_plan(options.root, levels));
  if (!made.changes.empty()) {
    auto& notes = made.changes.front().notes;
    for (std::string& note : machine_notes(options.root, wish)) notes.push_back(std::move(note));
  }
  return outcome_json({std::move(made), false, {}, {}});
}

Result<Json> history(const PolicyOptions& options) {
  if (auto answer = ask_service(options.root, "history", Json::object(), work_limit)) {
    return *std::move(answer);
  }
  const auto found = TRY(policy::read_history(options.root));
  return history_json(found);
}

void print_entry(const Json& entry, const Paint& paint, std::ostream& out) {
  const auto shown = [&](const char* member) { return printable(text_at(entry, member)); };
  out << paint.bold(shown("time") + " " + shown("verb")) << " by uid "
      << entry.at("uid").get<uid_t>();
  if (!entry.at("sudo_uid").is_null()) {
    out << ", sudo for uid " << entry.at("sudo_uid").get<uid_t>();
  }
  const char* separator = ": ";
  for (const Json& browser : entry.at("browsers")) {
    out << std::exchange(separator, ", ") << printable(browser.get<std::string>());
  }
  out << "\n  plan " << shown("plan") << ", result " << shown("result") << "\n";
  if (const auto reason = shown("reason"); !reason.empty()) out << "  " << reason << "\n";
}

int print_history(const PolicyOptions& options, const Json& found, std::ostream& out,
                  std::ostream& err) {
  if (options.json) {
    print_success(found, out);
    return 0;
  }
  const Paint paint(options.colour);
  for (const Json& entry : found.at("entries")) print_entry(entry, paint, out);
  if (found.at("entries").empty()) out << "icelock applied and reverted nothing here.\n";
  if (const auto skipped = found.at("skipped").get<std::size_t>(); skipped > 0) {
    err << "icelock: " << skipped
        << (skipped == 1 ? " line of the history was" : " lines of the history were")
        << " cut off or spoilt, and skipped\n";
  }
  return 0;
}

// `print` gives the exit code. What it reads may come from an icelockd of another version.
template <class Print>
int finish(const PolicyOptions& options, const Result<Json>& answer, const Print& print,
           std::ostream& out, std::ostream& err) {
  if (!answer) return report(options, answer.error(), out, err);
  try {
    return print(*answer);
  } catch (const Json::exception& problem) {
    const Error error{Code::internal, "icelockd gave no such answer", problem.what()};
    return report(options, error, out, err);
  }
}

}  // namespace

int report(const PolicyOptions& options, const Error& error, std::ostream& out, std::ostream& err) {
  return report_error(error, {out, err, options.json, options.colour});
}

int run_plan(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto print = [&](const Json& outcome) {
    const bool pending = outcome.at("pending").get<bool>();
    const std::string verdict =
        pending ? next_step(options, text_at(outcome, "fingerprint")) : "Nothing to do.";
    print_outcome(options, outcome, verdict, out, err);
    return pending ? changes_pending : 0;
  };
  return finish(options, plan(options), print, out, err);
}

int run_apply(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  if (options.fingerprint.empty() && !options.unplanned) return run_plan(options, out, err);
  const auto print = [&](const Json& outcome) {
    print_outcome(options, outcome, changes_files(outcome) ? "Applied." : "Nothing to do.", out,
                  err);
    return outcome.at("problems").empty() ? 0 : not_obeyed;
  };
  return finish(options, apply(options), print, out, err);
}

int run_revert(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto print = [&](const Json& outcome) {
    const bool nothing = outcome.at("changes").empty();
    print_outcome(options, outcome,
                  nothing ? "Nothing to do: icelock changed nothing here." : "Reverted.", out, err);
    return 0;
  };
  return finish(options, revert(options), print, out, err);
}

int run_history(const PolicyOptions& options, std::ostream& out, std::ostream& err) {
  const auto print = [&](const Json& found) { return print_history(options, found, out, err); };
  return finish(options, history(options), print, out, err);
}

}  // namespace icelock::app
