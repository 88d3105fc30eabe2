// SPDX-License-Identifier: Apache-2.0
#include "ice/outside.h"

#include <algorithm>

namespace icelock::ice {
namespace {

std::optional<net::Ip> seen_of(const Gathered& agent) {
  const auto found = std::ranges::find(agent.candidates, "srflx", &Candidate::type);
  return found == agent.candidates.end() ? std::nullopt : std::optional(found->address);
}

}  // namespace

std::vector<BoundSide> bound_sides(const net::Network& network,
                                   const std::vector<Gathered>& gathered) {
  std::vector<BoundSide> sides;
  for (const net::LocalAddress& local : network.addresses) {
    for (const Gathered& agent : gathered) {
      if (agent.wildcard || agent.local != local.ip) continue;
      if (const auto seen = seen_of(agent)) sides.push_back({local.ip, local.link, *seen});
    }
  }
  return sides;
}

void add_seen(net::Network& network, const std::vector<Gathered>& gathered) {
  for (net::FamilyState* state : {&network.ipv4, &network.ipv6}) {
    const net::Family family = state == &network.ipv4 ? net::Family::ipv4 : net::Family::ipv6;
    for (const Gathered& agent : gathered) {
      if (agent.wildcard && agent.local.family == family) state->seen = seen_of(agent);
    }
  }
  for (const BoundSide& side : bound_sides(network, gathered)) {
    net::FamilyState& state = side.local.family == net::Family::ipv4 ? network.ipv4 : network.ipv6;
    const auto local = std::ranges::find(network.addresses, side.local, &net::LocalAddress::ip);
    if (local->role == net::Role::vpn || side.local == state.source) continue;
    if (!state.seen_beside) state.seen_beside = side.seen;
  }
}

}  // namespace icelock::ice
