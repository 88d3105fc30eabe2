// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "base/fd.h"
#include "net/network.h"

namespace icelock::net {

/// Tells whether a survey still holds, by the kernel's messages about routes, rules and links. Not
/// for two threads at once.
class WaysWatch {
 public:
  /// Whether what the survey found in `surveyed` may no longer hold, by what happened since the
  /// last call. The first call, lost messages, one that is not understood, and no socket: true.
  bool changed(const Snapshot& surveyed);

 private:
  /// Reads one message. False when the queue is empty or can't be read.
  bool next(const Snapshot& surveyed, bool& changed);

  Fd socket_;
  std::vector<std::byte> buffer_;
};

}  // namespace icelock::net
