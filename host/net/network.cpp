// SPDX-License-Identifier: Apache-2.0
#include "net/network.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "net/headings.h"
#include "net/roles.h"

namespace icelock::net {
namespace {

constexpr double nearly_all = 0.9;

Verdict together(Verdict a, Verdict b) {
  if (a == b) return a;
  if (by_vpn(a) && by_vpn(b)) return Verdict::tunnel;
  const auto is_vpns = [](Verdict it) { return by_vpn(it) || it == Verdict::partial; };
  if (is_vpns(a) || is_vpns(b)) return Verdict::partial;
  if (a == Verdict::direct || b == Verdict::direct) return Verdict::direct;
  return Verdict::blocked;
}

/// Which headings show the link that carries the family, for each verdict.
bool speaks_for(Verdict verdict, std::uint16_t heading) {
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

class Classifier {
 public:
  Classifier(const Snapshot& snapshot, const std::vector<NamedRole>& named)
      : snapshot_(snapshot), headings_(snapshot, named) {}

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
  std::string name_of(int link) const {
    const Link* found = find_link(snapshot_, link);
    return found ? found->name : "";
  }

  /// The fate that most public destinations have among those of these headings.
  template <class Wanted>
  const Fate* main_fate(const Reading& reading, const Wanted& wanted) const {
    const Fate* best = nullptr;
    double most = 0;
    for (std::size_t fate = 0; fate < reading.to.size(); ++fate) {
      if (!wanted(reading.to[fate]) || reading.shares[fate] <= most) continue;
      best = &snapshot_.fates[fate];
      most = reading.shares[fate];
    }
    return best;
  }

  void find_link_of(const Reading& reading, FamilyState& state) const {
    const auto speaks = [&](std::uint16_t it) { return speaks_for(state.verdict, it); };
    const Fate* fate = main_fate(reading, speaks);
    if (!fate || fate->links.empty()) return;
    const int out = fate->links.front();
    const bool through_clat = headings_.role(out) == Role::clat && by_vpn(state.verdict);
    state.link = name_of(through_clat ? headings_.nat64_fate()->links.front() : out);
    const Answer& usual = snapshot_.defaults[index_of(reading.part->family)];
    if (usual.outcome == Outcome::unicast && usual.link == out) {
      state.source = usual.source;
      return;
    }
    for (const Check& check : reading.part->checks) {
      if (check.answer.outcome != Outcome::unicast || check.answer.link != out) continue;
      state.source = check.answer.source;
      return;
    }
  }

  /// The name of the link by which those of this heading go, when there is one for all.
  std::string only_link(const Reading& reading, std::uint16_t heading) const {
    std::set<std::string> names;
    for (const Span& span : combine(reading.part->to, public_space(reading.part->family),
                                    [&](std::uint16_t fate, std::uint16_t space) {
                                      return headings_.counts(space) ? fate : std::uint16_t{0};
                                    })) {
      if (reading.to[span.value] != heading) continue;
      for (const int link : snapshot_.fates[span.value].links) names.insert(name_of(link));
    }
    return names.size() == 1 ? *names.begin() : "";
  }

  // Every IPv6 network numbers its neighbours from public space; of those a block is of interest
  // only when it is wider than one network.
  void add_neighbours(const Reading& reading, FamilyState& state) const {
    std::vector<bool> is_near;
    for (const Fate& fate : snapshot_.fates) {
      is_near.push_back(fate.course == Course::neighbours &&
                        std::ranges::any_of(fate.links, [&](int link) {
                          return headings_.role(link) == Role::uplink;
                        }));
    }
    const Family family = reading.part->family;
    const Spans near = combine(reading.part->to, public_space(family),
                               [&](std::uint16_t fate, std::uint16_t space) {
                                 if (snapshot_.fates[fate].course == Course::local) {
                                   return std::uint16_t{2};
                                 }
                                 return std::uint16_t{headings_.counts(space) && is_near[fate]};
                               });
    const int narrowest = family == Family::ipv4 ? 30 : 63;
    for (const Prefix& block : cover(near, family)) {
      if (block.length <= narrowest) state.neighbours.push_back(block);
    }
    std::set<std::string> names;
    for (const Span& span : near) {
      if (span.value != 1) continue;
      for (const int link : snapshot_.fates[value_at(reading.part->to, span.first)].links) {
        names.insert(name_of(link));
      }
    }
    if (!state.neighbours.empty()) state.neighbours_link = *names.begin();
  }

  void add_excluded(const Reading& reading, FamilyState& state) const {
    if (reading.beside.empty()) return;
    state.excluded_routes = true;
    if (!state.excluded.empty()) return;
    state.excluded = reading.beside;
    state.excluded_link = only_link(reading, outside);
  }

  void add_datagrams(const Reading& reading, FamilyState& state) const {
    const bool leaves = reading.verdict == Verdict::direct || reading.verdict == Verdict::partial;
    if (!by_vpn(state.verdict)) {
      // What the web is refused, WebRTC is not.
      if (leaves && state.verdict != Verdict::direct) state.verdict = Verdict::partial;
    } else if (leaves) {
      const Fate* fate = main_fate(reading, [](std::uint16_t it) { return it >= outside; });
      state.datagrams_link = fate && !fate->links.empty() ? name_of(fate->links.front()) : "?";
      const Answer& usual = snapshot_.defaults[index_of(reading.part->family)];
      if (name_of(usual.link) == state.datagrams_link) state.datagrams_source = usual.source;
      state.excluded_routes = true;
    } else {
      add_excluded(reading, state);
    }
  }

  void add_marked(const Reading& reading, FamilyState& state) const {
    if (by_vpn(reading.verdict) && !by_vpn(state.verdict) && state.verdict != Verdict::partial) {
      if (const Fate* fate = main_fate(reading, is_inside)) {
        state.marked_into = name_of(fate->links.front());
      }
    }
    if (!by_vpn(state.verdict) || by_vpn(reading.verdict)) return;
    const bool is_vpns_own = std::ranges::any_of(snapshot_.rules, [&](const Rule& rule) {
      return rule.inverted && rule.mask != 0 && rule.mark == reading.part->mark;
    });
    state.marked_beside = state.marked_beside || !is_vpns_own;
  }

  FamilyState state_of(Family family) {
    FamilyState state;
    std::optional<Reading> main;  // that of the web; the worst where they differ
    for (const Part& part : snapshot_.parts) {
      if (part.family != family) continue;
      Reading reading = read(headings_, part);
      if (part.use != Part::Use::marked) {
        state.unknown_ways = state.unknown_ways || reading.untold;
        if (reading.disputed) state.disputed = reading.disputed;
      }
      switch (part.use) {
        case Part::Use::web:
          state.verdict = main ? together(state.verdict, reading.verdict) : reading.verdict;
          if (by_vpn(reading.verdict)) add_excluded(reading, state);
          count_inside(reading);
          if (!main || !by_vpn(reading.verdict)) main = std::move(reading);
          break;
        case Part::Use::datagrams:
          add_datagrams(reading, state);
          break;
        case Part::Use::marked:
          add_marked(reading, state);
          break;
      }
    }
    if (!main) return state;
    find_link_of(*main, state);
    if (by_vpn(state.verdict)) add_neighbours(*main, state);
    return state;
  }

  void count_inside(const Reading& reading) {
    auto& inside = inside_[index_of(reading.part->family)];
    for (std::size_t fate = 0; fate < reading.to.size(); ++fate) {
      if (!is_inside(reading.to[fate])) continue;
      for (const int link : snapshot_.fates[fate].links) {
        const bool through_clat = headings_.role(link) == Role::clat;
        inside.by_link[through_clat ? headings_.nat64_fate()->links.front() : link] +=
            reading.shares[fate];
      }
      inside.all += reading.shares[fate];
    }
  }

  /// How much of what the web sends into VPNs goes by this link.
  Coverage coverage(const Link& link, const FamilyState& state, Family family) const {
    const Inside& inside = inside_[index_of(family)];
    const auto here = inside.by_link.find(link.index);
    if (here != inside.by_link.end() && here->second > 0) {
      const bool all = by_vpn(state.verdict) && here->second >= nearly_all * inside.all;
      return all ? Coverage::full : Coverage::split;
    }
    const bool has_address = std::ranges::any_of(link.addresses, [&](const Address& address) {
      return address.global_scope && address.ip.family == family;
    });
    return is_vpn(link) && has_address ? Coverage::split : Coverage::none;
  }

  bool is_vpn(const Link& link) const {
    const Role role = headings_.role(link.index);
    return role == Role::vpn || role == Role::mesh;
  }

  void add_tunnel(const Link& link, Network& network) const {
    if (!link.up || !link.running) return;
    Tunnel tunnel;
    tunnel.link = link.name;
    tunnel.kind = !is_vpn(link) ? "ipsec" : link.kind.empty() ? "unknown" : link.kind;
    tunnel.ipv4 = coverage(link, network.ipv4, Family::ipv4);
    tunnel.ipv6 = coverage(link, network.ipv6, Family::ipv6);
    if (tunnel.ipv4 == Coverage::none && tunnel.ipv6 == Coverage::none) return;
    network.tunnels.push_back(std::move(tunnel));
  }

  void add_addresses(const Link& link, std::vector<LocalAddress>& addresses) const {
    if (!link.up || !link.running) return;
    const bool on_loopback = link.link_class == LinkClass::loopback;
    for (const Address& address : link.addresses) {
      if (address.deprecated || is_loopback(address.ip)) continue;
      if (address.ip.family == Family::ipv6 && is_link_local(address.ip)) continue;
      addresses.push_back(
          {address.ip, link.name, headings_.role(link.index), address.mac_based, on_loopback});
    }
  }

  struct Inside {
    std::map<int, double> by_link;
    double all = 0;
  };

  const Snapshot& snapshot_;
  Headings headings_;
  std::array<Inside, 2> inside_;  ///< by family
};

constexpr std::string_view role_names[] = {"uplink", "vpn", "mesh", "clat", "sink", "virtual"};

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

std::string_view name(Role role) {
  return role_names[static_cast<std::size_t>(role)];
}

std::optional<Role> parse_role(std::string_view text) {
  const auto found = std::ranges::find(role_names, text);
  if (found == std::end(role_names)) return std::nullopt;
  return static_cast<Role>(found - std::begin(role_names));
}

}  // namespace icelock::net
