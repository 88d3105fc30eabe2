// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/browsers.h"
#include "policy/ledger.h"
#include "policy/render.h"
#include "policy/store.h"
#include "policy/tree.h"

// The files that the store may write, and how one of them is put back. Private to policy/.

namespace icelock::policy {

struct Target {
  const Browser* browser = nullptr;
  std::string path;          ///< the file, below the root
  std::string stage_folder;  ///< outside the folder that the browser watches
  bool recommended = false;  ///< in the folder whose policies an extension may change
};

/// The modification time of every Chromium file that the service writes: 2020-01-01.
inline constexpr std::int64_t service_mtime_ns = 1'577'836'800'000'000'000;

std::vector<Target> targets(const Browser& browser);
/// The file of the same name in recommended/ beside managed/ (Chromium policy_paths.cc): what it
/// says applies until an extension, or a mandatory policy, says otherwise. Nowhere for Firefox,
/// whose one file can say both.
std::optional<Target> recommended_beside(const Target& target);
/// Every browser's target at this path, the recommended ones too; empty when no browser reads it.
std::vector<Target> targets_at(std::string_view path);

/// A browser, or the owner of the settings file.
const Browser* find_target_browser(std::string_view id);

/// Store::plan() on this tree.
Result<Plan> plan_on(const Tree& tree, const Wanted& wanted, const Upkeep& upkeep = {});

/// `text` without the keys that icelock wrote into this file and that are not among `kept`: they
/// are as they were before icelock.
Result<std::string> without_stale_keys(const LedgerFile& file, const Browser& browser,
                                       std::string text, const std::vector<PolicyEntry>& kept);

/// Whether `text` has a key that icelock may have written and that is not among `kept`.
bool has_other_keys(const Browser& browser, std::string_view text,
                    const std::vector<PolicyEntry>& kept);

/// A file as it is and as revert would leave it.
struct Restoration {
  std::optional<FileState> now;
  std::optional<FileState> then;
  std::vector<std::string> notes;
};

/// Untouched since icelock wrote it: the original. Edited since: icelock's keys as they were
/// before, the rest as it is now; a key that somebody else has set to something else is theirs and
/// stays. Taken away by somebody: stays away. Errors: bad_policy_file, and those of Tree::read.
Result<Restoration> restoration(const Tree& tree, const LedgerFile& file);

/// The keys of icelock's that are not, in `bytes`, as icelock wrote them last.
std::vector<std::string> changed_keys(const LedgerFile& file, const Browser& browser,
                                      const std::string& bytes);

/// The keys and notes of a change from `before` to `after`, as `target`'s browser would see it.
Result<void> describe(const Tree& tree, const Target& target,
                      const std::optional<std::string>& before,
                      const std::optional<std::string>& after, Change& change);

/// The same error with the file's path as its object.
std::unexpected<Error> at_file(Error error, const std::string& shown);

}  // namespace icelock::policy
