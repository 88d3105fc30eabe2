// SPDX-License-Identifier: Apache-2.0
#include "net/collect.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

#include "net/second_look.h"
#include "net/ways.h"

namespace icelock::net {
namespace {

using netlink::Hop;
using netlink::RouteMessage;

constexpr std::size_t most_parts = 64;
constexpr std::size_t checks_for_a_fate = 2;
constexpr std::size_t most_checks = 32;  // of a part
constexpr std::size_t most_marks = 32;
// A block on a link is of neighbours; one that is larger was given out to draw traffic there.
constexpr int widest_neighbourhood[] = {8, 32};
constexpr int widest_override = 4;

const Link* find(const std::vector<Link>& links, int index) {
  const auto at = std::ranges::lower_bound(links, index, {}, &Link::index);
  return at != links.end() && at->index == index ? &*at : nullptr;
}

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
  std::optional<int> first;
  for (const Hop& hop : hops) {
    if (ipv6 && hop.dead) continue;
    const Link* link = find(links, hop.link);
    const int group = link ? link->group : 0;
    if (!ipv6) return group;
    if (first && *first != group) return any_group;
    first = group;
  }
  return first.value_or(0);
}

Fate fate_of(const RouteMessage& route, const std::vector<Link>& links,
             const std::vector<Hop>& hops, int group) {
  Fate fate;
  switch (route.type) {
    case RTN_UNICAST:
      break;
    case RTN_THROW:
      return fate;
    case RTN_LOCAL:
    case RTN_BROADCAST:
    case RTN_ANYCAST:
    case RTN_MULTICAST:
      fate.course = Course::local;
      fate.group = group;
      return fate;
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
      fate.course = Course::refused;
      return fate;
    default:
      fate.course = Course::unknown;
      return fate;
  }
  fate.course = hops.empty() ? Course::unknown : Course::neighbours;
  std::set<int> over;
  for (const Hop& hop : hops) {
    if (leads_onward(route, hop, find(links, hop.link))) fate.course = Course::onward;
    over.insert(hop.link);
  }
  fate.links.assign(over.begin(), over.end());
  if (over.contains(0)) fate = {.course = Course::refused};  // a nexthop object that swallows
  if (fate.links.empty()) return fate;
  fate.by_protocol = by_protocol(route.protocol);
  fate.told_host =
      fate.by_protocol && route.destination.length == bits(route.destination.base.family);
  fate.source = route.source;
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

Traffic traffic_of(std::uint32_t protocol_number, Range ports, Range uids, Range code_points) {
  Traffic traffic;
  traffic[protocol] = {protocol_number, protocol_number};
  traffic[source_port] = {1024, 65535};  // those below are for root
  traffic[destination_port] = ports;
  traffic[user] = uids;
  traffic[dscp] = code_points;
  return traffic;
}

std::vector<Traffic> web_traffic(const std::vector<Range>& users) {
  std::vector<Traffic> result;
  for (const Range& uids : users) {
    for (const std::uint32_t port : {443U, 80U}) {
      result.push_back(traffic_of(tcp, {port, port}, uids, {0, 0}));
    }
  }
  return result;
}

class Parts {
 public:
  Parts(Routing& routing, const std::vector<Link>& links, Family family)
      : routing_(routing), links_(links), family_(family) {}

  void add(Part::Use use, const Traffic& traffic, std::uint32_t mark = 0) {
    const Packets packets{family_, traffic, mark, std::nullopt};
    const auto ways =
        routing_.incomplete[index_of(family_)] ? std::nullopt : ways_of(routing_, packets);
    if (!ways) return add_unknown(use, packets);
    for (const Way& way : *ways) {
      // As SnapshotTaker::check() asks: connect(2), not sendto(2).
      const bool twice = traffic[protocol].first == tcp && looks_twice(routing_.rules, family_);
      if (!twice) {
        add(use, packets, way);
        continue;
      }
      const auto again = second_look(routing_, links_, packets, way);
      if (!again) return add_unknown(use, packets);
      for (const Way& one : *again) add(use, packets, one);
    }
  }

  std::vector<Part> take() { return std::move(parts_); }

 private:
  void add_unknown(Part::Use use, const Packets& packets) {
    constexpr std::uint16_t unknown = 1;
    add(use, packets, {packets.traffic, std::make_shared<Spans>(Spans{{{}, unknown}})});
  }

  void add(Part::Use use, const Packets& packets, const Way& way) {
    for (Part& part : parts_) {
      const bool same =
          part.use == use && part.mark == packets.mark && part.to == SharedSpans(way.to);
      if (!same && parts_.size() <= most_parts) continue;
      if (!same) part.to = Spans{{{}, 1}};
      return;
    }
    const SharedSpans to(way.to);
    // The web's and the datagrams' ways are the same, mostly.
    const auto known = std::ranges::find(parts_, to, &Part::to);
    parts_.push_back({use, family_, packets.mark, known == parts_.end() ? to : known->to, {}});
    add_checks(parts_.back(), packets, way);
  }

  void add_checks(Part& part, const Packets& packets, const Way& way) const {
    const Spans seen =
        combine(part.to, public_space(family_), [](std::uint16_t fate, std::uint16_t space) {
          return space == is_public_space ? fate : std::uint16_t{0};
        });
    std::map<std::uint16_t, std::vector<std::size_t>> places;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (seen[i].value != 0) places[seen[i].value].push_back(i);
    }
    for (const auto& [fate, spans] : places) {
      const Course course = routing_.fates[fate].course;
      if (part.checks.size() >= most_checks || course == Course::local) continue;
      const std::size_t wanted = course == Course::onward ? checks_for_a_fate : 1;
      const std::size_t count = std::min(wanted, spans.size());
      for (std::size_t i = 0; i < count; ++i) {
        // The ends, and what is between them.
        const std::size_t at = spans[count == 1 ? 0 : i * (spans.size() - 1) / (count - 1)];
        part.checks.push_back({{host_in(seen, at), way.traffic, packets.mark, {}}, fate, {}});
      }
    }
  }

  /// Not a block's first address, where there are others: it is not for hosts.
  Ip host_in(const Spans& spans, std::size_t at) const {
    Ip ip = ip_at(family_, spans[at].first);
    const auto last_byte = static_cast<std::size_t>(bits(family_) / 8 - 1);
    Ip next = ip;
    next.bytes[last_byte] |= 1;
    return position(next) <= last_of(spans, at) ? next : ip;
  }

  Routing& routing_;
  const std::vector<Link>& links_;
  Family family_;
  std::vector<Part> parts_;
};

}  // namespace

// What differs from one route to the next is mostly the destination, and a list can be very long.
bool RouteCollector::is_like_last(const RouteMessage& route) const {
  if (!last_fate_ || route.destination.base.family != last_.destination.base.family) return false;
  const Prefix& block = route.destination;
  return block.length > widest_override && block.length < bits(block.base.family) &&
         route.hops.size() == 1 && route.hops.front().gateway == last_.hops.front().gateway &&
         route.hops.front().link == last_.hops.front().link && !route.hops.front().dead &&
         route.type == last_.type && route.protocol == last_.protocol && route.tos == last_.tos &&
         route.table == last_.table && route.source == last_.source;
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

void RouteCollector::add(const RouteMessage& route, const Nexthops& nexthops) {
  if (is_like_last(route)) return add_entry(route, *last_fate_);
  std::vector<Hop> hops = route.hops;
  if (route.nexthop != 0) add_hops(route.nexthop, nexthops, hops);
  const bool had_hops = !hops.empty();
  const int group = group_of(route, links_, hops);
  std::erase_if(hops, &Hop::dead);
  if (had_hops && hops.empty()) return;  // the kernel passes over it
  const Fate fate = fate_of(route, links_, hops, group);
  const std::uint16_t number = fate_index(routing_, fate);
  add_entry(route, number);
  if (fate.links.empty()) return;
  note_use(route, fate, hops);
  // Without a gateway, or to the home's own site, the destination says more.
  const bool is_plain = fate.course == Course::onward && route.hops.size() == 1 &&
                        hops.front().gateway && holds_public(route.destination) &&
                        route.protocol != RTPROT_RA;
  last_fate_ = is_plain ? std::optional(number) : std::nullopt;
  if (is_plain) last_ = route;
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
    const Link* link = find(links_, hop.link);
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
    std::ranges::sort(use.hosts);
    const auto repeats = std::ranges::unique(use.hosts);
    use.hosts.erase(repeats.begin(), repeats.end());
    std::erase_if(use.hosts, [&](const Ip& host) { return gateways_.contains(host); });
  }
}

std::vector<Range> users_of(std::uint32_t uid, const std::vector<Rule>& rules) {
  if (uid != 0) return {{uid, uid}};
  // The range that Linux systems give to people (login.defs UID_MIN, UID_MAX). systemd-homed and
  // directories give others (systemd, UIDS-GIDS), which count where rules name them.
  std::vector<Range> users = {{1000, 60000}};
  for (const Range others : {Range{60001, 60513}, Range{65536, 0xffff'fffe}}) {
    const bool named = std::ranges::any_of(rules, [&](const Rule& rule) {
      const Range& uids = rule.traffic[user];
      return (uids.first >= others.first && uids.first <= others.last) ||
             (uids.last >= others.first && uids.last <= others.last);
    });
    if (named) users.push_back(others);
  }
  return users;
}

bool looks_twice(const std::vector<Rule>& rules, Family family) {
  return family == Family::ipv4 && std::ranges::any_of(rules, [](const Rule& rule) {
           return rule.family == Family::ipv4 && rule.from && rule.from->length > 0;
         });
}

std::vector<Part> parts_of(Routing& routing, const std::vector<Link>& links, Family family,
                           const std::vector<Range>& users) {
  Parts parts(routing, links, family);
  for (const Traffic& traffic : web_traffic(users)) parts.add(Part::Use::web, traffic);
  for (const Range& uids : users) {
    parts.add(Part::Use::datagrams, traffic_of(udp, {1, 65535}, uids, {0, 63}));
  }
  std::set<std::uint32_t> marks;
  for (const Rule& rule : routing.rules) {
    if (rule.family == family && rule.mask != 0 && !rule.never_ours) marks.insert(rule.mark);
  }
  marks.erase(0);
  for (const std::uint32_t mark : marks) {
    if (marks.size() > most_marks) break;
    for (const Traffic& traffic : web_traffic({users.front()})) {
      parts.add(Part::Use::marked, traffic, mark);
    }
    parts.add(Part::Use::marked, traffic_of(udp, {1, 65535}, users.front(), {0, 0}), mark);
  }
  return parts.take();
}

}  // namespace icelock::net
