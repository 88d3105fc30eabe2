// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace icelock {

/// The whole file as bytes. Follows symlinks; files that a privileged program trusts are read by
/// policy/store.h. Never waits for another program, as opening a FIFO would. Errors: not_found,
/// not_permitted, io; too_large above `limit`; unsafe_path when not a regular file.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit = 1 << 20);

/// Replaces a file of the user's own (settings, a manifest in the home folder): temporary file
/// beside it, fsync, rename, fsync of the folder. Folders on the way are made. The old file is
/// whole until the new one is. A symlink at `path` itself gives way to the new file and its target
/// is not touched; symlinks among the folders are followed. Not for policy folders, where the
/// browser parses every file: see policy/store.h.
Result<void> replace_file(const std::filesystem::path& path, std::string_view bytes,
                          unsigned mode = 0644);

/// All of `bytes`, however many calls that takes. Error io, with `path` as the object.
Result<void> write_all(int fd, std::string_view bytes, const std::string& path);

}  // namespace icelock
