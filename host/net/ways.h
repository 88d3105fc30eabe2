// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "net/routing.h"

// Which way each packet goes, computed and not sampled. Pure, portable.
//
// The rules are walked once, in order, with sets of packets instead of packets: a set is a box of
// traffic and, for each destination, the fate so far. A rule that holds for a part of a box splits
// it. What the kernel does is told by net/core/fib_rules.c (fib_rules_lookup, fib_rule_match),
// net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c and net/ipv4/fib_trie.c (fib_table_lookup).

namespace icelock::net {

/// Packets that go the same ways: `to` has for every destination the fate, an index into
/// Routing::fates.
struct Way {
  std::vector<Traffic> traffic;  ///< no two share a packet
  SharedSpans to;
};

/// The packets asked about: of any of these kinds, and with the rest in common.
struct Packets {
  Family family = Family::ipv4;
  std::vector<Traffic> traffic;
  std::uint32_t mark = 0;
  /// What the socket is bound to, or what the kernel chose at a first look (connect(2) on IPv4
  /// looks twice: ip_route_connect()). None: no address yet.
  std::optional<Ip> from;
};

/// The ways of all these packets, by rules and routes that are settled. Adds to `routing.fates`
/// what it needs. None when the rules split the traffic into more parts than are looked at: cannot
/// be told.
std::optional<std::vector<Way>> ways_of(Routing& routing, const Packets& packets);

/// Whether the sets share a packet.
bool meet(const Traffic& a, const Traffic& b);

}  // namespace icelock::net
