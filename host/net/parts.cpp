// SPDX-License-Identifier: Apache-2.0
#include "net/parts.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "net/ways.h"

namespace icelock::net {
namespace {

constexpr std::size_t most_parts = 64;
constexpr std::size_t checks_for_a_fate = 2;
constexpr std::size_t most_checks = 32;  // of a part
constexpr std::size_t most_marks = 32;
constexpr std::size_t most_second_ways = 64;

std::vector<Traffic> traffic_of(std::uint32_t number, const std::vector<Range>& ports,
                                const std::vector<Range>& users, Range code_points) {
  std::vector<Traffic> result;
  for (const Range& uids : users) {
    for (const Range& port : ports) {
      Traffic& traffic = result.emplace_back();
      traffic[protocol] = {number, number};
      traffic[source_port] = {1024, 65535};  // those below are for root
      traffic[destination_port] = port;
      traffic[user] = uids;
      traffic[dscp] = code_points;
    }
  }
  return result;
}

std::vector<Traffic> web_traffic(const std::vector<Range>& users) {
  return traffic_of(tcp, {{443, 443}, {80, 80}}, users, {0, 0});
}

/// The addresses that the kernel may give to packets of this fate.
std::vector<Ip> sources_of(const Fate& fate, const std::vector<Link>& links, Family family) {
  if (fate.links.empty()) return {};
  if (fate.source) return {*fate.source};
  std::vector<Ip> sources;
  const auto add_those_of = [&](const Link& link) {
    for (const Address& address : link.addresses) {
      if (address.global_scope && address.ip.family == family) sources.push_back(address.ip);
    }
  };
  for (const int index : fate.links) {
    const std::size_t before = sources.size();
    if (const Link* link = find_link(links, index)) add_those_of(*link);
    // One without an address borrows another's (inet_select_addr).
    if (sources.size() == before) std::ranges::for_each(links, add_those_of);
  }
  return sources;
}

/// As the kernel does for connect(2): the ways of packets from the address that the first look gave
/// them. Where it may give any of several, what holds for any of them. None when the rules split
/// the packets into more parts than are looked at.
std::optional<std::vector<Way>> second_look(Routing& routing, const std::vector<Link>& links,
                                            const Packets& packets, const Way& first) {
  constexpr std::uint16_t open = 0;  // not looked at again yet; no end of a first look
  std::set<std::uint16_t> fates;
  for (const Span& span : first.to) fates.insert(span.value);
  std::map<Ip, std::set<std::uint16_t>> fates_by_source;
  std::set<std::uint16_t> ended;
  for (const std::uint16_t fate : fates) {
    const auto sources = sources_of(routing.fates[fate], links, packets.family);
    if (sources.empty()) ended.insert(fate);
    for (const Ip& source : sources) fates_by_source[source].insert(fate);
  }
  const auto start = [&](std::uint16_t fate) { return ended.contains(fate) ? fate : open; };
  std::vector<Way> ways = {{first.traffic, map(first.to, start)}};
  for (const auto& [source, its_fates] : fates_by_source) {
    std::vector<Way> split;
    for (const Way& way : ways) {
      const auto again = ways_of(routing, {packets.family, way.traffic, packets.mark, source});
      if (!again || split.size() > most_second_ways) return std::nullopt;
      for (const Way& one : *again) {
        const Spans mine = combine(first.to, one.to, [&](std::uint16_t before, std::uint16_t now) {
          return its_fates.contains(before) ? now : open;
        });
        const auto merge = [&](std::uint16_t old, std::uint16_t now) {
          if (old == open || now == open) return std::max(old, now);
          return either(routing, old, now);
        };
        split.push_back({one.traffic, combine(way.to, mine, merge)});
      }
    }
    ways = std::move(split);
  }
  return ways;
}

class Parts {
 public:
  Parts(Routing& routing, const std::vector<Link>& links, Family family)
      : routing_(routing), links_(links), family_(family) {}

  /// Of one protocol.
  void add(Part::Use use, const std::vector<Traffic>& traffic, std::uint32_t mark = 0) {
    const Packets packets{family_, traffic, mark, std::nullopt};
    const auto ways =
        routing_.incomplete[index_of(family_)] ? std::nullopt : ways_of(routing_, packets);
    if (!ways) return add_unknown(use, packets);
    // As SnapshotTaker::check() asks: connect(2), not sendto(2).
    const bool twice =
        traffic.front()[protocol].first == tcp && looks_twice(routing_.rules, family_);
    for (const Way& way : *ways) {
      const auto again = twice ? second_look(routing_, links_, packets, way) : std::vector{way};
      if (!again) return add_unknown(use, packets);
      for (const Way& one : *again) add(use, mark, one);
    }
  }

  std::vector<Part> take() { return std::move(parts_); }

 private:
  void add_unknown(Part::Use use, const Packets& packets) {
    add(use, packets.mark, {packets.traffic, Spans{{{}, unknown_fate}}});
  }

  void add(Part::Use use, std::uint32_t mark, const Way& way) {
    for (Part& part : parts_) {
      const bool same = part.use == use && part.mark == mark && part.to == way.to;
      if (!same && parts_.size() <= most_parts) continue;
      if (!same) part.to = Spans{{{}, unknown_fate}};
      return;
    }
    // The web's and the datagrams' ways are the same, mostly.
    const auto known = std::ranges::find(parts_, way.to, &Part::to);
    parts_.push_back({use, family_, mark, known == parts_.end() ? way.to : known->to, {}});
    add_checks(parts_.back(), way.traffic.front());
  }

  void add_checks(Part& part, const Traffic& traffic) const {
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
        part.checks.push_back({{host_in(seen, at), traffic, part.mark, {}}, fate, {}});
      }
    }
  }

  /// Not a block's first address, where there are others: it is not for hosts.
  Ip host_in(const Spans& spans, std::size_t at) const {
    const Ip ip = ip_at(family_, spans[at].first);
    Ip next = ip;
    next.bytes[static_cast<std::size_t>(bits(family_) / 8 - 1)] |= 1;
    return position(next) <= last_of(spans, at) ? next : ip;
  }

  Routing& routing_;
  const std::vector<Link>& links_;
  Family family_;
  std::vector<Part> parts_;
};

}  // namespace

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
  constexpr Range any_port{1, 65535};
  Parts parts(routing, links, family);
  parts.add(Part::Use::web, web_traffic(users));
  parts.add(Part::Use::datagrams, traffic_of(udp, {any_port}, users, {0, 63}));
  std::set<std::uint32_t> marks;
  for (const Rule& rule : routing.rules) {
    if (rule.family == family && rule.mask != 0 && !rule.never_ours) marks.insert(rule.mark);
  }
  marks.erase(0);
  if (marks.size() > most_marks) return parts.take();
  for (const std::uint32_t mark : marks) {
    parts.add(Part::Use::marked, web_traffic({users.front()}), mark);
    parts.add(Part::Use::marked, traffic_of(udp, {any_port}, {users.front()}, {0, 0}), mark);
  }
  return parts.take();
}

}  // namespace icelock::net
