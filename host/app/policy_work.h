// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/level.h"
#include "ipc/message.h"
#include "policy/audit.h"
#include "policy/history.h"
#include "policy/manifest.h"
#include "policy/store.h"

// What `icelock` and icelockd both do with browser policies, and how a plan travels between them.

namespace icelock::app {

/// How a plan came out.
struct Outcome {
  policy::Plan plan;
  bool done = false;
  std::vector<std::string> problems;  ///< what does not hold although it was done
  std::string unrecorded;             ///< why it is not in the history; empty: nothing is wrong
};

/// The browsers of these ids; none given: all that are installed below `root`. Error: not_found.
Result<std::vector<const policy::Browser*>> chosen_browsers(const std::filesystem::path& root,
                                                            const std::vector<std::string>& ids);

/// This level for each of them.
policy::Wanted same_level(const std::vector<const policy::Browser*>& browsers, Level level);

/// What apply would do. Errors: those of Store::plan, and bad_settings when the guard would refuse
/// the settings file that the plan leaves.
Result<policy::Plan> make_plan(const std::filesystem::path& root, const policy::Wanted& wanted,
                               const policy::Upkeep& upkeep = {});

/// Plans and applies, writes that down in the history, and reads back what is in force then.
/// `expected`: the fingerprint of the plan that was looked at; error `changed` when this one is not
/// the same.
Result<Outcome> apply_policies(const std::filesystem::path& root, const policy::Wanted& wanted,
                               const policy::Asked& asked, const std::string& expected = {});
/// Plans and reverts these browsers (none given: all that icelock changed), and writes that down.
Result<Outcome> revert_policies(const std::filesystem::path& root,
                                const std::vector<std::string>& ids, const policy::Asked& asked);

/// policy::audit() with the guard's word on its settings file.
Result<policy::Audit> audit_machine(const std::filesystem::path& root,
                                    const std::optional<policy::Wanted>& wanted = {});

/// The members of docs/protocol.md, "History".
ipc::Json history_json(const policy::History& history);
/// The arguments `reason` and `sudo_uid` of a request by `uid`. Error: bad_request.
Result<policy::Asked> asked_field(const ipc::Json& body, uid_t uid);

/// The members of docs/protocol.md, "Plan".
ipc::Json outcome_json(const Outcome& outcome);

std::string_view kind_name(policy::Change::Kind kind);

}  // namespace icelock::app
