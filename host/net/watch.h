// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.h"
#include "base/fd.h"

namespace icelock::net {

/// Says "look again" when links, addresses, routes or rules change. Never says what changed: the
/// caller takes a fresh snapshot.
class Watch {
 public:
  /// Subscribes to link, address, route and rule changes of both families. Error: probe_failed; the
  /// caller then polls every two seconds instead.
  static Result<Watch> open();

  /// Readable when drain() has something to say. Valid as long as the Watch.
  int fd() const { return socket_.get(); }

  /// Takes all that is queued, without blocking. True when something may have changed: any message
  /// from the kernel, lost messages (ENOBUFS), or a message that is not understood. Messages from
  /// other processes are dropped and do not count.
  bool drain();

 private:
  explicit Watch(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

/// Tells whether routes changed, by the kernel's messages about routes, nexthops, rules and links.
/// Not for two threads at once.
class RoutesWatch {
 public:
  /// Whether what was read before the last call may no longer hold. The first call, lost messages,
  /// one that is not understood, and no socket: true.
  bool changed();

 private:
  Fd socket_;
};

}  // namespace icelock::net
