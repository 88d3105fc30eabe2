// SPDX-License-Identifier: Apache-2.0
#include "net/network.h"

#include <algorithm>
#include <set>

#include "net/roles.h"

namespace icelock::net {
namespace {

/// Where packets head for, from harmless to worst.
enum Heading : std::uint16_t { nearby, nowhere, refused, inside_vpn, by_ipsec, outside, untold };

constexpr double enough_inside = 1.0 / 16;
constexpr double few_outside = 1.0 / 4;
constexpr double nearly_all = 0.9;

bool is_inside(std::uint16_t heading) {
  return heading == inside_vpn || heading == by_ipsec;
}

const Position nat64_base{0x0064'ff9b'0000'0000, 0};

/// What one part of a family's traffic comes to.
struct Reading {
  Verdict verdict = Verdict::none;
  std::vector<Prefix> beside;  ///< what leaves the tunnel aside
  bool untold = false;
};

class Classifier {
 public:
  Classifier(const Snapshot& snapshot, const std::vector<NamedRole>& named)
      : snapshot_(snapshot), roles_(roles_of(snapshot, named)) {
    has_nat64_ = finds_nat64();
  }

  Network run() {
    Network network;
    network.ipv4 = state_of(Family::ipv4);
    network.ipv6 = state_of(Family::ipv6);
    for (const Link& link : snapshot_.links) {
      add_tunnel(link, network);
      add_addresses(link, network.addresses);
    }
    return network;
  }

 private:
  Role role(int link) const {
    const auto found = roles_.find(link);
    return found == roles_.end() ? Role::uplink : found->second;
  }

  std::string name_of(int link) const {
    const Link* found = find_link(snapshot_, link);
    return found ? found->name : "";
  }

  // strongSwan's route is "default ... src <virtual address>/32" in a table of its own, libreswan's
  // are half-default ones in the main table, from an address on lo. A host-prefix address alone proves
  // nothing: DHCPv6 and some clouds give one, and machines that speak a routing protocol.
  bool is_ipsec(const Fate& fate, const Link& out) const {
    if (!fate.source || fate.by_protocol) return false;
    const bool has_other = std::ranges::any_of(out.addresses, [&](const Address& address) {
      return address.global_scope && address.ip.family == fate.source->family &&
             address.ip != *fate.source;
    });
    if (!has_other) return false;
    return std::ranges::any_of(snapshot_.links, [&](const Link& link) {
      return std::ranges::any_of(link.addresses, [&](const Address& address) {
        return address.ip == *fate.source && address.prefix == bits(address.ip.family);
      });
    });
  }

  Heading heading_over(int index, const Fate& fate) const {
    const Link* link = find_link(snapshot_, index);
    if (!link) return untold;
    switch (role(index)) {
      case Role::sink:
        return refused;
      case Role::vpn:
        return link->up && link->running ? inside_vpn : refused;
      case Role::mesh:
        return nearby;
      case Role::clat:
        return heading_of_clat();
      case Role::uplink:
      case Role::virtual_link:
        break;
    }
    if (fate.course == Course::neighbours) return nearby;
    return is_ipsec(fate, *link) ? by_ipsec : outside;
  }

  Heading heading(const Fate& fate) const {
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
      const Heading one = heading_over(link, fate);
      some_inside = some_inside || is_inside(one);
      worst = std::max(worst, one);
    }
    return some_inside && worst == outside ? untold : worst;  // the kernel may take either
  }

  // What a CLAT takes goes on as IPv6, to the network's NAT64.
  Heading heading_of_clat() const {
    const Fate* fate = nat64_fate();
    if (!fate || std::ranges::any_of(fate->links, [&](int link) { return role(link) == Role::clat; })) {
      return outside;
    }
    return heading(*fate);
  }

  const Fate* nat64_fate() const {
    for (const Part& part : snapshot_.parts) {
      if (part.family != Family::ipv6 || part.use != Part::Use::web) continue;
      return &snapshot_.fates[value_at(part.to, {nat64_base.high, 0x0808'0808})];
    }
    return nullptr;
  }

  /// Evidence that 64:ff9b::/96 leads anywhere: else a default route does not count for it.
  bool finds_nat64() const {
    bool has_ipv4 = false;
    for (const auto& [link, link_role] : roles_) {
      if (link_role == Role::clat) return true;
      const auto use = snapshot_.uses.find(link);
      has_ipv4 = has_ipv4 || (link_role == Role::uplink && use != snapshot_.uses.end() &&
                              (use->second.whole[0] || use->second.half[0]));
    }
    if (!has_ipv4) return true;
    const Position end = last_of(nat64_base, 96);
    return std::ranges::any_of(snapshot_.parts, [&](const Part& part) {
      return part.family == Family::ipv6 && std::ranges::any_of(part.to, [&](const Span& span) {
               return span.first >= nat64_base && span.first <= end;
             });
    });
  }

  bool counts(std::uint16_t space) const {
    return space == is_public_space || (space == is_nat64_space && has_nat64_);
  }

  Heading heading(const Answer& answer, const Fate& computed) const {
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
      return heading_over(answer.link, computed);
    }
    Fate fate = computed;
    fate.course = Course::onward;
    fate.links = {answer.link};
    fate.source = answer.source;
    return heading(fate);
  }

  /// Headings by fate, after the kernel has been heard.
  std::vector<std::uint16_t> headings(const Part& part, FamilyState& state) const {
    std::vector<std::uint16_t> result;
    for (const Fate& fate : snapshot_.fates) result.push_back(heading(fate));
    for (const Check& check : part.checks) {
      const Fate& fate = snapshot_.fates[check.fate];
      const Heading answered = heading(check.answer, fate);
      std::uint16_t& computed = result[check.fate];
      if (computed == untold || answered == computed || heading(fate) == answered) continue;
      // Several links, of which the kernel took one.
      const bool is_one_of = std::ranges::find(fate.links, check.answer.link) != fate.links.end();
      if (is_one_of && answered < computed) continue;
      if (computed == nearby && answered == refused) continue;  // this machine itself
      const Ip& ip = check.question.destination;
      state.disputed = Prefix{ip, static_cast<std::uint8_t>(bits(ip.family))};
      // Were "outside" taken for the whole, a VPN would be no VPN any more, and nothing protected.
      const bool hides = is_inside(computed) || computed == refused;
      const bool opposite =
          (hides && answered == outside) || (computed == outside && is_inside(answered));
      computed = opposite ? std::uint16_t{untold} : std::max<std::uint16_t>(computed, answered);
    }
    return result;
  }

  /// As many blocks of hosts may leave as there are VPNs that need to reach a server.
  std::size_t servers(Family family) const {
    std::set<std::pair<int, std::uint32_t>> vpns;  // by link; those by IPsec by their table
    for (const Part& part : snapshot_.parts) {
      if (part.use == Part::Use::marked) continue;
      for (const Span& span : part.to) {
        const Fate& fate = snapshot_.fates[span.value];
        if (fate.course != Course::onward || !is_inside(heading(fate))) continue;
        const bool marks = std::ranges::any_of(snapshot_.rules, [&](const Rule& rule) {
          return rule.mask != 0 && rule.inverted && rule.table == fate.table &&
                 rule.family == family;
        });
        if (!marks) vpns.insert({fate.links.front(), heading(fate) == by_ipsec ? fate.table : 0});
      }
    }
    for (const Link& link : snapshot_.links) {
      const bool idle_vpn = link.link_class == LinkClass::tunnel && link.up && link.running &&
                            (role(link.index) == Role::mesh && !link.addresses.empty());
      if (idle_vpn) vpns.insert({link.index, 0});
    }
    return vpns.size();
  }

  std::vector<Prefix> less_servers(std::vector<Prefix> beside, const Part& part,
                                   const std::vector<std::uint16_t>& to) const {
    const Family family = part.family;
    const auto is_host = [&](const Prefix& block) {
      const std::uint16_t fate = value_at(part.to, position(block.base));
      // No VPN's program says that a protocol told it of its server, or leaves open where it is.
      return block.length >= bits(family) - 1 && !snapshot_.fates[fate].told_host &&
             to[fate] == outside;
    };
    std::set<Ip> groups;
    for (const Prefix& block : beside) {
      const int length = family == Family::ipv4 ? 24 : 64;
      if (is_host(block)) groups.insert(ip_at(family, first_of(position(block.base), length)));
    }
    if (groups.size() <= servers(family)) std::erase_if(beside, is_host);
    return beside;
  }

  /// 1 where the heading is one of these, 0 elsewhere, 2 where it does not matter.
  template <class Wanted>
  Spans marked(const Part& part, const std::vector<std::uint16_t>& to, const Wanted& wanted) const {
    return combine(part.to, public_space(part.family),
                   [&](std::uint16_t fate, std::uint16_t space) {
                     if (!counts(space)) return std::uint16_t{2};
                     if (wanted(to[fate])) return std::uint16_t{1};
                     return std::uint16_t{to[fate] == nearby ? std::uint16_t{2} : std::uint16_t{0}};
                   });
  }

  Reading read(const Part& part, const std::vector<std::uint16_t>& to) const {
    Reading reading;
    const auto held = [&](auto wanted) {
      const Spans spans = map(part.to, [&](std::uint16_t fate) {
        return std::uint16_t{wanted(to[fate])};
      });
      return share(spans, part.family, 1);
    };
    const Spans leaving = marked(part, to, [](std::uint16_t it) { return it >= outside; });
    reading.beside = cover(leaving, part.family);
    reading.untold = !cover(marked(part, to, [](std::uint16_t it) { return it == untold; }),
                            part.family).empty();
    const double in = held([](std::uint16_t it) { return is_inside(it); });
    const double out = held([](std::uint16_t it) { return it >= outside; });
    const double no = held([](std::uint16_t it) { return it == refused; });
    if (in >= enough_inside) {
      reading.beside = less_servers(std::move(reading.beside), part, to);
      const bool ipsec = held([](std::uint16_t it) { return it == by_ipsec; }) >= in / 2;
      reading.verdict = !reading.beside.empty() && out > few_outside ? Verdict::partial
                        : ipsec                                     ? Verdict::ipsec
                                                                    : Verdict::tunnel;
      return reading;
    }
    const bool only_hosts = std::ranges::all_of(reading.beside, [&](const Prefix& block) {
      return block.length >= bits(part.family) - 1;
    });
    if (reading.untold) {
      reading.verdict = Verdict::partial;
    } else if (only_hosts) {
      reading.verdict = no > 0 ? Verdict::blocked : Verdict::none;
    } else {
      reading.verdict = no > 1 - few_outside ? Verdict::partial : Verdict::direct;
    }
    return reading;
  }

  static bool by_vpn(Verdict verdict) {
    return verdict == Verdict::tunnel || verdict == Verdict::ipsec;
  }

  static Verdict together(Verdict a, Verdict b) {
    if (a == b) return a;
    if (by_vpn(a) && by_vpn(b)) return Verdict::tunnel;
    const auto is_vpns = [](Verdict it) { return by_vpn(it) || it == Verdict::partial; };
    if (is_vpns(a) || is_vpns(b)) return Verdict::partial;
    if (a == Verdict::direct || b == Verdict::direct) return Verdict::direct;
    return Verdict::blocked;
  }

  /// The fate that most public destinations have among those of these headings.
  template <class Wanted>
  const Fate* main_fate(const Part& part, const std::vector<std::uint16_t>& to,
                        const Wanted& wanted) const {
    const Fate* best = nullptr;
    double most = 0;
    std::set<std::uint16_t> seen;
    for (const Span& span : part.to) {
      if (!wanted(to[span.value]) || !seen.insert(span.value).second) continue;
      const double held = share(part.to, part.family, span.value);
      if (best == nullptr || held > most) best = &snapshot_.fates[span.value];
      most = std::max(most, held);
    }
    return best;
  }

  static bool speaks_for(Verdict verdict, std::uint16_t heading) {
    switch (verdict) {
      case Verdict::direct:
      case Verdict::partial:
        return heading == outside;
      case Verdict::tunnel:
      case Verdict::ipsec:
        return is_inside(heading);
      case Verdict::blocked:
        return heading == refused;
      case Verdict::none:
        break;
    }
    return false;
  }

  void find_link_of(const Part& part, const std::vector<std::uint16_t>& to, FamilyState& state) const {
    const Fate* fate = main_fate(part, to, [&](std::uint16_t it) {
      return speaks_for(state.verdict, it);
    });
    if (!fate || fate->links.empty()) return;
    int link = fate->links.front();
    if (role(link) == Role::clat && by_vpn(state.verdict)) link = nat64_fate()->links.front();
    state.link = name_of(link);
    const Answer& usual = snapshot_.defaults[index_of(part.family)];
    if (usual.outcome == Outcome::unicast && usual.link == fate->links.front()) {
      state.source = usual.source;
      return;
    }
    for (const Check& check : part.checks) {
      if (check.answer.outcome == Outcome::unicast && check.answer.link == fate->links.front()) {
        state.source = check.answer.source;
      }
    }
  }

  std::string only_link(const Part& part, const std::vector<std::uint16_t>& to,
                        std::uint16_t wanted) const {
    std::set<std::string> names;
    const Spans public_fates = combine(part.to, public_space(part.family),
                                       [&](std::uint16_t fate, std::uint16_t space) {
                                         return counts(space) ? fate : std::uint16_t{0};
                                       });
    for (const Span& span : public_fates) {
      if (to[span.value] != wanted) continue;
      for (const int link : snapshot_.fates[span.value].links) names.insert(name_of(link));
    }
    return names.size() == 1 ? *names.begin() : "";
  }

  void add_neighbours(const Part& part, const std::vector<std::uint16_t>& to,
                      FamilyState& state) const {
    const Spans near = combine(part.to, public_space(part.family),
                               [&](std::uint16_t fate, std::uint16_t space) {
                                 const bool is_near =
                                     snapshot_.fates[fate].course == Course::neighbours &&
                                     std::ranges::any_of(snapshot_.fates[fate].links, [&](int link) {
                                       return role(link) == Role::uplink;
                                     });
                                 return std::uint16_t{counts(space) && is_near};
                               });
    const int narrowest = part.family == Family::ipv4 ? 30 : 63;
    for (const Prefix& block : cover(near, part.family)) {
      if (block.length <= narrowest) state.neighbours.push_back(block);
    }
    if (!state.neighbours.empty()) state.neighbours_link = only_link(part, to, nearby);
  }

  void add_datagrams(const Part& part, FamilyState& state) const {
    const auto to = headings(part, state);
    const Reading reading = read(part, to);
    state.unknown_ways = state.unknown_ways || reading.untold;
    if (!by_vpn(state.verdict)) {
      const bool leaves = reading.verdict == Verdict::direct || reading.verdict == Verdict::partial;
      if (leaves && state.verdict != Verdict::direct) state.verdict = Verdict::partial;
      return;
    }
    if (by_vpn(reading.verdict) && reading.beside == state.excluded) return;
    if (!by_vpn(reading.verdict) && reading.verdict < Verdict::blocked) {
      const Fate* fate = main_fate(part, to, [](std::uint16_t it) { return it >= outside; });
      state.datagrams_link = fate && !fate->links.empty() ? name_of(fate->links.front()) : "?";
    } else if (state.excluded.empty()) {
      state.excluded = reading.beside;
      state.excluded_link = only_link(part, to, outside);
    }
    state.excluded_routes = state.excluded_routes || !reading.beside.empty();
  }

  void add_marked(const Part& part, FamilyState& state) const {
    FamilyState ignored;
    const auto to = headings(part, ignored);
    const Reading reading = read(part, to);
    if (by_vpn(reading.verdict) && !by_vpn(state.verdict) && state.verdict != Verdict::partial) {
      const Fate* fate = main_fate(part, to, is_inside);
      if (fate) state.marked_into = name_of(fate->links.front());
    }
    if (by_vpn(state.verdict) && !by_vpn(reading.verdict)) {
      state.marked_beside =
          state.marked_beside || std::ranges::none_of(snapshot_.rules, [&](const Rule& rule) {
            return rule.inverted && rule.mask != 0 && rule.mark == part.mark;
          });
    }
  }

  FamilyState state_of(Family family) const {
    FamilyState state;
    const Part* first = nullptr;
    std::vector<std::uint16_t> first_headings;
    for (const Part& part : snapshot_.parts) {
      if (part.family != family || part.use != Part::Use::web) continue;
      const auto to = headings(part, state);
      const Reading reading = read(part, to);
      state.unknown_ways = state.unknown_ways || reading.untold;
      state.verdict = first ? together(state.verdict, reading.verdict) : reading.verdict;
      if (by_vpn(reading.verdict) && !reading.beside.empty() && state.excluded.empty()) {
        state.excluded_routes = true;
        state.excluded = reading.beside;
        state.excluded_link = only_link(part, to, outside);
      }
      if (!first || !by_vpn(reading.verdict)) {
        first = &part;
        first_headings = to;
      }
    }
    if (!first) return state;
    for (const Part& part : snapshot_.parts) {
      if (part.family == family && part.use == Part::Use::datagrams) add_datagrams(part, state);
    }
    for (const Part& part : snapshot_.parts) {
      if (part.family == family && part.use == Part::Use::marked) add_marked(part, state);
    }
    find_link_of(*first, first_headings, state);
    if (by_vpn(state.verdict)) add_neighbours(*first, first_headings, state);
    return state;
  }

  /// How much of what the web sends into VPNs goes by this link.
  Coverage coverage(const Link& link, const FamilyState& state, Family family) const {
    double here = 0;
    double all = 0;
    for (const Part& part : snapshot_.parts) {
      if (part.family != family || part.use != Part::Use::web) continue;
      std::set<std::uint16_t> seen;
      for (const Span& span : part.to) {
        const Fate& fate = snapshot_.fates[span.value];
        if (!seen.insert(span.value).second || !is_inside(heading(fate))) continue;
        const double held = share(part.to, family, span.value);
        all += held;
        if (std::ranges::find(fate.links, link.index) != fate.links.end()) here += held;
      }
    }
    const bool carries = here > 0 && (role(link.index) == Role::vpn || state.verdict == Verdict::ipsec);
    if (carries && by_vpn(state.verdict) && here >= nearly_all * all) return Coverage::full;
    if (carries) return Coverage::split;
    const bool is_vpn = role(link.index) == Role::vpn || role(link.index) == Role::mesh;
    const bool has_address = std::ranges::any_of(link.addresses, [&](const Address& address) {
      return address.global_scope && address.ip.family == family;
    });
    return is_vpn && has_address ? Coverage::split : Coverage::none;
  }

  void add_tunnel(const Link& link, Network& network) const {
    if (!link.up || !link.running) return;
    const bool is_vpn = role(link.index) == Role::vpn || role(link.index) == Role::mesh;
    Tunnel tunnel;
    tunnel.link = link.name;
    tunnel.kind = !is_vpn ? "ipsec" : link.kind.empty() ? "unknown" : link.kind;
    tunnel.ipv4 = coverage(link, network.ipv4, Family::ipv4);
    tunnel.ipv6 = coverage(link, network.ipv6, Family::ipv6);
    if (tunnel.ipv4 == Coverage::none && tunnel.ipv6 == Coverage::none) return;
    network.tunnels.push_back(std::move(tunnel));
  }

  void add_addresses(const Link& link, std::vector<LocalAddress>& addresses) const {
    if (!link.up || !link.running || link.link_class == LinkClass::loopback) return;
    for (const Address& address : link.addresses) {
      if (address.deprecated) continue;
      if (address.ip.family == Family::ipv6 && is_link_local(address.ip)) continue;
      addresses.push_back({address.ip, link.name, role(link.index), address.mac_based});
    }
  }

  const Snapshot& snapshot_;
  std::map<int, Role> roles_;
  bool has_nat64_ = false;
};

}  // namespace

Network classify(const Snapshot& snapshot, const std::vector<NamedRole>& named) {
  return Classifier(snapshot, named).run();
}

std::string_view name(Verdict verdict) {
  constexpr std::string_view names[] = {"direct", "tunnel", "partial", "ipsec", "blocked", "none"};
  return names[static_cast<std::size_t>(verdict)];
}

std::string_view name(Coverage coverage) {
  constexpr std::string_view names[] = {"none", "split", "full"};
  return names[static_cast<std::size_t>(coverage)];
}

std::string_view name(LinkClass link_class) {
  constexpr std::string_view names[] = {"loopback", "physical", "tunnel", "sink", "virtual_link"};
  return names[static_cast<std::size_t>(link_class)];
}

namespace {

constexpr std::string_view role_names[] = {"uplink", "vpn", "mesh", "clat", "sink", "virtual"};

}  // namespace

std::string_view name(Role role) {
  return role_names[static_cast<std::size_t>(role)];
}

std::optional<Role> parse_role(std::string_view text) {
  const auto found = std::ranges::find(role_names, text);
  if (found == std::end(role_names)) return std::nullopt;
  return static_cast<Role>(found - std::begin(role_names));
}

}  // namespace icelock::net
