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

constexpr std::size_t checks_for_a_kind = 2;
constexpr std::size_t most_kinds = 8;    // of one fate, that are checked
constexpr std::size_t most_checks = 32;  // of a part
constexpr std::size_t most_marks = 256;
constexpr std::size_t most_rows = 0xffff;

void add_traffic(std::vector<Traffic>& all, std::uint32_t number, Range ports,
                 const std::vector<Range>& users, Range code_points) {
  for (const Range& uids : users) {
    Traffic& traffic = all.emplace_back();
    traffic[protocol] = {number, number};
    traffic[source_port] = {1024, 65535};  // those below are for root
    traffic[destination_port] = ports;
    traffic[user] = uids;
    traffic[dscp] = code_points;
  }
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

/// As the kernel does for connect(2): the ways of TCP's packets from the address that the first
/// look gave them. Where it may give any of several, what holds for any of them.
class SecondLook {
 public:
  SecondLook(Routing& routing, const std::vector<Link>& links, const Packets& packets)
      : routing_(routing), links_(links), packets_(packets) {}

  std::optional<Ways> at(const Ways& first) {
    begin(first);
    if (fates_by_source_.empty()) return first;
    for (const auto& [source, its_fates] : fates_by_source_) {
      packets_.from = source;
      const auto again = ways_of(routing_, packets_);
      if (!again) return std::nullopt;
      std::vector<Row> next;
      std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint16_t> known;
      to_ = combine(to_, again->to, [&](std::uint16_t before, std::uint16_t now) {
        const auto [at, is_new] =
            known.try_emplace({before, now}, static_cast<std::uint16_t>(next.size()));
        if (is_new) next.push_back(join(rows_[before], again->shares[now], its_fates));
        return at->second;
      });
      if (next.size() > most_rows) return std::nullopt;
      rows_ = std::move(next);
    }
    Ways ways{std::move(to_), {}};
    for (const Row& row : rows_) {
      auto& shares = ways.shares.emplace_back();
      for (const Look& look : row) shares.push_back({look.traffic, look.second});
    }
    return ways;
  }

 private:
  static constexpr std::uint16_t open = undecided_fate;  // no end of a first look
  struct Look {
    Traffic traffic;
    std::uint16_t first;
    std::uint16_t second;
  };
  using Row = std::vector<Look>;

  void begin(const Ways& first) {
    to_ = first.to;
    for (const auto& shares : first.shares) {
      Row& row = rows_.emplace_back();
      for (const auto& [traffic, fate] : shares) {
        if (traffic[protocol].first != tcp) continue;
        const auto sources = sources_of(routing_.fates[fate], links_, packets_.family);
        bool stays = sources.empty();
        for (const Ip& source : sources) {
          if (is_told_apart(source)) {
            fates_by_source_[source].insert(fate);
          } else {
            stays = true;
          }
        }
        row.push_back({traffic, fate, stays ? fate : open});
      }
    }
  }

  bool is_told_apart(const Ip& source) {
    const auto [known, is_new] = told_apart_.try_emplace(source);
    if (is_new) known->second = tells_apart(routing_, packets_, source);
    return known->second;
  }

  Row join(const Row& before, const std::vector<Share>& now,
           const std::set<std::uint16_t>& its_fates) {
    Row row;
    for (const Look& look : before) {
      if (!its_fates.contains(look.first)) {
        row.push_back(look);
        continue;
      }
      for (const auto& [traffic, fate] : now) {
        const auto meeting = both(look.traffic, traffic);
        if (meeting) row.push_back({*meeting, look.first, ends(look, fate)});
      }
    }
    return row;
  }

  std::uint16_t ends(const Look& look, std::uint16_t fate) {
    // The first look may have gone elsewhere, and so begins this one.
    if (routing_.fates[look.first].for_some && fate != look.first) return unknown_fate;
    return look.second == open ? fate : either(routing_, look.second, fate);
  }

  Routing& routing_;
  const std::vector<Link>& links_;
  Packets packets_;
  std::map<Ip, bool> told_apart_;
  std::map<Ip, std::set<std::uint16_t>> fates_by_source_;
  Spans to_;
  std::vector<Row> rows_;
};

class Parts {
 public:
  Parts(Routing& routing, Snapshot& snapshot, Family family)
      : routing_(routing), snapshot_(snapshot), family_(family) {}

  void add(const Packets& packets, bool can_be_told) {
    const Ways unknown = unknown_ways(packets);
    const auto ways = can_be_told ? ways_of(routing_, packets) : std::nullopt;
    // As SnapshotTaker::check() asks: connect(2), not sendto(2).
    const auto connected = ways && looks_twice(routing_.rules, family_)
                               ? SecondLook(routing_, snapshot_.links, packets).at(*ways)
                               : ways;
    add(packets.mark == 0 ? Part::Use::web : Part::Use::marked, packets.mark, tcp,
        connected ? *connected : unknown);
    add(packets.mark == 0 ? Part::Use::datagrams : Part::Use::marked, packets.mark, udp,
        ways ? *ways : unknown);
  }

 private:
  static Ways unknown_ways(const Packets& packets) {
    Ways ways{{{{}, 0}}, {{}}};
    for (const Traffic& traffic : packets.traffic) {
      ways.shares.front().push_back({traffic, unknown_fate});
    }
    return ways;
  }

  /// Of the packets of one protocol to one destination each fate with its first kind of them.
  using Kinds = std::vector<Share>;

  void add(Part::Use use, std::uint32_t mark, std::uint32_t number, const Ways& ways) {
    std::map<Kinds, std::uint16_t> numbers;
    std::vector<std::uint16_t> number_of;  // by row
    for (const auto& shares : ways.shares) {
      Kinds kinds;
      for (const Share& share : shares) {
        const bool is_known = std::ranges::find(kinds, share.fate, &Share::fate) != kinds.end();
        if (share.traffic[protocol].first == number && !is_known) kinds.push_back(share);
      }
      std::ranges::sort(kinds, {}, &Share::fate);
      const auto next = static_cast<std::uint16_t>(numbers.size());
      number_of.push_back(numbers.try_emplace(std::move(kinds), next).first->second);
    }
    const Spans to = map(ways.to, [&](std::uint16_t row) { return number_of[row]; });
    std::vector<const Kinds*> kinds(numbers.size());
    std::vector<std::uint16_t> sets(numbers.size());
    for (const auto& [one, its_number] : numbers) {
      kinds[its_number] = &one;
      sets[its_number] = set_index(one);
    }
    const Spans part_to = map(to, [&](std::uint16_t one) { return sets[one]; });
    Part part{use, family_, mark, {}, {}};
    // The web's and the datagrams' ways are the same, mostly.
    for (const Part& other : snapshot_.parts) {
      if (other.family != family_ || *other.to != part_to) continue;
      if (other.use == use && other.mark == mark) return;
      part.to = other.to;
    }
    if (!part.to) part.to = std::make_shared<const Spans>(part_to);
    add_checks(part, to, kinds);
    snapshot_.parts.push_back(std::move(part));
  }

  std::uint16_t set_index(const Kinds& kinds) {
    std::vector<std::uint16_t> set;
    for (const Share& share : kinds) set.push_back(share.fate);
    auto& sets = snapshot_.sets;
    const auto found = std::ranges::find(sets, set);
    if (found != sets.end()) return static_cast<std::uint16_t>(found - sets.begin());
    if (sets.size() >= most_rows) return unknown_set;
    sets.push_back(std::move(set));
    return static_cast<std::uint16_t>(sets.size() - 1);
  }

  void add_checks(Part& part, const Spans& to, const std::vector<const Kinds*>& kinds) const {
    const Spans seen =
        combine(to, public_space(family_), [&](std::uint16_t one, std::uint16_t space) {
          return space == is_public_space ? one : static_cast<std::uint16_t>(most_rows);
        });
    std::map<std::uint16_t, std::map<Traffic, std::vector<std::size_t>>> places;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (seen[i].value == most_rows) continue;
      for (const auto& [traffic, fate] : *kinds[seen[i].value]) {
        auto& of_fate = places[fate];
        if (of_fate.size() < most_kinds || of_fate.contains(traffic)) of_fate[traffic].push_back(i);
      }
    }
    for (const auto& [fate, of_fate] : places) {
      const Course course = routing_.fates[fate].course;
      if (course == Course::local) continue;
      const std::size_t wanted = course == Course::onward ? checks_for_a_kind : 1;
      for (const auto& [traffic, spans] : of_fate) {
        const std::size_t count = std::min(wanted, spans.size());
        for (std::size_t i = 0; i < count && part.checks.size() < most_checks; ++i) {
          // The ends, and what is between them.
          const std::size_t at = spans[count == 1 ? 0 : i * (spans.size() - 1) / (count - 1)];
          part.checks.push_back({{host_in(seen, at), traffic, part.mark, {}}, fate, {}});
        }
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
  Snapshot& snapshot_;
  Family family_;
};

}  // namespace

std::vector<Range> users_of(std::uint32_t uid, const std::vector<Rule>& rules) {
  if (uid != 0) return {{uid, uid}};
  // The range that Linux systems give to people (login.defs UID_MIN, UID_MAX). systemd-homed,
  // directories and admins give larger numbers, which count where rules name some.
  std::vector<Range> users = {{1000, 60000}};
  constexpr Range others{60001, 0xffff'fffe};
  const auto is_other = [&](std::uint32_t one) {
    return one >= others.first && one <= others.last;
  };
  const bool named = std::ranges::any_of(rules, [&](const Rule& rule) {
    return is_other(rule.traffic[user].first) || is_other(rule.traffic[user].last);
  });
  if (named) users.push_back(others);
  return users;
}

bool looks_twice(const std::vector<Rule>& rules, Family family) {
  return family == Family::ipv4 && std::ranges::any_of(rules, [](const Rule& rule) {
           return rule.family == Family::ipv4 && rule.from && rule.from->length > 0;
         });
}

void add_parts(Snapshot& snapshot, Routing& routing, Family family,
               const std::vector<Range>& users) {
  std::set<std::uint32_t> marks = {0};
  for (const Rule& rule : routing.rules) {
    if (rule.family == family && rule.mask != 0 && !rule.never_ours) marks.insert(rule.mark);
  }
  Packets packets{family, {}, 0, std::nullopt};
  add_traffic(packets.traffic, tcp, {443, 443}, users, {0, 0});
  add_traffic(packets.traffic, tcp, {80, 80}, users, {0, 0});
  add_traffic(packets.traffic, udp, {1, 65535}, users, {0, 63});
  Parts parts(routing, snapshot, family);
  for (const std::uint32_t mark : marks) {
    packets.mark = mark;
    parts.add(packets, !routing.incomplete[index_of(family)] && marks.size() <= most_marks);
    if (marks.size() > most_marks) return;
  }
}

}  // namespace icelock::net
