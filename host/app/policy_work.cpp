// SPDX-License-Identifier: Apache-2.0
#include "app/policy_work.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/requests.h"
#include "guard/settings.h"

namespace icelock::app {
namespace {

using ipc::Json;
using policy::Browser;
using policy::Change;
using policy::Plan;

constexpr std::array<std::string_view, 4> kind_names = {"none", "create", "replace", "remove"};

// A value of a policy as JSON rather than as text of JSON; null when it is not set.
Json value_of(const std::string& text) {
  if (text.empty()) return nullptr;
  auto value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json(text) : value;
}

// More text of files than this in one answer is left out: it must never be too large to be sent,
// when what it tells of was done.
constexpr std::size_t most_text = 8 << 20;

Json to_json(const Change& change, std::size_t& text_left) {
  const std::size_t text = change.before.size() + change.after.size();
  const bool whole = text <= text_left;
  if (whole) text_left -= text;
  Json keys = Json::array();
  for (const policy::KeyChange& key : change.keys) {
    keys.push_back(
        {{"key", key.key}, {"before", value_of(key.before)}, {"after", value_of(key.after)}});
  }
  return {{"browser", change.browser},
          {"path", change.path.string()},
          {"kind", kind_name(change.kind)},
          {"keys", keys},
          {"before", whole ? change.before : ""},
          {"after", whole ? change.after : ""},
          {"notes", change.notes}};
}

// A history that cannot be written is no reason to take back what was done, but must be said.
std::string write_down(const std::filesystem::path& root, std::string_view verb,
                       const policy::Asked& asked, const Plan& plan) {
  if (!plan.pending()) return {};
  const auto done = policy::record(root, verb, asked, plan);
  return done ? std::string() : to_string(done.error());
}

}  // namespace

std::string_view kind_name(Change::Kind kind) {
  return kind_names[static_cast<std::size_t>(kind)];
}

Result<std::vector<const Browser*>> chosen_browsers(const std::filesystem::path& root,
                                                    const std::vector<std::string>& ids) {
  std::vector<const Browser*> found;
  for (const std::string& id : ids) {
    found.push_back(policy::find_browser(id));
    if (found.back() == nullptr) return fail(Code::not_found, "no such browser", id);
  }
  if (!ids.empty()) return found;
  for (const Browser& browser : policy::browsers()) {
    if (policy::is_installed(browser, root)) found.push_back(&browser);
  }
  if (found.empty()) {
    return fail(Code::not_found,
                "no browser that icelock knows is installed; name one with --browser",
                root == "/" ? "" : root.string());
  }
  return found;
}

policy::Wanted same_level(const std::vector<const Browser*>& browsers, Level level) {
  policy::Wanted wanted;
  for (const Browser* browser : browsers) wanted[std::string(browser->id)] = level;
  return wanted;
}

Result<Plan> make_plan(const std::filesystem::path& root, const policy::Wanted& wanted,
                       const policy::Upkeep& upkeep) {
  auto plan = TRY(policy::Store(root).plan(wanted, upkeep));
  for (const Change& change : plan.changes) {
    if (change.browser != policy::settings_id) continue;
    // A guard that refuses its settings keeps to older ones: what the plan says would not hold.
    TRY(guard::check_settings(change.after, change.path));
  }
  return plan;
}

Result<Outcome> apply_policies(const std::filesystem::path& root, const policy::Wanted& wanted,
                               const policy::Asked& asked, const std::string& expected) {
  auto plan = TRY(make_plan(root, wanted));
  // Where all is as wanted already, as after an answer that was lost, there is nothing to refuse.
  if (!expected.empty() && plan.fingerprint() != expected && plan.pending()) {
    return fail(Code::changed, "the plan is another one now", plan.fingerprint());
  }
  TRY(policy::Store(root).apply(plan));
  const std::string unrecorded = write_down(root, "apply", asked, plan);
  return Outcome{std::move(plan), true, policy::not_in_force(root, wanted), unrecorded};
}

Result<Outcome> revert_policies(const std::filesystem::path& root,
                                const std::vector<std::string>& ids, const policy::Asked& asked) {
  policy::Store store(root);
  auto plan = TRY(store.plan_revert(ids));
  // Also without a change: a ledger of files that others have put back must go.
  TRY(store.revert(plan));
  const std::string unrecorded = write_down(root, "revert", asked, plan);
  return Outcome{std::move(plan), true, {}, unrecorded};
}

Result<policy::Audit> audit_machine(const std::filesystem::path& root,
                                    const std::optional<policy::Wanted>& wanted) {
  const auto settings =
      guard::load_settings({.admin = guard::settings_paths(root).admin, .user = {}, .kept = {}});
  return policy::audit(root, wanted, settings ? std::nullopt : std::optional(settings.error()));
}

Json outcome_json(const Outcome& outcome) {
  Json changes = Json::array();
  std::size_t text_left = most_text;
  for (const Change& change : outcome.plan.changes) changes.push_back(to_json(change, text_left));
  Json json = {{"pending", outcome.plan.pending() && !outcome.done},
               {"fingerprint", outcome.plan.fingerprint()},
               {"done", outcome.done},
               {"changes", changes},
               {"problems", outcome.problems}};
  if (!outcome.unrecorded.empty()) json["unrecorded"] = outcome.unrecorded;
  return json;
}

Json history_json(const policy::History& history) {
  Json entries = Json::array();
  for (const policy::HistoryEntry& each : history.entries) {
    Json entry = {{"time", each.time},   {"verb", each.verb},           {"uid", each.asked.uid},
                  {"sudo_uid", nullptr}, {"reason", each.asked.reason}, {"browsers", each.browsers},
                  {"plan", each.plan},   {"result", each.result}};
    if (each.asked.sudo_uid) entry["sudo_uid"] = *each.asked.sudo_uid;
    entries.push_back(std::move(entry));
  }
  return {{"entries", std::move(entries)}, {"skipped", history.skipped}};
}

Result<policy::Asked> asked_field(const Json& body, uid_t uid) {
  policy::Asked asked{uid, {}, {}};
  if (body.contains("reason")) {
    const auto text = TRY(ipc::string_field(body, "reason"));
    asked.reason = TRY(policy::clean_reason(text));
  }
  if (body.contains("sudo_uid")) {
    const auto who = TRY(ipc::unsigned_field(body, "sudo_uid"));
    if (who >= static_cast<uid_t>(-1)) return fail(Code::bad_request, "no user id", "sudo_uid");
    asked.sudo_uid = static_cast<uid_t>(who);
  }
  return asked;
}

}  // namespace icelock::app
