// SPDX-License-Identifier: Apache-2.0
#include "net/collect.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

namespace icelock::net {
namespace {

using netlink::Hop;
using netlink::RouteMessage;

// A block on a link is of neighbours; one that is larger was given out to draw traffic there.
constexpr int widest_neighbourhood[] = {8, 32};
constexpr int widest_override = 4;

bool by_protocol(std::uint8_t protocol) {
  return protocol == RTPROT_KERNEL || protocol > RTPROT_STATIC;
}

bool holds_public(const Prefix& block) {
  const Spans& space = public_space(block.base.family);
  const Position first = position(block.base);
  const Position last = last_of(block);
  auto span = std::ranges::upper_bound(space, first, {}, &Span::first);
  for (--span; span != space.end() && span->first <= last; ++span) {
    if (span->value == is_public_space) return true;
  }
  return false;
}

bool is_connected(const Link& link, const Prefix& block) {
  return std::ranges::any_of(link.addresses, [&](const Address& address) {
    return address.prefix <= block.length && inside(block.base, address.ip, address.prefix);
  });
}

/// The home's own block by way of its own router (RFC 7084, L-3): farther neighbours.
bool is_own_site(const RouteMessage& route, const Link& link) {
  constexpr int widest_site = 48;
  const Prefix& block = route.destination;
  return block.base.family == Family::ipv6 && route.protocol == RTPROT_RA &&
         block.length >= widest_site &&
         std::ranges::any_of(link.addresses, [&](const Address& address) {
           return address.global_scope && inside(address.ip, block.base, block.length);
         });
}

/// Whether the hop leads farther than to who is on its link.
bool leads_onward(const RouteMessage& route, const Hop& hop, const Link* link) {
  if (link && is_own_site(route, *link)) return false;
  if (hop.gateway || !link) return true;
  const Prefix& block = route.destination;
  if (block.length < widest_neighbourhood[index_of(block.base.family)]) return true;
  const bool told = route.protocol == RTPROT_KERNEL || route.protocol == RTPROT_RA;
  return !told && (link->point_to_point || !is_connected(*link, block));
}

/// What suppress_group is compared with. IPv4 takes the route's first hop, even a dead one or when
/// another is used (fib4_rule_suppress); IPv6 the hop used (fib6_rule_suppress).
int group_of(const RouteMessage& route, const std::vector<Link>& links,
             const std::vector<Hop>& hops) {
  const bool ipv6 = route.destination.base.family == Family::ipv6;
  std::set<int> groups;
  for (const Hop& hop : hops) {
    if (ipv6 && hop.dead) continue;
    const Link* link = find_link(links, hop.link);
    groups.insert(link ? link->group : 0);
    if (!ipv6) break;
  }
  if (groups.empty()) return 0;
  return groups.size() == 1 ? *groups.begin() : any_group;
}

/// `hops`: those that are not dead.
Fate fate_of(const RouteMessage& route, const std::vector<Link>& links,
             const std::vector<Hop>& hops, int group) {
  if (netlink::is_own(route.type)) return {.course = Course::local, .group = group};
  switch (route.type) {
    case RTN_UNICAST:
      break;
    case RTN_THROW:
      return {};
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
      return {.course = Course::refused};
    default:
      return {.course = Course::unknown};
  }
  if (hops.empty()) return {.course = Course::unknown};
  Fate fate{.course = Course::neighbours};
  for (const Hop& hop : hops) {
    if (hop.link == 0) return {.course = Course::refused};  // a nexthop object that swallows
    fate.links.push_back(hop.link);
    if (leads_onward(route, hop, find_link(links, hop.link))) fate.course = Course::onward;
  }
  unite(fate.links);
  fate.source = route.source;
  fate.by_protocol = by_protocol(route.protocol);
  fate.told_host =
      fate.by_protocol && route.destination.length == bits(route.destination.base.family);
  if (fate.course == Course::onward) fate.table = route.table;
  fate.group = group;
  return fate;
}

/// The hops of a nexthop object, through its groups.
void add_hops(std::uint32_t id, const Nexthops& nexthops, std::vector<Hop>& hops, int depth = 0) {
  const auto found = nexthops.find(id);
  if (found == nexthops.end() || depth > 2) return;
  if (found->second.group.empty()) hops.push_back(found->second.hop);
  for (const std::uint32_t member : found->second.group) {
    add_hops(member, nexthops, hops, depth + 1);
  }
}

}  // namespace

bool RouteCollector::add_alike(const Prefix& destination) {
  if (destination.length <= widest_override ||
      destination.length >= bits(destination.base.family)) {
    return false;
  }
  last_.destination = destination;
  add_entry(last_, last_fate_);
  return true;
}

void RouteCollector::add_entry(const RouteMessage& route, std::uint16_t fate) {
  const Prefix& block = route.destination;
  const Family family = block.base.family;
  // IPv6 has no routes by type of service, and IPv4 none by source.
  const bool for_some = family == Family::ipv4 ? route.tos != 0 : route.for_some_sources;
  routing_.tables[index_of(family)][route.table].push_back({.base = position(block.base),
                                                            .metric = route.metric,
                                                            .fate = fate,
                                                            .length = block.length,
                                                            .alternative = for_some});
}

bool RouteCollector::add(const RouteMessage& route, const Nexthops& nexthops) {
  std::vector<Hop> hops = route.hops;
  if (route.nexthop != 0) add_hops(route.nexthop, nexthops, hops);
  const bool had_hops = !hops.empty();
  const int group = group_of(route, links_, hops);
  std::erase_if(hops, &Hop::dead);
  if (had_hops && hops.empty()) return false;  // the kernel passes over it
  const Fate fate = fate_of(route, links_, hops, group);
  const std::uint16_t number = fate_index(routing_, fate);
  add_entry(route, number);
  if (fate.links.empty()) return false;
  note_use(route, fate, hops);
  // Without a gateway, or to the home's own site, the destination says more.
  const bool is_plain = fate.course == Course::onward && route.hops.size() == 1 &&
                        hops.front().gateway && holds_public(route.destination) &&
                        route.destination.length < bits(route.destination.base.family) &&
                        route.protocol != RTPROT_RA;
  if (is_plain) last_ = route;
  if (is_plain) last_fate_ = number;
  return is_plain;
}

void RouteCollector::note_use(const RouteMessage& route, const Fate& fate,
                              const std::vector<Hop>& hops) {
  const Prefix& block = route.destination;
  const std::size_t family = index_of(block.base.family);
  for (const Hop& hop : hops) {
    if (hop.gateway) gateways_.insert(*hop.gateway);
  }
  if (block.length == bits(block.base.family)) return note_host(route, fate, hops);
  if (fate.course != Course::onward || !holds_public(block)) return;
  for (const int link : fate.links) {
    LinkUse& use = routing_.uses[link];
    use.onward = true;
    use.told = use.told || (block.length > 0 && route.protocol == RTPROT_DHCP);
    if (block.length > widest_override) continue;
    if (block.length == 0) {
      use.metric[family] =
          use.whole[family] ? std::min(use.metric[family], route.metric) : route.metric;
    }
    (block.length == 0 ? use.whole : use.half)[family] = true;
    use.main[family] = use.main[family] || route.table == RT_TABLE_MAIN;
  }
}

void RouteCollector::note_host(const RouteMessage& route, const Fate& fate,
                               const std::vector<Hop>& hops) {
  if (fate.by_protocol) return;
  const Ip& host = route.destination.base;
  if (fate.course == Course::onward && !hops.front().gateway) {
    on_link_hosts_.emplace_back(route.table, host);
  }
  for (const Hop& hop : hops) {
    const Link* link = find_link(links_, hop.link);
    const bool far =
        hop.gateway || is_public(host) || (link && link->link_class == LinkClass::physical);
    LinkUse& use = routing_.uses[hop.link];
    if (far) use.hosts.push_back(host);
    use.onward = use.onward || (fate.course == Course::onward && is_public(host));
  }
}

void RouteCollector::finish() {
  // A router that is named by a host route of its own is a neighbour (rented servers have that).
  for (const auto& [number, host] : on_link_hosts_) {
    if (!gateways_.contains(host)) continue;
    for (Entry& entry : routing_.tables[index_of(host.family)][number]) {
      if (entry.base != position(host) || entry.length != bits(host.family)) continue;
      Fate fate = routing_.fates[entry.fate];
      fate.course = Course::neighbours;
      entry.fate = fate_index(routing_, fate);
    }
  }
  settle(routing_);
  for (auto& [link, use] : routing_.uses) {
    unite(use.hosts);
    std::erase_if(use.hosts, [&](const Ip& host) { return gateways_.contains(host); });
  }
}

}  // namespace icelock::net
