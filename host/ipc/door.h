// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/fd.h"
#include "ipc/codec.h"
#include "ipc/frame.h"

namespace icelock::ipc {

/// What the clients of a door may cost. Root is excepted where it says "of one user", and may have
/// twice the others' number in all, so that nobody takes its place; all whom the kernel cannot name
/// are one user.
struct Limits {
  std::size_t clients = 1024;
  std::size_t clients_of_one_user = 512;
  std::size_t requests_of_one_user = 8;  ///< under way at once, root's too
  std::size_t streams = 32;              ///< connections that `subscribe` keeps for itself
  std::size_t streams_of_one_user = 16;
  std::uint32_t request = accept_limit;  ///< in bytes; for HTTP, the body's
  std::uint32_t request_of_root = root_accept_limit;
  std::chrono::milliseconds read{5000};   ///< from a request's beginning to its last byte
  std::chrono::milliseconds write{5000};  ///< from the first byte that had to wait to the last
  std::optional<std::chrono::milliseconds> answer =
      std::nullopt;                            ///< none: an answer may take any time
  std::chrono::milliseconds heartbeat{15000};  ///< of a stream, after its last event
};

struct Door {
  Fd listening;  ///< a Unix stream socket that listens, made by us or by systemd; only ever closed
  std::unique_ptr<Codec> (*codec)(std::uint32_t most_request) = nullptr;
  /// A connection is one request, which begins when it is accepted, and ends with the answer; or it
  /// is a stream when that request is `subscribe`. Who is late with it is told so before the end.
  bool one_request = false;
  Limits limits;
};

/// Both doors of icelockd, as docs/protocol.md has them.
Door frames_door(Fd listening);
Door http_door(Fd listening);

}  // namespace icelock::ipc
