// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

// Files below one root, for a privileged program. Every folder from the root down is opened one
// component at a time without following symlinks, and must belong to root or to the effective user
// and be writable by nobody else. A sticky bit does not excuse a folder that everybody may write:
// anybody could put a policy file there. Private to policy/.

namespace icelock::policy {

/// A file as it is, or is to be.
struct FileState {
  std::string bytes;
  unsigned mode = 0644;
  uid_t uid = 0;
  gid_t gid = 0;
  std::int64_t mtime_ns = 0;  ///< since 1970

  /// A policy file that the browser's user cannot read fails open.
  bool is_open_to_all() const { return (mode & 0444U) == 0444U; }
  bool operator==(const FileState&) const = default;
};

std::int64_t now_ns();  ///< since 1970

/// One of this process's own, changed now.
FileState new_file(std::string bytes, unsigned mode = 0644);

inline std::optional<std::string> bytes_of(const std::optional<FileState>& state) {
  return state ? std::optional(state->bytes) : std::nullopt;
}

/// "etc/chromium/policies" of "etc/chromium/policies/managed"; empty for the root itself.
std::string parent_of(std::string_view path);
std::string leaf_of(std::string_view path);

class Tree {
 public:
  /// Symlinks in `root` itself are followed: it is the caller's own word. Errors: not_found,
  /// unsafe_path.
  static Result<Tree> open(const std::filesystem::path& root);

  /// One in which there is nothing, for what a plan would be on such a machine.
  static Tree empty() { return {{}, Fd()}; }

  /// For messages: the path with the root before it.
  std::filesystem::path shown(std::string_view path) const;

  /// Paths here and below are relative to the root, without "." and "..". Errors: not_found,
  /// unsafe_path, not_permitted, io.
  Result<Fd> folder(std::string_view path) const;
  bool has_folder(std::string_view path) const;

  /// nullopt when it or a folder on the way is not there. Errors: as above; unsafe_path also for a
  /// symlink, for what is no regular file, and for one that others may write; too_large above 16
  /// MiB.
  Result<std::optional<FileState>> read(std::string_view path) const;

  /// A file of somebody else as a browser would read it, symlinks followed but not out of the root.
  /// nullopt: there is none that everybody may read.
  std::optional<std::string> read_as_browser(std::string_view path) const;

  /// Whether every user may list this folder and pass those on the way to it, as a browser must;
  /// true when the folder is not there.
  bool is_open_to_all(std::string_view path) const;

  /// The names of what is no folder, in byte order; empty when the folder is not there.
  Result<std::vector<std::string>> names(std::string_view path) const;

  /// The folders that make_folders would have to make, outermost first.
  Result<std::vector<std::string>> missing_folders(std::string_view path) const;

  /// Makes one folder with this mode whatever the umask is, and syncs its parent.
  Result<void> make_folder(std::string_view path, unsigned mode = 0755) const;

  /// Removes folders that are empty, last first; others stay. An error is about an empty one that
  /// could not be removed; the rest is tried all the same.
  Result<void> remove_empty_folders(const std::vector<std::string>& paths) const;

 private:
  Tree(std::filesystem::path root, Fd fd) : root_(std::move(root)), fd_(std::move(fd)) {}

  std::filesystem::path root_;
  Fd fd_;
};

/// For what is tried on the way out of a failure, whose own error is the one to report, and for
/// clearing up that the next run repeats.
inline void best_effort(const Result<void>&) {}

/// Reads everything from a descriptor. Errors: io, too_large above 16 MiB.
Result<FileState> read_state(int fd, const std::string& shown);

}  // namespace icelock::policy
