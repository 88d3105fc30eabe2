// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/network.h"

// Networks as classify() would describe them, named after the scenarios of the leak lab.

namespace icelock::test {

inline net::Ip ip(const char* text) {
  return *net::parse_ip(text);
}

inline net::LocalAddress local(const char* address, const char* link, net::Role role) {
  return {.ip = ip(address), .link = link, .role = role, .mac_based = false};
}

inline net::FamilyState family(net::Verdict verdict, const char* link, const char* source) {
  net::FamilyState state;
  state.verdict = verdict;
  state.link = link;
  if (*source != '\0') state.source = ip(source);
  return state;
}

/// A card with a private IPv4 and a public IPv6 address, no tunnel.
inline net::Network no_vpn() {
  using enum net::Verdict;
  net::Network network;
  network.ipv4 = family(direct, "enp3s0", "192.168.77.10");
  network.ipv6 = family(direct, "enp3s0", "2a0e:77:0:1::10");
  network.addresses = {local("192.168.77.10", "enp3s0", net::Role::uplink),
                       local("2a0e:77:0:1::10", "enp3s0", net::Role::uplink)};
  return network;
}

inline net::Network no_vpn_ipv4_only() {
  net::Network network = no_vpn();
  network.ipv6 = {};
  network.addresses.pop_back();
  return network;
}

/// IPv4 in the tunnel, native IPv6 outside.
inline net::Network vpn_ipv4_only() {
  net::Network network = no_vpn();
  network.ipv4 = family(net::Verdict::tunnel, "tun0", "10.8.0.2");
  network.addresses.push_back(local("10.8.0.2", "tun0", net::Role::vpn));
  network.tunnels = {{"tun0", "tun", net::Coverage::full, net::Coverage::none}};
  return network;
}

/// The same on a machine without IPv6.
inline net::Network vpn_on_ipv4_machine() {
  net::Network network = vpn_ipv4_only();
  network.ipv6 = {};
  network.addresses.erase(network.addresses.begin() + 1);
  return network;
}

inline net::Network vpn_both_families() {
  net::Network network = vpn_ipv4_only();
  network.ipv6 = family(net::Verdict::tunnel, "tun0", "2a0e:99:8::1000");
  network.addresses.push_back(local("2a0e:99:8::1000", "tun0", net::Role::vpn));
  network.tunnels = {{"tun0", "tun", net::Coverage::full, net::Coverage::full}};
  return network;
}

inline net::Network split_tunnel() {
  net::Network network = no_vpn();
  network.addresses.push_back(local("10.8.0.2", "tun0", net::Role::vpn));
  network.tunnels = {{"tun0", "tun", net::Coverage::split, net::Coverage::none}};
  return network;
}

inline net::Network policy_ipsec() {
  net::Network network = no_vpn_ipv4_only();
  network.ipv4 = family(net::Verdict::ipsec, "enp3s0", "10.7.0.2");
  network.addresses.push_back(local("10.7.0.2", "enp3s0", net::Role::uplink));
  network.tunnels = {{"enp3s0", "ipsec", net::Coverage::full, net::Coverage::none}};
  return network;
}

inline net::Network with_excluded_route(net::Network network) {
  network.ipv4.excluded_routes = true;
  network.ipv4.excluded = {{ip("45.2.0.0"), 24}};
  network.ipv4.excluded_link = "enp3s0";
  return network;
}

inline net::Network kill_switch() {
  net::Network network = no_vpn_ipv4_only();
  network.ipv4 = family(net::Verdict::blocked, "pvpnksintrf0", "");
  return network;
}

}  // namespace icelock::test
