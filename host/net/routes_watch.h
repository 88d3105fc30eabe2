// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "base/fd.h"

namespace icelock::net {

/// Tells whether routes changed, by the kernel's messages about routes, nexthops, rules and links.
/// Not for two threads at once.
class RoutesWatch {
 public:
  /// Whether what was read before the last call may no longer hold. The first call, lost messages,
  /// one that is not understood, and no socket: true.
  bool changed();

 private:
  /// Reads one message. False when the queue is empty or can't be read.
  bool next(bool& changed);

  Fd socket_;
  std::vector<std::byte> buffer_;
};

}  // namespace icelock::net
