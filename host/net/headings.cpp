// SPDX-License-Identifier: Apache-2.0
#include "net/headings.h"

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

#include "net/roles.h"

namespace icelock::net {
namespace {

constexpr double enough_inside = 1.0 / 16;
constexpr double few_outside = 1.0 / 4;

const Position nat64_base{0x0064'ff9b'0000'0000, 0};

constexpr bool leaves(Heading heading) {
  return heading >= outside;
}

/// What leaves a tunnel aside; what is not public, or near, may be in a block of it.
std::vector<Prefix> beside(const Reading& reading) {
  const auto leaving = [&](std::uint16_t set) -> std::uint16_t {
    if (set == no_set || reading.of_set[set] == nearby) return 2;
    return leaves(reading.of_set[set]) ? 1 : 0;
  };
  return cover(map(reading.seen, leaving), reading.part->family);
}

/// The heading of each fate, after the kernel has been heard: the worse of the two counts.
void hear_kernel(const Headings& headings, Reading& reading) {
  const auto& fates = headings.snapshot().fates;
  for (const Fate& fate : fates) reading.of_fate.push_back(headings.of(fate));
  for (const Check& check : reading.part->checks) {
    const Fate& fate = fates[check.fate];
    const Heading answered = headings.of(check.answer, fate);
    Heading& computed = reading.of_fate[check.fate];
    if (computed == untold || answered == computed) continue;
    // Of several links the kernel took one.
    const bool is_one_of = std::ranges::find(fate.links, check.answer.link) != fate.links.end();
    if (is_one_of && answered < computed) continue;
    if (computed == nearby && answered == refused) continue;  // this machine itself
    // A rule that refuses answers as if there were no route (fib4_rule_action, FR_ACT_UNREACHABLE).
    if (computed == refused && answered == nowhere) continue;
    const Ip& ip = check.question.destination;
    reading.disputed = Prefix{ip, static_cast<std::uint8_t>(bits(ip.family))};
    // Were "outside" taken for the whole, a VPN would be no VPN any more, and nothing protected.
    const bool hides = is_inside(computed) || computed == refused;
    const bool opposite =
        (hides && answered == outside) || (computed == outside && is_inside(answered));
    computed = opposite ? untold : std::max(computed, answered);
  }
}

bool is_host(const Prefix& block) {
  return block.length >= bits(block.base.family) - 1;
}

/// Without the routes to VPN servers (net/network.h, classify(), has the argument).
void take_servers_away(const Headings& headings, Reading& reading) {
  const Family family = reading.part->family;
  const auto is_server = [&](const Prefix& block) {
    if (!is_host(block)) return false;
    const std::uint16_t set = value_at(*reading.part->to, position(block.base));
    const auto is_told = [&](std::uint16_t fate) {
      return headings.snapshot().fates[fate].told_host;
    };
    // No VPN's program says that a protocol told it of its server, or leaves open where it is.
    return reading.of_set[set] == outside &&
           std::ranges::none_of(headings.snapshot().sets[set], is_told);
  };
  std::set<Position> groups;
  for (const Prefix& block : reading.beside) {
    const int length = family == Family::ipv4 ? 24 : 64;
    if (is_server(block)) groups.insert(first_of(position(block.base), length));
  }
  if (groups.size() <= headings.servers(family)) std::erase_if(reading.beside, is_server);
}

}  // namespace

Headings::Headings(const Snapshot& snapshot, const std::vector<NamedRole>& named)
    : snapshot_(&snapshot), roles_(roles_of(snapshot, named)), has_nat64_(finds_nat64()) {}

Role Headings::role(int link) const {
  const auto found = roles_.find(link);
  return found == roles_.end() ? Role::uplink : found->second;
}

// strongSwan's route is "default ... src <virtual address>/32" in a table of its own, libreswan's
// are half-default ones in the main table, from an address on lo. A host-prefix address alone
// proves nothing: DHCPv6 and some clouds give one, and machines that speak a routing protocol.
bool Headings::is_ipsec(const Fate& fate, const Link& out) const {
  if (!fate.source || fate.by_protocol) return false;
  const bool has_other = std::ranges::any_of(out.addresses, [&](const Address& address) {
    return address.global_scope && address.ip.family == fate.source->family &&
           address.ip != *fate.source;
  });
  return has_other && std::ranges::any_of(snapshot_->links, [&](const Link& link) {
           return std::ranges::any_of(link.addresses, [&](const Address& address) {
             return address.ip == *fate.source && address.prefix == bits(address.ip.family);
           });
         });
}

Heading Headings::over(int index, const Fate& fate) const {
  const Link* link = find_link(snapshot_->links, index);
  if (!link) return untold;
  switch (role(index)) {
    case Role::sink:
      return refused;
    case Role::vpn:
      return link->up && link->running ? inside_vpn : refused;
    case Role::mesh:
      return nearby;
    case Role::clat:
      return of_clat();
    case Role::uplink:
    case Role::virtual_link:
      break;
  }
  if (fate.course == Course::neighbours) return nearby;
  return is_ipsec(fate, *link) ? by_ipsec : outside;
}

Heading Headings::of(const Fate& fate) const {
  switch (fate.course) {
    case Course::undecided:
    case Course::no_route:
      return nowhere;
    case Course::refused:
      return refused;
    case Course::local:
      return nearby;
    case Course::unknown:
      return untold;
    case Course::neighbours:
    case Course::onward:
      break;
  }
  Heading worst = fate.links.empty() ? untold : nearby;
  bool some_inside = false;
  for (const int link : fate.links) {
    const Heading one = over(link, fate);
    some_inside = some_inside || is_inside(one);
    worst = std::max(worst, one);
  }
  const bool may_leave = worst == outside || fate.for_some;
  return some_inside && may_leave ? untold : worst;  // the kernel may take either
}

Heading Headings::of(const Answer& answer, const Fate& computed) const {
  switch (answer.outcome) {
    case Outcome::no_route:
      return nowhere;
    case Outcome::refused:
      return refused;
    case Outcome::failed:
      return untold;
    case Outcome::unicast:
      break;
  }
  if (std::ranges::find(computed.links, answer.link) != computed.links.end()) {
    return over(answer.link, computed);
  }
  return of(Fate{.course = Course::onward, .links = {answer.link}, .source = answer.source});
}

// What a CLAT takes goes on as IPv6, to the network's NAT64.
Heading Headings::of_clat() const {
  Heading worst = nat64_fates().empty() ? outside : nearby;
  for (const std::uint16_t number : nat64_fates()) {
    const Fate& fate = snapshot_->fates[number];
    const bool is_loop =
        std::ranges::any_of(fate.links, [&](int link) { return role(link) == Role::clat; });
    worst = std::max(worst, is_loop ? outside : of(fate));
  }
  return worst;
}

const std::vector<std::uint16_t>& Headings::nat64_fates() const {
  std::uint16_t set = no_set;
  for (const Part& part : snapshot_->parts) {
    if (part.family != Family::ipv6 || part.use != Part::Use::web) continue;
    set = value_at(*part.to, {nat64_base.high, 0x0808'0808});
  }
  return snapshot_->sets[set];
}

bool Headings::finds_nat64() const {
  bool has_ipv4 = false;
  for (const auto& [link, link_role] : roles_) {
    if (link_role == Role::clat) return true;
    const auto use = snapshot_->uses.find(link);
    has_ipv4 = has_ipv4 || (link_role == Role::uplink && use != snapshot_->uses.end() &&
                            (use->second.whole[0] || use->second.half[0]));
  }
  if (!has_ipv4) return true;
  const Position end = last_of(nat64_base, 96);
  return std::ranges::any_of(snapshot_->parts, [&](const Part& part) {
    return part.family == Family::ipv6 && std::ranges::any_of(*part.to, [&](const Span& span) {
             return span.first >= nat64_base && span.first <= end;
           });
  });
}

bool Headings::counts(std::uint16_t space) const {
  return space == is_public_space || (space == is_nat64_space && has_nat64_);
}

std::size_t Headings::servers(Family family) const {
  std::set<std::pair<int, std::uint32_t>> vpns;  // by link; those by IPsec by their table
  for (const Fate& fate : snapshot_->fates) {
    if (fate.course != Course::onward || !is_inside(of(fate))) continue;
    const bool marks = std::ranges::any_of(snapshot_->rules, [&](const Rule& rule) {
      return rule.mask != 0 && rule.inverted && rule.look_up.table == fate.table &&
             rule.family == family;
    });
    if (!marks) vpns.insert({fate.links.front(), of(fate) == by_ipsec ? fate.table : 0});
  }
  for (const Link& link : snapshot_->links) {
    const bool is_idle = link.link_class == LinkClass::tunnel && link.up && link.running &&
                         role(link.index) == Role::mesh && !link.addresses.empty();
    if (is_idle) vpns.insert({link.index, 0});
  }
  return vpns.size();
}

Reading read(const Headings& headings, const Part& part, Counts counts) {
  Reading reading;
  reading.part = &part;
  hear_kernel(headings, reading);
  for (const auto& set : headings.snapshot().sets) {
    const auto all = set | std::views::transform([&](auto fate) { return reading.of_fate[fate]; });
    reading.of_set.push_back(set.empty()               ? nearby
                             : counts == Counts::worst ? std::ranges::max(all)
                                                       : std::ranges::min(all));
  }
  reading.shares = shares(*part.to, part.family, reading.of_set.size());
  reading.seen =
      combine(*part.to, public_space(part.family), [&](std::uint16_t set, std::uint16_t space) {
        return headings.counts(space) ? set : no_set;
      });
  const auto held = [&](auto wanted) {
    double sum = 0;
    for (std::size_t set = 0; set < reading.of_set.size(); ++set) {
      if (wanted(reading.of_set[set])) sum += reading.shares[set];
    }
    return sum;
  };
  reading.beside = beside(reading);
  reading.untold = std::ranges::any_of(
      reading.seen, [&](const Span& span) { return reading.of_set[span.value] == untold; });
  const double in = held(is_inside);
  if (in >= enough_inside) {
    take_servers_away(headings, reading);
    const double ipsec = held([](Heading heading) { return heading == by_ipsec; });
    const bool partial = !reading.beside.empty() && held(leaves) > few_outside;
    reading.verdict = partial           ? Verdict::partial
                      : ipsec >= in / 2 ? Verdict::ipsec
                                        : Verdict::tunnel;
    return reading;
  }
  const double no = held([](Heading heading) { return heading == refused; });
  const bool only_hosts = std::ranges::all_of(reading.beside, is_host);
  if (reading.untold || (!only_hosts && no > 1 - few_outside)) {
    reading.verdict = Verdict::partial;
  } else if (!only_hosts) {
    reading.verdict = Verdict::direct;
  } else {
    reading.verdict = no > 0 ? Verdict::blocked : Verdict::none;
  }
  return reading;
}

}  // namespace icelock::net
