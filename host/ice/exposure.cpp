// SPDX-License-Identifier: Apache-2.0
#include "ice/exposure.h"

#include <algorithm>
#include <array>
#include <optional>

namespace icelock::ice {
namespace {

using net::Family;
using net::FamilyState;
using net::LocalAddress;
using net::Network;
using net::Role;
using net::Verdict;

const FamilyState& state_of(const Network& network, Family family) {
  return family == Family::ipv4 ? network.ipv4 : network.ipv6;
}

ExposureClass isp(Family family) {
  return family == Family::ipv4 ? ExposureClass::isp_v4 : ExposureClass::isp_v6;
}

bool carried_by_vpn(Verdict verdict) {
  return verdict == Verdict::tunnel || verdict == Verdict::ipsec;
}

std::string outside_address(const FamilyState& family) {
  // Without NAT the source address is what the outside sees; behind NAT only a STUN server can
  // tell.
  if (family.seen) return net::to_string(*family.seen);
  return family.source && net::is_public(*family.source) ? net::to_string(*family.source) : "";
}

Exposure outside(ExposureClass exposure_class, const FamilyState& family, Channel channel) {
  const bool by_route =
      exposure_class == ExposureClass::egress || family.verdict == Verdict::direct;
  const std::string beside = family.seen_beside ? net::to_string(*family.seen_beside) : "";
  return {.exposure_class = exposure_class,
          .channel = channel,
          .address = by_route ? outside_address(family) : beside,
          .link = family.link};
}

// What a socket bound to the wildcard address shows of one family: each packet follows the kernel's
// route to the server that the page picked (Chromium, blocked enumeration;
// services/network/p2p/socket_manager.cc).
void add_by_route(std::vector<Exposure>& found, const Network& network, Family family,
                  Channel isp_channel) {
  const FamilyState& state = state_of(network, family);
  switch (state.verdict) {
    case Verdict::direct:
      found.push_back(outside(isp(family), state, Channel::script));
      break;
    case Verdict::partial:
      found.push_back(outside(isp(family), state, isp_channel));
      found.push_back(outside(ExposureClass::egress, state, Channel::script));
      break;
    case Verdict::tunnel:
    case Verdict::ipsec:
      found.push_back(outside(ExposureClass::egress, state, Channel::script));
      if (state.excluded_routes) found.push_back(outside(isp(family), state, isp_channel));
      break;
    case Verdict::blocked:
    case Verdict::none:
      break;
  }
}

Exposure plain(const LocalAddress& local, const Network& network) {
  return {.exposure_class = class_of(local, network),
          .channel = Channel::script,
          .address = net::to_string(local.ip),
          .link = local.link};
}

// rtc_base/network.cc and IpcNetworkManager leave these out; Firefox's nICEr does not.
bool chromium_ignores(const LocalAddress& local) {
  return local.mac_based || local.on_loopback || local.link.contains("vmnet") ||
         local.link.contains("vnic");
}

// With permission a browser lists every link and asks STUN from each address. Policy IPsec selects
// by source address, so the request from the card's own address leaves outside it.
void add_everything(std::vector<Exposure>& found, BrowserFamily family, const Network& network) {
  for (const LocalAddress& local : network.addresses) {
    if (family == BrowserFamily::chromium && chromium_ignores(local)) continue;
    found.push_back(plain(local, network));
  }
  for (const Family ip_family : {Family::ipv4, Family::ipv6}) {
    if (state_of(network, ip_family).verdict == Verdict::ipsec) {
      found.push_back(outside(isp(ip_family), state_of(network, ip_family), Channel::script));
    }
    add_by_route(found, network, ip_family, Channel::script);
  }
}

// A way by which a page may have come: a family's default, a route that leaves the tunnel aside, or
// a tunnel beside the default.
struct PageWay {
  std::string link;
  std::optional<Family> outside;  // the page's server knows this family's ISP address already
};

std::vector<PageWay> page_ways(const Network& network) {
  const bool only_one_outside =
      carried_by_vpn(network.ipv4.verdict) != carried_by_vpn(network.ipv6.verdict);
  std::vector<PageWay> ways;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const FamilyState& state = state_of(network, family);
    const bool leads_on = state.verdict != Verdict::blocked && !state.link.empty();
    if (!leads_on && state.verdict != Verdict::partial) continue;
    const bool knows = only_one_outside && state.verdict == Verdict::direct;
    ways.push_back({state.link, knows ? std::optional(family) : std::nullopt});
  }
  for (const LocalAddress& local : network.addresses) {
    const FamilyState& state = state_of(network, local.ip.family);
    if (local.role == Role::vpn || local.role == Role::mesh) {
      ways.push_back({local.link, std::nullopt});
    } else if (state.excluded_routes && carried_by_vpn(state.verdict)) {
      ways.push_back({local.link, local.ip.family});  // which link it is over is not known here
    }
  }
  return ways;
}

// Firefox takes the link that carries the connection to the page's own server (nICEr, default local
// address): of each family the default address when it is on that link, else, with permission,
// whatever is there. A page that came over a way outside the tunnel thus gets that way's public
// address, which its server knows from the connection itself, and with permission the card's
// private address, which it does not.
void add_towards_page(std::vector<Exposure>& found, const Network& network, Permission permission) {
  for (const PageWay& page : page_ways(network)) {
    const std::size_t first = found.size();
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const FamilyState& state = state_of(network, family);
      const bool is_default_here = state.link == page.link;
      if (is_default_here) add_by_route(found, network, family, Channel::wire);
      if (page.outside == family && carried_by_vpn(state.verdict)) {
        Exposure excluded = outside(isp(family), state, Channel::script);
        excluded.link = page.link;
        found.push_back(excluded);
      }
      if (permission == Permission::none) continue;
      for (const LocalAddress& local : network.addresses) {
        // Libreswan keeps the address that its packets leave from on lo.
        const bool is_source = is_default_here && local.ip == state.source;
        const bool is_here = local.link == page.link || (is_source && local.on_loopback);
        if (!is_here || local.ip.family != family || (is_default_here && !is_source)) continue;
        found.push_back(plain(local, network));
        // Who is in a mesh knows the addresses in it.
        found.back().http_shows_too = local.role == Role::mesh;
        found.back().with_isp_v6 = page.outside == Family::ipv6;
      }
    }
    for (std::size_t i = first; page.outside && i < found.size(); ++i) {
      if (found[i].exposure_class == isp(*page.outside)) found[i].http_shows_too = true;
    }
  }
}

// Firefox asks for its default address by UDP, and sends nothing else from it.
Network as_datagrams_go(Network network) {
  for (FamilyState* state : {&network.ipv4, &network.ipv6}) {
    if (state->datagrams_link.empty()) continue;
    state->verdict = Verdict::direct;
    state->link = state->datagrams_link;
    state->source = state->datagrams_source;
    state->excluded_routes = false;
  }
  return network;
}

void add_chromium(std::vector<Exposure>& found, Level level, Network network,
                  Permission permission) {
  if (level >= Level::force_proxy) {
    // Without UDP it does not matter where that goes.
    for (FamilyState* state : {&network.ipv4, &network.ipv6}) {
      if (!state->datagrams_link.empty()) state->excluded_routes = !state->excluded.empty();
    }
  }
  if (level == Level::unrestricted && permission == Permission::granted) {
    return add_everything(found, BrowserFamily::chromium, network);
  }
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const std::size_t first = found.size();
    add_by_route(found, network, family, Channel::script);
    if (level < Level::force_proxy) continue;
    // Only TURN over TCP is left: its related address is the one that the page's own TCP
    // connections show.
    for (std::size_t i = first; i < found.size(); ++i) found[i].http_shows_too = true;
  }
}

void add_firefox(std::vector<Exposure>& found, Level level, const Network& network,
                 Permission permission) {
  if (level >= Level::force_proxy) return;  // proxy_only: nothing is gathered without a proxy
  const Network by_udp = as_datagrams_go(network);
  if (level != Level::unrestricted || permission == Permission::none) {
    return add_towards_page(found, by_udp, permission);
  }
  add_everything(found, BrowserFamily::firefox, by_udp);
  // TURN over TCP, from the tunnel's own address too, goes as the web does.
  for (const FamilyState* state : {&network.ipv4, &network.ipv6}) {
    if (state->datagrams_link.empty() || !carried_by_vpn(state->verdict)) continue;
    found.push_back(outside(ExposureClass::egress, *state, Channel::wire));
  }
}

}  // namespace

ExposureClass class_of(const LocalAddress& local, const Network& network) {
  const FamilyState& state = state_of(network, local.ip.family);
  const bool is_ipsec_virtual_ip = state.verdict == Verdict::ipsec && state.source == local.ip;
  if (local.role == Role::vpn || is_ipsec_virtual_ip) return ExposureClass::tunnel;
  // A mesh may number its hosts from anybody's space.
  if (local.role == Role::mesh) return ExposureClass::lan;
  return net::is_public(local.ip) ? isp(local.ip.family) : ExposureClass::lan;
}

std::vector<Exposure> exposure(BrowserFamily family, Level level, const Network& network,
                               Permission permission) {
  std::vector<Exposure> found;
  if (family == BrowserFamily::chromium) {
    add_chromium(found, level, network, permission);
  } else {
    add_firefox(found, level, network, permission);
  }
  std::ranges::sort(found);
  const auto repeats = std::ranges::unique(found);
  found.erase(repeats.begin(), repeats.end());
  return found;
}

std::string_view name(ExposureClass exposure_class) {
  constexpr std::array<std::string_view, 5> names = {"lan", "tunnel", "egress", "isp_v4", "isp_v6"};
  return names[static_cast<std::size_t>(exposure_class)];
}

std::string_view name(Channel channel) {
  return channel == Channel::script ? "script" : "wire";
}

std::string_view name(Permission permission) {
  return permission == Permission::none ? "none" : "granted";
}

}  // namespace icelock::ice
