// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace icelock::app {

/// The two listening sockets of icelockd, and which of them are ours to remove at the end.
struct Doors {
  Fd frames;
  Fd http;
  std::vector<std::filesystem::path> own;
};

/// Those that systemd passed (sd_listen_fds, by the names "host" and "http"); else run/icelock/
/// host.sock and http.sock below `root` are made, open to everybody because the kernel's word on
/// the peer decides what it may do. Errors: busy when another icelockd serves there, io,
/// unsafe_path.
Result<Doors> open_doors(const std::filesystem::path& root);
/// Whether clients still find both sockets, wherever they came from.
bool doors_are_there(const std::filesystem::path& root);

}  // namespace icelock::app
