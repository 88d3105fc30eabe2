// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/presence.h"
#include "guard/guard.h"
#include "ipc/message.h"

namespace icelock::app {

/// What one browser obeys, as read back from a running one or else from its installed policy.
struct BrowserStatus {
  std::string id;
  std::string name;
  BrowserFamily family = BrowserFamily::chromium;
  bool installed = false;
  std::optional<Level> level;
  std::string controlled_by;
  std::vector<std::string> problems;
};

/// One row for each known browser. `reports_are_ours`: they answer states of this very guard, so
/// their serials can be compared with its own.
std::vector<BrowserStatus> browser_statuses(const std::filesystem::path& root,
                                            const guard::State& state,
                                            const std::vector<Report>& reports,
                                            bool reports_are_ours);

/// Its members "network" (none: the network could not be read) and "reasons".
ipc::Json network_json(const std::optional<net::Network>& network);
ipc::Json reasons_json(const std::vector<guard::Reason>& reasons);

/// The object of docs/protocol.md, "State".
ipc::Json state_json(const guard::State& state, const std::vector<BrowserStatus>& browsers);

}  // namespace icelock::app
