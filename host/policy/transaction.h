// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "policy/tree.h"

// Several whole-file changes, all or none. Private to policy/.

namespace icelock::policy {

struct FileChange {
  std::string path;                 ///< below the tree's root
  std::optional<FileState> before;  ///< as it must still be; nullopt: no file
  std::optional<FileState> after;   ///< nullopt: no file
  std::string stage_folder;  ///< where the new file is written first; on the same file system
};

/// Removes what a killed icelock left in `stage_folder` for this path. Never touches the path
/// itself.
Result<void> remove_leftovers(const Tree& tree, const std::string& path,
                              const std::string& stage_folder);

/// stage() every change, then commit() all; until finish() roll_back() puts the old files back with
/// their inodes, so it needs no space on the disk and keeps mode, owner and time. Destroying an
/// unfinished transaction rolls it back. A kill at any moment leaves each file whole, old or new.
class Transaction {
 public:
  explicit Transaction(const Tree& tree) : tree_(tree) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() { roll_back(); }

  /// Writes and syncs the new file beside its target's folder. Errors: no_space, io, not_permitted,
  /// unsafe_path.
  Result<void> stage(FileChange change);

  /// Puts all staged files in place and syncs. Error `changed` when a file is not as `before` says;
  /// unavailable when the target's folder is a mount of its own. Rolls back by itself on failure.
  Result<void> commit();

  /// Keeps what was committed; only now do the old files go. An error means that one of them is
  /// still there, beside the folder of its successor.
  Result<void> finish();

  void roll_back();

 private:
  struct Step {
    FileChange change;
    bool linked = false;   // the old file has a second name
    bool changed = false;  // the target is the new file, or gone
  };
  Result<void> commit_one(Step& step);

  const Tree& tree_;
  std::vector<Step> steps_;
  bool finished_ = false;
};

/// Makes these folders and commits these changes in their order; finish() is the caller's. After a
/// failure neither is there.
Result<void> put_in_place(const Tree& tree, const std::vector<std::string>& folders,
                          std::vector<FileChange> files, Transaction& transaction);

}  // namespace icelock::policy
