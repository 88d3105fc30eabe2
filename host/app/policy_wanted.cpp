// SPDX-License-Identifier: Apache-2.0
#include "app/policy_wanted.h"

#include <algorithm>
#include <utility>

#include "app/policy_work.h"
#include "app/requests.h"
#include "guard/settings.h"
#include "policy/browsers.h"

namespace icelock::app {
namespace {

using ipc::Json;
using policy::Browser;

constexpr std::string_view settings_file = "etc/icelock/icelock.json";

Result<guard::Settings> admins_settings(const std::filesystem::path& root) {
  return guard::load_settings({.admin = root / settings_file, .user = {}, .kept = {}});
}

// A document is for the browsers that are installed, and for those that it names.
std::vector<const Browser*> meant_browsers(const std::filesystem::path& root,
                                           const guard::PolicyDocument& document,
                                           const std::vector<std::string>& ids) {
  std::vector<const Browser*> result;
  for (const Browser& browser : policy::browsers()) {
    const bool meant =
        document.browsers.contains(std::string(browser.id)) || policy::is_installed(browser, root);
    const bool chosen = std::ranges::find(ids, browser.id) != ids.end();
    if (ids.empty() ? meant : chosen) result.push_back(&browser);
  }
  return result;
}

// The guard's settings are for the machine, not for a browser. The ids that an admin listed there
// stay beside the document's.
void add_settings(const guard::PolicyDocument& document, const Result<guard::Settings>& admins,
                  policy::Wanted& wanted) {
  if (document.settings.empty()) return;
  auto& own = wanted[std::string(policy::settings_id)].settings;
  own = document.settings;
  const auto ids = own.find("extensions");
  if (ids == own.end() || !admins) return;
  Json all = admins->extensions;
  for (const Json& id : Json::parse(ids->second)) {
    if (std::ranges::find(all, id) == all.end()) all.push_back(id);
  }
  ids->second = all.dump();
}

// What an earlier document stated and this one leaves out goes back. What the service writes by
// itself is no document's to take back. Who cannot read the ledger gets another plan, and is told.
Result<void> add_left_out(const std::filesystem::path& root, const Result<guard::Settings>& admins,
                          policy::Wanted& wanted) {
  const bool service_writes = !admins || admins->manage_policies;
  auto done = policy::Store(root).add_left_out(wanted, service_writes);
  if (!done && done.error().code == Code::not_permitted) return {};
  return done;
}

std::string joined(const std::map<std::string, std::string>& members) {
  std::string keys;
  for (const auto& [key, value] : members) keys += (keys.empty() ? "" : ", ") + key;
  return keys;
}

}  // namespace

Result<PolicyWish> wish_field(const Json& body) {
  PolicyWish wish;
  const Json ids = body.value("browsers", Json::array());
  const auto is_text = [](const Json& id) { return id.is_string(); };
  if (!ids.is_array() || !std::ranges::all_of(ids, is_text)) {
    return fail(Code::bad_request, "must be a list of ids", "browsers");
  }
  wish.browsers = ids.get<std::vector<std::string>>();
  wish.level = TRY(level_field(body, "level"));
  if (const auto document = body.find("document"); document != body.end()) {
    wish.document = TRY(guard::parse_policy_document(document->dump(), "document"));
  }
  return wish;
}

Result<policy::Wanted> wanted(const std::filesystem::path& root, const PolicyWish& wish) {
  if (!wish.document) {
    const auto browsers = TRY(chosen_browsers(root, wish.browsers));
    return same_level(browsers, wish.level.value_or(default_level));
  }
  const auto admins = admins_settings(root);
  policy::Wanted wanted =
      wish.document->wanted(meant_browsers(root, *wish.document, wish.browsers));
  if (wish.browsers.empty()) {
    add_settings(*wish.document, admins, wanted);
    TRY(add_left_out(root, admins, wanted));
  }
  if (wanted.empty()) {
    return fail(Code::not_found, "the document is about no browser that is installed");
  }
  return wanted;
}

bool is_managed(const std::filesystem::path& root) {
  const auto admins = admins_settings(root);
  return admins && admins->manage_policies;
}

Result<void> check_unmanaged(const Result<policy::Wanted>& wanted) {
  const auto is_settings = [](const auto& one) { return one.first == policy::settings_id; };
  if (wanted && !wanted->empty() && std::ranges::all_of(*wanted, is_settings)) return {};
  return fail(Code::busy, "icelockd manages the policies itself",
              "manage_policies in /" + std::string(settings_file));
}

std::vector<std::string> machine_notes(const std::filesystem::path& root, const PolicyWish& wish) {
  std::vector<std::string> notes;
  if (!wish.document) return notes;
  const auto& settings = wish.document->settings;
  if (!wish.browsers.empty() && !settings.empty()) {
    notes.push_back("--browser leaves out what the document sets for the whole machine: " +
                    joined(settings));
  }
  const auto admins = admins_settings(root);
  if (admins && !settings.contains("floor") && goes_below(*wish.document, admins->floor)) {
    notes.push_back("icelock keeps to the stricter floor of /" + std::string(settings_file) + ", " +
                    std::string(name(admins->floor)));
  }
  return notes;
}

}  // namespace icelock::app
