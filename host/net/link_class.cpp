// SPDX-License-Identifier: Apache-2.0
#include "net/link_class.h"

#include <net/if_arp.h>

#include <algorithm>
#include <span>

namespace icelock::net {
namespace {

using enum LinkClass;

// The kernel's rtnl_link_ops kinds. "tap" and "tap port" are ours for the two uses of a tap.
constexpr std::string_view tunnels[] = {
    "tun", "tap",    "wireguard", "ovpn", "ovpn-dco", "ovpn-dco-v2", "ppp", "ipip",    "gre",
    "sit", "ip6tnl", "ip6gre",    "vti",  "vti6",     "xfrm",        "gtp", "bareudp", "amt"};
constexpr std::string_view sinks[] = {"dummy"};
constexpr std::string_view virtual_links[] = {
    "tap port", "bridge", "veth",   "macvlan",   "macvtap", "ipvlan",    "ipvtap",     "ifb",
    "vxlan",    "geneve", "gretap", "ip6gretap", "erspan",  "ip6erspan", "bond",       "team",
    "vlan",     "vrf",    "netkit", "nlmon",     "vcan",    "hsr",       "openvswitch"};
constexpr std::string_view uplinks[] = {"wwan", "rmnet"};

struct ClassRow {
  LinkClass link_class;
  std::span<const std::string_view> kinds;
};

constexpr ClassRow classes[] = {
    {tunnel, tunnels}, {sink, sinks}, {virtual_link, virtual_links}, {physical, uplinks}};

constexpr std::uint16_t tunnel_hardware[] = {
    ARPHRD_NONE, ARPHRD_RAWIP, ARPHRD_PPP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_IPGRE};

std::string_view row_name(const LinkNature& nature) {
  if (nature.kind != "tun") return nature.kind;
  constexpr std::uint8_t tap = 2;
  // Kernels before 4.18 do not say; an Ethernet header then tells.
  const bool is_tap = nature.tun_type ? *nature.tun_type == tap : nature.hardware == ARPHRD_ETHER;
  if (!is_tap) return "tun";
  return nature.is_port ? "tap port" : "tap";
}

}  // namespace

LinkClass link_class(const LinkNature& nature) {
  if (nature.loopback) return loopback;
  if (nature.has_parent_device) return physical;
  const std::string_view kind = row_name(nature);
  for (const ClassRow& row : classes) {
    if (std::ranges::find(row.kinds, kind) != row.kinds.end()) return row.link_class;
  }
  return std::ranges::find(tunnel_hardware, nature.hardware) != std::end(tunnel_hardware)
             ? tunnel
             : physical;
}

bool may_be_uplink(const Link& link) {
  return link.link_class == tunnel && (link.kind.empty() || link.kind == "ppp");
}

}  // namespace icelock::net
