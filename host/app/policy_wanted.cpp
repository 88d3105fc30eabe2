// SPDX-License-Identifier: Apache-2.0
#include "app/policy_wanted.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/policy_work.h"
#include "guard/settings.h"
#include "guard/settings_document.h"
#include "policy/browsers.h"

namespace icelock::app {
namespace {

using policy::Browser;

constexpr std::string_view settings_file = "etc/icelock/icelock.json";

Result<guard::Settings> admins_settings(const PolicyOptions& options) {
  return guard::load_settings({.admin = options.root / settings_file, .user = {}, .kept = {}});
}

bool is_chosen(const PolicyOptions& options, const Browser& browser) {
  return std::ranges::find(options.browsers, browser.id) != options.browsers.end();
}

// A document is for the browsers that are installed, and for those that it names.
std::vector<const Browser*> meant_browsers(const PolicyOptions& options,
                                           const guard::PolicyDocument& document) {
  std::vector<const Browser*> result;
  for (const Browser& browser : policy::browsers()) {
    const bool meant = document.browsers.contains(std::string(browser.id)) ||
                       policy::is_installed(browser, options.root);
    if (options.browsers.empty() ? meant : is_chosen(options, browser)) result.push_back(&browser);
  }
  return result;
}

// The guard's settings are for the machine, not for a browser. The ids that an admin listed there
// stay beside the document's.
void add_settings(const guard::PolicyDocument& document, const Result<guard::Settings>& admins,
                  policy::Wanted& wanted) {
  if (document.settings.empty()) return;
  policy::WantedPolicy& own = wanted[std::string(policy::settings_id)];
  own = policy::WantedPolicy(Level::unrestricted);
  own.states_level = false;
  own.settings = document.settings;
  const auto ids = own.settings.find("extensions");
  if (ids == own.settings.end() || !admins) return;
  ipc::Json all = admins->extensions;
  for (const ipc::Json& id : ipc::Json::parse(ids->second)) {
    if (std::ranges::find(all, id) == all.end()) all.push_back(id);
  }
  ids->second = all.dump();
}

// What an earlier document stated and this one leaves out goes back. What the service writes by
// itself is no document's to take back. Who cannot read the ledger gets another plan, and is told.
Result<void> add_left_out(const PolicyOptions& options, const Result<guard::Settings>& admins,
                          policy::Wanted& wanted) {
  const bool service_writes = !admins || admins->manage_policies;
  auto done = policy::Store(options.root).add_left_out(wanted, service_writes);
  if (!done && done.error().code == Code::not_permitted) return {};
  return done;
}

Result<policy::Wanted> wanted_by_document(const PolicyOptions& options,
                                          const Result<guard::Settings>& admins) {
  const auto document = TRY(guard::load_policy_document(options.document));
  policy::Wanted wanted = document.wanted(meant_browsers(options, document));
  if (options.browsers.empty()) {
    add_settings(document, admins, wanted);
    TRY(add_left_out(options, admins, wanted));
  }
  if (wanted.empty()) {
    return fail(Code::not_found, "the document is about no browser that is installed",
                options.document.string());
  }
  return wanted;
}

Result<policy::Wanted> wanted_by_level(const PolicyOptions& options) {
  const auto browsers = TRY(chosen_browsers(options.root, options.browsers));
  return same_level(browsers, options.level.value_or(default_level));
}

std::string joined(const std::map<std::string, std::string>& members) {
  std::string keys;
  for (const auto& [key, value] : members) keys += (keys.empty() ? "" : ", ") + key;
  return keys;
}

}  // namespace

Result<policy::Wanted> wanted(const PolicyOptions& options) {
  const auto admins = admins_settings(options);
  auto found =
      options.document.empty() ? wanted_by_level(options) : wanted_by_document(options, admins);
  if (!found || !admins || !admins->manage_policies) return found;
  // As the service says to apply.
  const bool browsers =
      std::ranges::any_of(*found, [](const auto& one) { return one.first != policy::settings_id; });
  if (!browsers) return found;
  return fail(Code::busy, "icelockd manages the policies itself",
              "manage_policies in /" + std::string(settings_file));
}

std::vector<std::string> machine_notes(const PolicyOptions& options) {
  std::vector<std::string> notes;
  if (options.document.empty()) return notes;
  const auto document = guard::load_policy_document(options.document);
  if (!document) return notes;
  if (!options.browsers.empty() && !document->settings.empty()) {
    notes.push_back("--browser leaves out what the document sets for the whole machine: " +
                    joined(document->settings));
  }
  const auto admins = admins_settings(options);
  if (admins && !document->settings.contains("floor") && goes_below(*document, admins->floor)) {
    notes.push_back("icelock keeps to the stricter floor of /" + std::string(settings_file) + ", " +
                    std::string(name(admins->floor)));
  }
  return notes;
}

}  // namespace icelock::app
