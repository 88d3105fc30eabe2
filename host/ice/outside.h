// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ice/gather.h"
#include "net/network.h"

namespace icelock::ice {

/// A public address that a program gets shown as when it binds its socket to one of this machine's.
struct BoundSide {
  net::Ip local;
  std::string link;
  net::Ip seen;
};

/// Puts what the STUN servers saw into the network's families: of the wildcard agent, which goes as
/// a browser's packets go, and of an agent bound to an address outside the tunnel. Pure.
void add_seen(net::Network& network, const std::vector<Gathered>& gathered);

/// What bound sockets could show, in the order of the addresses. Pure.
std::vector<BoundSide> bound_sides(const net::Network& network,
                                   const std::vector<Gathered>& gathered);

}  // namespace icelock::ice
