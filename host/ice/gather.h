// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/ip.h"

namespace icelock::ice {

struct GatherOptions {
  /// Numeric addresses only: libnice does not finish with a name that cannot be resolved.
  std::optional<net::Ip> stun_ipv4;
  std::optional<net::Ip> stun_ipv6;
  std::uint16_t stun_port = 3478;
  std::chrono::milliseconds deadline{1000};
};

struct Candidate {
  std::string type;  ///< "host" or "srflx"
  net::Ip address;
};

/// What one ICE agent found. `local` is the address it was bound to; the wildcards 0.0.0.0 and :: stand
/// for what a browser that may not enumerate links would show, the others for what a program bound to that
/// address could reveal (libnice sets IP_UNICAST_IF, so this can go around an IPv4 tunnel).
struct Gathered {
  net::Ip local;
  bool wildcard = false;
  bool finished = false;  ///< false: the deadline came first; the candidates so far are kept
  std::vector<Candidate> candidates;
};

/// One libnice agent for each address and for the two wildcards, all gathering at once with UPnP and
/// ICE-TCP off; only the STUN servers named in the options are contacted. Runs its own thread and GLib
/// context, returns at the deadline at the latest. Errors: unavailable when libnice refuses to start.
/// Unprivileged programs only: never called in the daemon.
Result<std::vector<Gathered>> gather(const std::vector<net::Ip>& locals,
                                     const GatherOptions& options);

}  // namespace icelock::ice
