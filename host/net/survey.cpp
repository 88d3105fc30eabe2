// SPDX-License-Identifier: Apache-2.0
#include "net/survey.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

#include "net/link_class.h"
#include "net/way.h"

namespace icelock::net {
namespace {

bool is_beside(const Link& link) {
  return link.up && link.running &&
         (link.link_class == LinkClass::physical || link.link_class == LinkClass::virtual_link ||
          may_be_uplink(link));
}

// Ethernet routes lead beyond the neighbours only through a gateway. A ppp or modem link has no
// gateways; its only connected route is the kernel's own to the peer.
bool leads_beyond(const Link& link, const netlink::RouteMessage& route, const netlink::Hop& hop) {
  return hop.gateway || (may_be_uplink(link) && route.protocol != RTPROT_KERNEL);
}

/// Calls `each` with every link beside the tunnel by which the route leads beyond it.
template <class Each>
void for_each_exit(const Snapshot& snapshot, const netlink::RouteMessage& route, const Each& each) {
  if (route.type != RTN_UNICAST) return;
  for (const netlink::Hop& hop : route.hops) {
    const Link* link = find_link(snapshot, hop.link);
    // A hop that the kernel does not name (0) is over one of the links asked for.
    if (hop.link == 0) {
      each(0);
    } else if (link && is_beside(*link) && leads_beyond(*link, route, hop)) {
      each(hop.link);
    }
  }
}

bool overlap(const ExcludedRoute& way, const netlink::RouteMessage& route) {
  return inside(way.destination, route.destination, std::min(way.prefix, route.prefix));
}

bool is_host(const ExcludedRoute& route) {
  return route.prefix == bits(route.destination.family);
}

bool needs_server_route(const Snapshot& snapshot, Family family) {
  return std::ranges::all_of(snapshot.answers, [&](const Answer& answer) {
    if (answer.destination.family != family) return true;
    if (way(snapshot, answer) != Way::tunnel) return false;
    // Rules that lead marked packets to the main table (tailscale has one) say nothing about this
    // tunnel.
    if (answer.table == RT_TABLE_MAIN || answer.table == RT_TABLE_DEFAULT) return true;
    return std::ranges::none_of(snapshot.rules, [&](const Rule& rule) {
      return rule.family == family && rule.table == answer.table && rule.fwmark != 0;
    });
  });
}

}  // namespace

std::vector<int> links_beside(const Snapshot& snapshot) {
  std::vector<int> result;
  for (const Link& link : snapshot.links) {
    const bool numbered = std::ranges::any_of(link.addresses, &Address::global_scope);
    if (is_beside(link) && numbered) result.push_back(link.index);
  }
  return result;
}

bool needs_survey(const Snapshot& snapshot, Family family) {
  bool tunnelled = false;
  for (const Answer& answer : snapshot.answers) {
    const Link* link = find_link(snapshot, answer.link);
    tunnelled = tunnelled || (link && link->link_class == LinkClass::tunnel) ||
                way(snapshot, answer) == Way::ipsec;
  }
  if (!tunnelled) return false;
  // A ppp link's role shows in either family, for the outer packets may be of the other one.
  return fully_inside(snapshot, family) || std::ranges::any_of(snapshot.links, may_be_uplink);
}

bool may_change_ways(const Snapshot& surveyed, const netlink::RouteMessage& added) {
  if (added.type == RTN_LOCAL || added.type == RTN_BROADCAST || added.type == RTN_ANYCAST ||
      added.type == RTN_MULTICAST) {
    return false;
  }
  if (added.type != RTN_UNICAST || added.hops.empty() || surveyed.too_many_excluded) return true;
  if (std::ranges::any_of(surveyed.excluded,
                          [&](const ExcludedRoute& way) { return overlap(way, added); })) {
    return true;
  }
  return std::ranges::any_of(added.hops, [&](const netlink::Hop& hop) {
    const Link* link = find_link(surveyed, hop.link);
    return !link || is_beside(*link);
  });
}

std::vector<int> find_uplinks(const Snapshot& snapshot,
                              const std::vector<netlink::RouteMessage>& routes) {
  std::set<int> found;
  for (const netlink::RouteMessage& route : routes) {
    const bool to_one_host =
        route.prefix == bits(route.destination.family) && is_public(route.destination);
    if (route.prefix != 0 && !to_one_host) continue;
    for_each_exit(snapshot, route, [&](int link) { found.insert(link); });
  }
  return {found.begin(), found.end()};
}

std::vector<ExcludedRoute> find_candidates(const Snapshot& snapshot, Family family,
                                           const std::vector<netlink::RouteMessage>& routes) {
  std::set<ExcludedRoute> found;
  for (const netlink::RouteMessage& route : routes) {
    if (route.destination.family != family || route.prefix == 0 ||
        !holds_public(route.destination, route.prefix)) {
      continue;
    }
    for_each_exit(snapshot, route,
                  [&](int link) { found.insert({route.destination, route.prefix, link}); });
  }
  return {found.begin(), found.end()};
}

std::vector<Ip> samples(const ExcludedRoute& route) {
  if (is_host(route)) return {route.destination};
  Ip low = route.destination;
  Ip high = route.destination;
  const auto last = static_cast<std::size_t>(bits(route.destination.family) - 1);
  for (std::size_t bit = route.prefix; bit < last; ++bit) {
    high.bytes[bit / 8] = static_cast<std::uint8_t>(high.bytes[bit / 8] | (0x80U >> (bit % 8)));
  }
  // Not the block's first and last address: in a connected block they are not for hosts.
  low.bytes[last / 8] |= 1;
  return {low, high};
}

std::vector<ExcludedRoute> less_server_route(const Snapshot& snapshot, Family family,
                                             std::vector<ExcludedRoute> in_effect) {
  std::set<Ip> hosts;  // the same host over two links is still one server
  for (const ExcludedRoute& route : in_effect) {
    if (is_host(route)) hosts.insert(route.destination);
  }
  if (hosts.size() == 1 && needs_server_route(snapshot, family)) std::erase_if(in_effect, is_host);
  return in_effect;
}

}  // namespace icelock::net
