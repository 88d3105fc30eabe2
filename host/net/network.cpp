// SPDX-License-Identifier: Apache-2.0
#include "net/network.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

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

/// Which headings show the link that carries the family.
bool speaks_for(Verdict verdict, Heading heading) {
  if (by_vpn(verdict)) return is_inside(heading);
  if (verdict == Verdict::blocked) return heading == refused;
  return verdict != Verdict::none && heading == outside;
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
    const Link* found = find_link(snapshot_.links, link);
    return found ? found->name : "";
  }

  /// One of these headings, of the set of fates that most public destinations have.
  template <class Wanted>
  const Fate* main_fate(const Reading& reading, const Wanted& wanted) const {
    const Fate* best = nullptr;
    double most = 0;
    for (std::size_t set = 0; set < reading.of_set.size(); ++set) {
      if (reading.shares[set] <= most) continue;
      const auto& fates = snapshot_.sets[set];
      const auto found = std::ranges::find_if(
          fates, [&](std::uint16_t fate) { return wanted(reading.of_fate[fate]); });
      if (found == fates.end()) continue;
      best = &snapshot_.fates[*found];
      most = reading.shares[set];
    }
    return best;
  }

  /// The names of the links by which the fates go that are wanted and seen.
  template <class Wanted>
  std::set<std::string> links_of(const Reading& reading, const Wanted& wanted) const {
    std::set<std::string> names;
    std::set<std::uint16_t> seen;
    for (const Span& span : reading.seen) {
      if (!seen.insert(span.value).second) continue;
      for (const std::uint16_t fate : snapshot_.sets[span.value]) {
        if (!wanted(fate)) continue;
        for (const int link : snapshot_.fates[fate].links) names.insert(name_of(link));
      }
    }
    return names;
  }

  /// The link that bears what this one takes.
  int bearer(int link) const {
    return headings_.role(link) == Role::clat
               ? snapshot_.fates[headings_.nat64_fates().front()].links.front()
               : link;
  }

  void find_link_of(const Reading& reading, FamilyState& state) const {
    const auto speaks = [&](Heading it) { return speaks_for(state.verdict, it); };
    const Fate* fate = main_fate(reading, speaks);
    if (!fate || fate->links.empty()) return;
    const int out = fate->links.front();
    state.link = name_of(by_vpn(state.verdict) ? bearer(out) : out);
    const Answer& usual = snapshot_.defaults[index_of(reading.part->family)];
    if (usual.link == out) {
      state.source = usual.source;
      return;
    }
    const auto answer_over_it = std::ranges::find(
        reading.part->checks, out, [](const Check& check) { return check.answer.link; });
    if (answer_over_it != reading.part->checks.end()) {
      state.source = answer_over_it->answer.source;
    }
  }

  // Every IPv6 network numbers its neighbours from public space; of those a block is of interest
  // only when it is wider than one network.
  void add_neighbours(const Reading& reading, FamilyState& state) const {
    const auto is_near = [&](std::uint16_t number) {
      const Fate& fate = snapshot_.fates[number];
      return fate.course == Course::neighbours && std::ranges::any_of(fate.links, [&](int link) {
               return headings_.role(link) == Role::uplink;
             });
    };
    const auto is_local = [&](std::uint16_t number) {
      return snapshot_.fates[number].course == Course::local;
    };
    const Spans near = map(reading.seen, [&](std::uint16_t number) -> std::uint16_t {
      const auto& set = snapshot_.sets[number];
      return std::ranges::any_of(set, is_near) ? 1 : std::ranges::any_of(set, is_local) ? 2 : 0;
    });
    const int narrowest = reading.part->family == Family::ipv4 ? 30 : 63;
    state.neighbours = cover(near, reading.part->family);
    std::erase_if(state.neighbours, [&](const Prefix& block) { return block.length > narrowest; });
    if (!state.neighbours.empty()) state.neighbours_link = *links_of(reading, is_near).begin();
  }

  void add_excluded(const Reading& reading, FamilyState& state) const {
    if (reading.beside.empty()) return;
    state.excluded_routes = true;
    if (!state.excluded.empty()) return;
    state.excluded = reading.beside;
    const auto names =
        links_of(reading, [&](std::uint16_t fate) { return reading.of_fate[fate] == outside; });
    state.excluded_link = names.size() == 1 ? *names.begin() : "";
  }

  void add_datagrams(const Reading& reading, FamilyState& state) const {
    const bool leaves = reading.verdict == Verdict::direct || reading.verdict == Verdict::partial;
    if (!by_vpn(state.verdict)) {
      // What the web is refused, WebRTC is not.
      if (leaves && state.verdict != Verdict::direct) state.verdict = Verdict::partial;
    } else if (leaves) {
      const Fate* fate = main_fate(reading, [](Heading it) { return it >= outside; });
      state.datagrams_link = fate && !fate->links.empty() ? name_of(fate->links.front()) : "?";
      const Answer& usual = snapshot_.defaults[index_of(reading.part->family)];
      if (name_of(usual.link) == state.datagrams_link) state.datagrams_source = usual.source;
      state.excluded_routes = true;
    } else {
      add_excluded(reading, state);
    }
  }

  void add_marked(const Reading& worst, FamilyState& state) const {
    const Reading best = read(headings_, *worst.part, Counts::best);
    const Reading* into = by_vpn(worst.verdict) ? &worst : by_vpn(best.verdict) ? &best : nullptr;
    if (into && !by_vpn(state.verdict) && state.verdict != Verdict::partial) {
      if (const Fate* fate = main_fate(*into, is_inside)) {
        state.marked_into = name_of(fate->links.front());
      }
    }
    if (!by_vpn(state.verdict) || (by_vpn(worst.verdict) && by_vpn(best.verdict))) return;
    const bool is_vpns_own = std::ranges::any_of(snapshot_.rules, [&](const Rule& rule) {
      return rule.inverted && rule.mask != 0 && rule.mark == worst.part->mark;
    });
    state.marked_beside = state.marked_beside || !is_vpns_own;
  }

  FamilyState state_of(Family family) {
    FamilyState state;
    std::optional<Reading> web;
    for (const Part& part : snapshot_.parts) {
      if (part.family != family) continue;
      Reading reading = read(headings_, part);
      if (part.use != Part::Use::marked) {
        state.unknown_ways = state.unknown_ways || reading.untold;
        if (reading.disputed) state.disputed = reading.disputed;
      }
      switch (part.use) {
        case Part::Use::web:
          state.verdict = together(reading.verdict, read(headings_, part, Counts::best).verdict);
          if (by_vpn(reading.verdict)) add_excluded(reading, state);
          count_inside(reading);
          web = std::move(reading);
          break;
        case Part::Use::datagrams:
          add_datagrams(reading, state);
          break;
        case Part::Use::marked:
          add_marked(reading, state);
          break;
      }
    }
    if (!web) return state;
    find_link_of(*web, state);
    if (by_vpn(state.verdict)) add_neighbours(*web, state);
    return state;
  }

  void count_inside(const Reading& reading) {
    auto& inside = inside_[index_of(reading.part->family)];
    for (std::size_t set = 0; set < reading.of_set.size(); ++set) {
      for (const std::uint16_t fate : snapshot_.sets[set]) {
        if (!is_inside(reading.of_fate[fate])) continue;
        for (const int link : snapshot_.fates[fate].links) {
          inside.by_link[bearer(link)] += reading.shares[set];
        }
        inside.all += reading.shares[set];
      }
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

constexpr std::string_view verdict_names[] = {"direct", "tunnel",  "partial",
                                              "ipsec",  "blocked", "none"};
constexpr std::string_view coverage_names[] = {"none", "split", "full"};
constexpr std::string_view class_names[] = {"loopback", "physical", "tunnel", "sink",
                                            "virtual_link"};
constexpr std::string_view role_names[] = {"uplink", "vpn", "mesh", "clat", "sink", "virtual"};

}  // namespace

const Link* find_link(const std::vector<Link>& links, int index) {
  const auto at = std::ranges::lower_bound(links, index, {}, &Link::index);
  return at != links.end() && at->index == index ? &*at : nullptr;
}

Network classify(const Snapshot& snapshot, const std::vector<NamedRole>& named) {
  return Classifier(snapshot, named).run();
}

std::string_view name(Verdict verdict) {
  return verdict_names[std::to_underlying(verdict)];
}

std::string_view name(Coverage coverage) {
  return coverage_names[std::to_underlying(coverage)];
}

std::string_view name(LinkClass link_class) {
  return class_names[std::to_underlying(link_class)];
}

std::string_view name(Role role) {
  return role_names[std::to_underlying(role)];
}

std::optional<Role> parse_role(std::string_view text) {
  const auto found = std::ranges::find(role_names, text);
  if (found == std::end(role_names)) return std::nullopt;
  return static_cast<Role>(found - std::begin(role_names));
}

}  // namespace icelock::net
