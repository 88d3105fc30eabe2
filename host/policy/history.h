// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/store.h"

// Who changed browser policy, when and why: one JSON object a line in
// var/lib/icelock/history.jsonl. It lies beside the ledger and outlives it, so it is no part of
// what revert restores; a purge of the package takes it away. Everybody may read it. What a service
// writes by itself when the network changes is not in it.

namespace icelock::policy {

/// Who asked, and what for.
struct Asked {
  uid_t uid = 0;                  ///< the kernel's word
  std::optional<uid_t> sudo_uid;  ///< who called sudo, as sudo and root say; no proof
  std::string reason;             ///< as clean_reason() gives it; may be empty
};

struct HistoryEntry {
  std::string time;  ///< "2026-11-24T11:47:05Z"
  std::string verb;  ///< "apply", "revert"
  Asked asked;
  std::vector<std::string> browsers;  ///< ids of those whose files changed
  std::string plan;                   ///< the plan's fingerprint
  std::string result;  ///< the fingerprint of the same files as they were read back afterwards
};

struct History {
  std::vector<HistoryEntry> entries;  ///< the oldest first
  std::size_t skipped = 0;            ///< lines that cannot be understood: cut off by a crash, say
};

/// The reason as it is kept: one line, every control character a blank, nothing that turns text
/// around on a terminal. Error bad_request, object "reason": not UTF-8, or more than 300 bytes.
Result<std::string> clean_reason(std::string_view text);

/// Adds what was done by `plan`. The line is on disk when this returns; one that a crash cut off
/// before is ended first. Beyond 256 KiB the older half goes. Errors: busy, and those of writing;
/// then nothing was added.
Result<void> record(const std::filesystem::path& root, std::string_view verb, const Asked& asked,
                    const Plan& plan);

/// Errors: unsafe_path, not_permitted, io.
Result<History> read_history(const std::filesystem::path& root);

}  // namespace icelock::policy
