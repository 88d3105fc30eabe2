// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/level.h"
#include "policy/browsers.h"

// The only writer of browser policy. Every path lies below one root ("/" or the --root of a test or
// image).
//
// Safety: each folder from the root down is opened without following symlinks and must belong to
// root or to the caller and not be writable by others; a file is staged outside the folder that the
// browser watches (Chromium parses every file in it), fsynced, renamed in, and the folders are
// fsynced. The ledger, which says what was there before, is on disk before the first policy file
// changes.

namespace icelock::policy {

/// One key as the browser would see it.
struct KeyChange {
  std::string key;     ///< "WebRtcIPHandling", "media.peerconnection.ice.proxy_only"
  std::string before;  ///< JSON text in force now (from whichever file wins); empty: not set
  std::string after;   ///< JSON text that would be in force; empty: not set
};

struct Change {
  enum class Kind { none, create, replace, remove };
  std::string browser;         ///< id
  std::filesystem::path path;  ///< absolute, root included
  Kind kind = Kind::none;
  std::string before;  ///< the file's bytes now
  std::string after;   ///< the file's bytes to be
  std::vector<KeyChange> keys;
  /// What a person must know: who else sets a key and who wins, a restart that Firefox needs, a
  /// level that the browser does not have.
  std::vector<std::string> notes;
};

struct Plan {
  std::vector<Change> changes;  ///< one per browser asked for, kind none included
  bool pending() const;
};

/// The levels to install; browsers that are not in the map are left alone.
using Wanted = std::map<std::string, Level>;

class Store {
 public:
  explicit Store(std::filesystem::path root);

  /// What apply would do. Reads only. Errors: not_found for an unknown browser id, bad_policy_file,
  /// unsafe_path, io.
  Result<Plan> plan(const Wanted& wanted) const;

  /// What revert would do to these browsers (empty: all that the ledger names). Reads only.
  Result<Plan> plan_revert(const std::vector<std::string>& browser_ids) const;

  /// Does exactly `plan`, all or nothing: a failure half-way puts back what was done. Error
  /// `changed` when a file is no longer as the plan saw it, busy when another icelock holds the
  /// ledger.
  Result<void> apply(const Plan& plan);

  /// Restores what the ledger says was there. A file that nobody else touched since comes back byte
  /// for byte (content, mode, modification time; folders that apply made are removed when empty);
  /// in one that others edited since, only icelock's keys are put back as they were.
  Result<void> revert(const Plan& plan);

  /// The level that all installed policy files of this browser together ask for (the file that
  /// wins, its owner whoever it is); nullopt when none sets one.
  Result<std::optional<Level>> installed(const Browser& browser) const;

 private:
  std::filesystem::path root_;
};

}  // namespace icelock::policy
