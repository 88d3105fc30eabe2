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

/// What lies on the disk of one browser: whether it is there, and what its policy files of all
/// owners together set.
struct BrowserFiles {
  const policy::Browser* browser;
  bool installed;
  Result<std::optional<Level>> level;
};

/// One for each known browser. Reads and parses every policy file of the machine, so nothing that a
/// lock waits for may wait for this.
std::vector<BrowserFiles> read_browser_files(const std::filesystem::path& root,
                                             const std::vector<policy::SiteException>& sites);

/// One row for each of `files`. `reports_are_ours`: they answer states of this very guard, so their
/// serials can be compared with its own. Pure.
std::vector<BrowserStatus> browser_statuses(const std::vector<BrowserFiles>& files,
                                            const guard::State& state,
                                            const std::vector<Report>& reports,
                                            bool reports_are_ours);
ipc::Json browsers_json(const std::vector<BrowserStatus>& browsers);

/// Its members "network" (none: the network could not be read) and "reasons".
ipc::Json network_json(const std::optional<net::Network>& network);
ipc::Json reasons_json(const std::vector<guard::Reason>& reasons);

/// The object of docs/protocol.md, "State", without what needs the disk or the service ("browsers",
/// "service" and "sites").
ipc::Json state_json(const guard::State& state);

}  // namespace icelock::app
