// SPDX-License-Identifier: Apache-2.0
#include "ice/judge.h"

#include <algorithm>

namespace icelock::ice {
namespace {

using net::FamilyState;
using net::LocalAddress;
using net::Network;
using net::Verdict;

Exposure of_class(ExposureClass exposure_class, const Shown& shown, const std::string& link) {
  return {.exposure_class = exposure_class,
          .channel = Channel::script,
          .address = net::to_string(shown.address),
          .link = link};
}

bool nothing(const Sight& sight) {
  return sight.shown.empty() && !sight.names;
}

bool shows(const Sight& sight, const net::Ip& ip) {
  return std::ranges::find(sight.shown, ip, &Shown::address) != sight.shown.end();
}

// Firefox with permission: at `unrestricted` every link, at `default_route_only` those of a default
// route (facts as in ice/exposure.cpp).
LevelRange obeyed_by_firefox(const Sight& with, const Network& network) {
  bool could_tell = false;
  for (const LocalAddress& local : network.addresses) {
    if (local.link == network.ipv4.link || local.link == network.ipv6.link) continue;
    if (shows(with, local.ip)) return {};
    could_tell = true;
  }
  // Native IPv6 beside a tunnel: the card has a default route, but not the one towards the page.
  if (network.ipv4.link != network.ipv6.link && network.ipv4.source && network.ipv6.source) {
    if (shows(with, *network.ipv4.source) && shows(with, *network.ipv6.source)) return {};
    could_tell = true;
  }
  if (could_tell) return {Level::default_route_only, Level::default_route_only};
  return {Level::unrestricted, Level::default_route_only};
}

}  // namespace

std::optional<Exposure> judge(const Shown& shown, const Network& network) {
  const net::Ip& ip = shown.address;
  if (net::is_loopback(ip)) return std::nullopt;
  const bool is_ipv4 = ip.family == net::Family::ipv4;
  const ExposureClass isp = is_ipv4 ? ExposureClass::isp_v4 : ExposureClass::isp_v6;
  const FamilyState& state = is_ipv4 ? network.ipv4 : network.ipv6;
  if (shown.reflexive && state.seen == ip) {
    const bool by_vpn = state.verdict == Verdict::tunnel || state.verdict == Verdict::ipsec;
    Exposure outside = of_class(by_vpn ? ExposureClass::egress : isp, shown, state.link);
    // A responder on this machine sees the address before NAT, which is not what is shown outside.
    if (!net::is_public(ip)) outside.address.clear();
    return outside;
  }
  const auto local = std::ranges::find(network.addresses, ip, &LocalAddress::ip);
  if (local != network.addresses.end()) {
    return of_class(class_of(*local, network), shown, local->link);
  }
  return of_class(net::is_public(ip) ? isp : ExposureClass::lan, shown, "");
}

LevelRange obeyed(BrowserFamily family, const Sight& without, const Sight& with,
                  const Network& network) {
  if (!without.api && !with.api) return {Level::disabled, Level::disabled};
  if (nothing(without) && nothing(with)) return {Level::force_proxy, Level::force_proxy};
  if (family == BrowserFamily::firefox) return obeyed_by_firefox(with, network);
  const auto is_host = [](const Shown& shown) { return !shown.reflexive; };
  const bool lists = without.names || with.names || std::ranges::any_of(without.shown, is_host) ||
                     std::ranges::any_of(with.shown, is_host);
  if (lists) return {};
  return {Level::default_route_only, Level::default_route_only};
}

}  // namespace icelock::ice
