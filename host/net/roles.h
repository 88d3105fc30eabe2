// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "net/network.h"

// What a link is (by two tables, kinds and hardware types) and what it is for (by evidence). Pure.

namespace icelock::net {

/// What rtnetlink tells of a link's nature (RTM_NEWLINK).
struct LinkNature {
  std::string_view kind;           ///< IFLA_INFO_KIND, may be empty
  std::uint16_t hardware = 0;      ///< ifi_type, an ARPHRD_ value
  bool loopback = false;           ///< IFF_LOOPBACK
  bool has_parent_device = false;  ///< IFLA_PARENT_DEV_NAME: real or paravirtual hardware below
  bool is_port = false;            ///< IFLA_MASTER, unless the master is a VRF
  std::optional<std::uint8_t> tun_type;  ///< IFLA_TUN_TYPE: 1 tun, 2 tap
};

/// By two tables, kinds and then hardware types; never by name. A link that no row knows is
/// physical, so that what it carries counts as outside.
LinkClass link_class(const LinkNature& nature);
/// A tun device that carries Ethernet and is no bridge's port.
bool is_tap(const LinkNature& nature);

/// The role of every link, by index. Evidence is: its addresses, who could lie beneath it (a host
/// route to its far end), what it is used for, and what else could be the way out.
///
/// - sit, ip6tnl: access (6in4, 6rd, 6to4, DS-Lite, MAP), for what they carry is registered to the
///   person. ipip, gre: access when they bear a public address or when their family has no other
///   way out.
/// - ppp, and modems that the kernel shows as bare IP links: a way out like any other, unless a
///   host route leads to the far end over another link, or half-default routes override another's
///   default. A public address on it and a private far end is access too (L2TP).
/// - tun with an address of 192.0.0.0/29 (RFC 7335): CLAT.
/// - tun, wireguard and their kin: a VPN when they lead to public addresses, else a mesh. A tap:
/// the
///   same with a router behind it, else a virtual link.
/// - When only tunnels lead out, the lowest of them is the uplink: the one that carries the others'
///   host routes, or whose default they override.
std::map<int, Role> roles_of(const Snapshot& snapshot, const std::vector<NamedRole>& named);

}  // namespace icelock::net
