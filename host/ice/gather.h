// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/ip.h"

namespace icelock::ice {

/// More local addresses than this are refused (too_large): each one costs an agent, a socket and a
/// few more descriptors.
inline constexpr std::size_t max_locals = 128;

struct GatherOptions {
  /// Numeric addresses only: libnice does not finish with a name that cannot be resolved. Each must
  /// be of the family that its name says (else bad_request); agents of the other family never see
  /// it.
  std::optional<net::Ip> stun_ipv4;
  std::optional<net::Ip> stun_ipv6;
  std::uint16_t stun_port = 3478;
  std::chrono::milliseconds deadline{1000};
};

struct Candidate {
  std::string type;  ///< "host" or "srflx"
  net::Ip address;

  bool operator==(const Candidate&) const = default;
};

/// What one ICE agent found. `local` is the address it was bound to; the wildcards 0.0.0.0 and ::
/// stand for what a browser that may not enumerate links would show, the others for what a program
/// bound to that address could reveal (libnice sets IP_UNICAST_IF, so this can go around an IPv4
/// tunnel).
///
/// A wildcard has no host candidate. No srflx although a STUN server was named means: no answer
/// within about 250 ms (two requests), or the server saw the very address of the host candidate,
/// which libnice then leaves out.
struct Gathered {
  net::Ip local;
  bool wildcard = false;
  /// False: nothing was bound to `local`, so nothing is known about it. It is not on this host any
  /// more, it is link-local (an Ip holds no scope id), the family is off, or the deadline came
  /// first.
  bool bound = false;
  bool finished = false;  ///< false: the deadline came first; the candidates so far are kept
  std::vector<Candidate> candidates;
};

/// One libnice agent for each address and for the two wildcards, all gathering at once with UPnP
/// and ICE-TCP off; only the STUN servers named in the options are contacted. Runs its own thread
/// and GLib context, returns at the deadline at the latest. The answer has the addresses in the
/// order given, without repeats, then 0.0.0.0 and ::. Errors: unavailable when libnice cannot
/// start, nothing at all can be bound in time, or the process has too few file descriptors left
/// (GLib would end it); too_large; bad_request. Blocks; may be called from any thread, and from
/// several at once. Unprivileged programs only: never called in the daemon.
Result<std::vector<Gathered>> gather(const std::vector<net::Ip>& locals,
                                     const GatherOptions& options);

}  // namespace icelock::ice
