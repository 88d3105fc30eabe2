// SPDX-License-Identifier: Apache-2.0
#include "net/network.h"

#include <algorithm>
#include <array>

#include "net/way.h"

namespace icelock::net {
namespace {

/// The answers of one family, counted by where they lead.
struct Tally {
  std::array<int, 6> count{};
  int total = 0;

  int of(Way found) const { return count[static_cast<std::size_t>(found)]; }
  int inside() const { return of(Way::tunnel) + of(Way::ipsec); }
};

Tally tally(const Snapshot& snapshot, Family family) {
  Tally result;
  for (const Answer& answer : snapshot.answers) {
    if (answer.destination.family != family) continue;
    ++result.count[static_cast<std::size_t>(way(snapshot, answer))];
    ++result.total;
  }
  return result;
}

Verdict verdict_of(const Tally& answers) {
  if (answers.total == 0 || answers.of(Way::no_route) == answers.total) return Verdict::none;
  if (answers.of(Way::ipsec) == answers.total) return Verdict::ipsec;
  if (answers.inside() == answers.total) return Verdict::tunnel;
  if (answers.inside() > 0 || answers.of(Way::failed) > 0) return Verdict::partial;
  return answers.of(Way::outside) > 0 ? Verdict::direct : Verdict::blocked;
}

/// Which answers show the link that carries the family, for each verdict.
bool speaks_for(Verdict verdict, Way found) {
  switch (verdict) {
    case Verdict::direct:
    case Verdict::partial:
      return found == Way::outside;
    case Verdict::tunnel:
      return found == Way::tunnel;
    case Verdict::ipsec:
      return found == Way::ipsec;
    case Verdict::blocked:
      return found == Way::refused;
    case Verdict::none:
      return false;
  }
  return false;
}

FamilyState family_state(const Snapshot& snapshot, Family family) {
  FamilyState state;
  state.verdict = verdict_of(tally(snapshot, family));
  for (const Answer& answer : snapshot.answers) {
    if (answer.destination.family != family) continue;
    const Link* link = find_link(snapshot, answer.link);
    if (!link || !speaks_for(state.verdict, way(snapshot, answer))) continue;
    state.link = link->name;
    state.source = answer.source;
    break;
  }
  if (state.verdict != Verdict::tunnel && state.verdict != Verdict::ipsec) return state;
  state.excluded_routes = snapshot.too_many_excluded;
  for (const ExcludedRoute& route : snapshot.excluded) {
    if (route.destination.family != family) continue;
    state.excluded_routes = true;
    const Link* link = find_link(snapshot, route.link);
    state.excluded_example = to_string(route.destination) + "/" + std::to_string(route.prefix) +
                             (link ? " over " + link->name : "");
    break;
  }
  return state;
}

bool has_global(const Link& link, Family family) {
  return std::ranges::any_of(link.addresses, [&](const Address& address) {
    return address.global_scope && address.ip.family == family;
  });
}

/// How many of a family's answers go the given way over this link, as a coverage.
Coverage coverage(const Snapshot& snapshot, Family family, const Link& link, Way wanted) {
  int here = 0;
  int total = 0;
  for (const Answer& answer : snapshot.answers) {
    if (answer.destination.family != family) continue;
    ++total;
    if (answer.link == link.index && way(snapshot, answer) == wanted) ++here;
  }
  if (here > 0 && here == total) return Coverage::full;
  if (here > 0) return Coverage::split;
  return wanted == Way::tunnel && has_global(link, family) ? Coverage::split : Coverage::none;
}

void add_tunnels(const Snapshot& snapshot, const Link& link, std::vector<Tunnel>& tunnels) {
  if (!link.up || !link.running) return;
  const bool vpn = is_vpn(snapshot, link);
  const Way wanted = vpn ? Way::tunnel : Way::ipsec;
  Tunnel tunnel;
  tunnel.link = link.name;
  tunnel.kind = !vpn ? "ipsec" : link.kind.empty() ? "unknown" : link.kind;
  tunnel.ipv4 = coverage(snapshot, Family::ipv4, link, wanted);
  tunnel.ipv6 = coverage(snapshot, Family::ipv6, link, wanted);
  if (tunnel.ipv4 == Coverage::none && tunnel.ipv6 == Coverage::none) return;
  tunnels.push_back(std::move(tunnel));
}

void add_addresses(const Link& link, std::vector<LocalAddress>& addresses) {
  if (!link.up || !link.running || link.link_class == LinkClass::loopback) return;
  for (const Address& address : link.addresses) {
    if (address.deprecated) continue;
    if (address.ip.family == Family::ipv6 && is_link_local(address.ip)) continue;
    addresses.push_back({address.ip, link.name, link.link_class, address.mac_based});
  }
}

}  // namespace

Network classify(const Snapshot& snapshot) {
  Network network;
  network.ipv4 = family_state(snapshot, Family::ipv4);
  network.ipv6 = family_state(snapshot, Family::ipv6);
  for (const Link& link : snapshot.links) {
    add_tunnels(snapshot, link, network.tunnels);
    add_addresses(link, network.addresses);
  }
  return network;
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

}  // namespace icelock::net
