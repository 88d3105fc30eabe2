// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "net/routing.h"

// Which way each packet goes, computed and not sampled. Pure, portable.
//
// The rules are walked once, in order, with all packets and all destinations at once. What the
// kernel does is told by net/core/fib_rules.c (fib_rules_lookup, fib_rule_match),
// net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c and net/ipv4/fib_trie.c (fib_table_lookup).

namespace icelock::net {

/// The packets asked about: of any of these kinds, of which no two share a packet, and with the
/// rest in common.
struct Packets {
  Family family = Family::ipv4;
  std::vector<Traffic> traffic;
  std::uint32_t mark = 0;
  /// What the socket is bound to, or what the kernel chose at a first look (connect(2) on IPv4
  /// looks twice: ip_route_connect()). None: no address yet.
  std::optional<Ip> from;
};

/// Those of the packets that have one fate, an index into Routing::fates.
struct Share {
  Traffic traffic{};
  std::uint16_t fate = 0;

  auto operator<=>(const Share&) const = default;
};

/// `to` has for every destination an index into `shares`, whose rows hold each packet once.
struct Ways {
  Spans to;
  std::vector<std::vector<Share>> shares;
};

/// The ways of all these packets, by rules and routes that are settled. Adds to `routing.fates`
/// what it needs. None when the rules tell more kinds of packets apart than are looked at: cannot
/// be told.
std::optional<Ways> ways_of(Routing& routing, const Packets& packets);

/// Whether a rule holds for these packets and not for those that have this source, or the other way
/// round.
bool tells_apart(const Routing& routing, const Packets& packets, const Ip& source);

/// The packets that are in both sets, if there are any.
std::optional<Traffic> both(const Traffic& a, const Traffic& b);

}  // namespace icelock::net
