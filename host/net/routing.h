// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "net/blocks.h"
#include "net/ip.h"

// What a kernel was told about where packets go, as one comparable value. Portable: a system that
// has only one table of routes with metrics has one rule that looks it up.

namespace icelock::net {

/// Both ends are in it.
struct Range {
  std::uint32_t first = 0;
  std::uint32_t last = ~0U;

  auto operator<=>(const Range&) const = default;
};

/// By what rules tell packets apart, besides their destination.
enum Axis : std::size_t { protocol, source_port, destination_port, user, dscp, axes };

/// A code point's place on its axis, and the other way round: its lower three bits first. A rule by
/// type of service looks at these only in IPv4 (fib_dscp_masked_match), and so holds for a range.
constexpr std::uint32_t swap_dscp(std::uint32_t code_point) {
  return (code_point & 7U) << 3U | code_point >> 3U;
}

/// A set of packets: those whose every value is in the range.
using Traffic = std::array<Range, axes>;

constexpr std::uint32_t tcp = 6;
constexpr std::uint32_t udp = 17;

enum class Action : std::uint8_t {
  look_up,  ///< in a table
  go_to,    ///< the first rule of priority `target`
  pass,     ///< on to the next rule
  refuse,   ///< unreachable, prohibit, blackhole
  unknown,
};

/// The number of a table, and which of its routes are no answer: those whose prefix is no longer
/// than this, and those by a link of this group.
struct LookUp {
  std::uint32_t table = 0;
  int suppress_length = -1;
  int suppress_group = -1;

  auto operator<=>(const LookUp&) const = default;
};

struct Rule {
  Family family = Family::ipv4;
  std::uint32_t priority = 0;
  Action action = Action::look_up;
  LookUp look_up;
  std::uint32_t target = 0;
  bool inverted = false;       ///< applies to what its selectors do not match
  Traffic traffic{};           ///< what it selects
  std::optional<Prefix> to;    ///< none: any destination
  std::optional<Prefix> from;  ///< none: any source
  std::uint32_t mark = 0;
  std::uint32_t mask = 0;  ///< 0: any mark
  /// It has a selector that no packet of a program without privileges meets: an input link other
  /// than lo, an output link, a VRF's table, a tunnel's id.
  bool never_ours = false;
  bool unknown_selector = false;  ///< one that is not known here

  auto operator<=>(const Rule&) const = default;
};

/// Where a route sends a packet. `source`: the address that it gives to packets without one.
enum class Course : std::uint8_t {
  undecided,   ///< no route here, or one that sends the search on (throw)
  no_route,    ///< no rule has an answer
  refused,     ///< unreachable, prohibit, blackhole
  local,       ///< this machine's own address, a broadcast or multicast address
  unknown,     ///< cannot be told
  neighbours,  ///< on a link without a router: only who is connected to it
  onward,      ///< by a link to a router, or to the other end of a tunnel
};

/// Of a fate whose links are of several groups.
inline constexpr int any_group = -1;

struct Fate {
  Course course = Course::undecided;
  std::vector<int> links{};  ///< more than one: the kernel may take any; sorted
  std::optional<Ip> source{};
  /// Such a route was written by a program of a routing protocol, DHCP or the kernel itself, and
  /// not for a tunnel.
  bool by_protocol = false;
  bool for_some =
      false;  ///< for some packets only; the others follow a wider block or the next rule
  bool told_host = false;  ///< a route to one host, and a protocol told of it
  std::uint32_t table = 0;
  int group = 0;  ///< of the link that suppress_group is compared with

  auto operator<=>(const Fate&) const = default;
};

/// Where these two stand in Routing::fates.
inline constexpr std::uint16_t undecided_fate = 0;
inline constexpr std::uint16_t unknown_fate = 1;

/// A route of one table, as small as may be: a machine can have very many.
struct Entry {
  Position base;
  std::uint32_t metric = 0;
  std::uint16_t fate = 0;  ///< index into Routing::fates
  std::uint8_t length = 0;
  bool alternative = false;  ///< for some packets only (a type of service, a source)

  auto operator<=>(const Entry&) const = default;
};

/// Grows without being copied.
using Table = std::deque<Entry>;

/// What uses a link as a way, for telling what it is for (net/roles.h).
struct LinkUse {
  bool onward = false;                    ///< some route leads to public addresses beyond it
  std::array<bool, 2> whole{};            ///< by family: a default route
  std::array<bool, 2> half{};             ///< by family: routes shorter than /5 that override one
  std::array<std::uint32_t, 2> metric{};  ///< of the best default
  std::array<bool, 2> main{};             ///< the default or half default stands in the main table
  bool told = false;                      ///< DHCP told of public blocks beyond it
  std::vector<Ip> hosts;                  ///< single hosts beyond, that no protocol told of

  auto operator<=>(const LinkUse&) const = default;
};

/// Sorts, and takes repeats out.
template <class Value>
void unite(std::vector<Value>& values) {
  std::ranges::sort(values);
  const auto repeats = std::ranges::unique(values);
  values.erase(repeats.begin(), repeats.end());
}

struct Routing {
  std::vector<Rule> rules;                               ///< in the order in which they are tried
  std::array<std::map<std::uint32_t, Table>, 2> tables;  ///< by family, by number; until settle()
  /// By family, the fate of each destination; from settle() on.
  std::array<std::map<LookUp, Spans>, 2> answers;
  /// The first is "undecided", the second "unknown".
  std::vector<Fate> fates{Fate{}, Fate{.course = Course::unknown}};
  std::map<int, LinkUse> uses;       ///< by link
  std::array<bool, 2> incomplete{};  ///< by family: more routes than are read

  auto operator<=>(const Routing&) const = default;
};

/// The index of a fate, added when it is new. Of too many different ones the rest is "unknown".
std::uint16_t fate_index(Routing& routing, const Fate& fate);
/// What holds when the kernel may take either.
std::uint16_t either(Routing& routing, std::uint16_t first, std::uint16_t second);
/// Makes `answers` of the tables, once all rules and routes are there. Of routes to one block the
/// least metric counts; where several are as good, the kernel may take any.
void settle(Routing& routing);

}  // namespace icelock::net
