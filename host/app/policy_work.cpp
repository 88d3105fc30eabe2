// SPDX-License-Identifier: Apache-2.0
#include "app/policy_work.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/requests.h"
#include "policy/audit.h"

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

Json to_json(const Change& change) {
  Json keys = Json::array();
  for (const policy::KeyChange& key : change.keys) {
    keys.push_back(
        {{"key", key.key}, {"before", value_of(key.before)}, {"after", value_of(key.after)}});
  }
  return {{"browser", change.browser},      {"path", change.path.string()},
          {"kind", kind_name(change.kind)}, {"keys", keys},
          {"before", change.before},        {"after", change.after},
          {"notes", change.notes}};
}

// The inner functions throw what nlohmann::json throws; outcome_of() turns that into an error.
std::string text_of(const Json& value) {
  return value.is_null() ? std::string() : value.dump();
}

Change to_change(const Json& json) {
  Change change;
  change.browser = json.at("browser").get<std::string>();
  change.path = json.at("path").get<std::string>();
  const auto* kind = std::ranges::find(kind_names, json.at("kind").get<std::string>());
  change.kind = static_cast<Change::Kind>(kind == kind_names.end() ? 0 : kind - kind_names.begin());
  change.before = json.at("before").get<std::string>();
  change.after = json.at("after").get<std::string>();
  change.notes = json.at("notes").get<std::vector<std::string>>();
  for (const Json& key : json.at("keys")) {
    change.keys.push_back(
        {key.at("key").get<std::string>(), text_of(key.at("before")), text_of(key.at("after"))});
  }
  return change;
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

Result<Outcome> apply_policies(const std::filesystem::path& root, const policy::Wanted& wanted,
                               const std::string& expected) {
  policy::Store store(root);
  auto plan = store.plan(wanted);
  if (!plan) return std::unexpected(plan.error());
  if (!expected.empty() && plan->fingerprint() != expected) {
    return fail(Code::changed, "the plan is another one now", plan->fingerprint());
  }
  if (const auto done = store.apply(*plan); !done) return std::unexpected(done.error());
  return Outcome{std::move(*plan), true, not_in_force(root, wanted)};
}

Result<Outcome> revert_policies(const std::filesystem::path& root,
                                const std::vector<std::string>& ids) {
  policy::Store store(root);
  auto plan = store.plan_revert(ids);
  if (!plan) return std::unexpected(plan.error());
  // Also without a change: a ledger of files that others have put back must go.
  if (const auto done = store.revert(*plan); !done) return std::unexpected(done.error());
  return Outcome{std::move(*plan), true, {}};
}

std::vector<std::string> not_in_force(const std::filesystem::path& root,
                                      const policy::Wanted& wanted) {
  const policy::Store store(root);
  std::vector<std::string> problems;
  for (const auto& [id, asked] : wanted) {
    const Browser* browser = policy::find_browser(id);
    if (browser == nullptr) continue;
    const auto level = store.installed(*browser, asked.sites).value_or(std::nullopt);
    if (auto problem = policy::looser_than(*browser, level, asked.level)) {
      problems.push_back(std::move(*problem));
    }
    for (const auto& site : policy::missing_exceptions(store, *browser, asked)) {
      problems.push_back(policy::missing_text(*browser, site));
    }
  }
  return problems;
}

Json wanted_json(const policy::Wanted& wanted) {
  Json result = Json::object();
  for (const auto& [id, asked] : wanted) {
    result[id] = {{"level", name(asked.level)}, {"sites", sites_json(asked.sites)}};
  }
  return result;
}

Result<std::optional<policy::Wanted>> wanted_field(const Json& body) {
  const auto found = body.find("policy");
  if (found == body.end()) return std::nullopt;
  policy::Wanted wanted;
  try {
    for (const auto& [id, asked] : found->items()) {
      if (policy::find_browser(id) == nullptr) {
        return fail(Code::not_found, "no such browser", id);
      }
      const auto level = parse_level(asked.at("level").get<std::string>());
      if (!level) return fail(Code::bad_request, "no level", "policy");
      policy::WantedPolicy& one = wanted[id] = *level;
      for (const Json& site : asked.at("sites")) {
        auto pattern = policy::normal_pattern(site.at("pattern").get<std::string>());
        if (!pattern) return std::unexpected(pattern.error());
        const auto loose = parse_level(site.at("level").get<std::string>());
        if (!loose) return fail(Code::bad_request, "no level", "policy");
        if (auto fits = policy::check_exception_level(*loose); !fits) {
          return std::unexpected(fits.error());
        }
        one.sites.push_back({std::move(*pattern), *loose});
      }
    }
  } catch (const Json::exception&) {
    return fail(Code::bad_request, "not levels and sites by browser", "policy");
  }
  return wanted;
}

Json outcome_json(const Outcome& outcome) {
  Json changes = Json::array();
  for (const Change& change : outcome.plan.changes) changes.push_back(to_json(change));
  return {{"pending", outcome.plan.pending() && !outcome.done},
          {"fingerprint", outcome.plan.fingerprint()},
          {"done", outcome.done},
          {"changes", changes},
          {"problems", outcome.problems}};
}

Result<Outcome> outcome_of(const Json& json) {
  try {
    Outcome outcome;
    outcome.done = json.at("done").get<bool>();
    outcome.problems = json.at("problems").get<std::vector<std::string>>();
    for (const Json& change : json.at("changes")) {
      outcome.plan.changes.push_back(to_change(change));
    }
    return outcome;
  } catch (const Json::exception& problem) {
    return fail(Code::internal, "icelockd gave no plan", problem.what());
  }
}

}  // namespace icelock::app
