// SPDX-License-Identifier: Apache-2.0
#include "net/link_class.h"

#include <net/if_arp.h>

#include <algorithm>

namespace icelock::net {
namespace {

using enum LinkClass;

struct KindRow {
  std::string_view kind;
  LinkClass link_class;
};

// The kernel's rtnl_link_ops kinds. "tap" and "tap port" are ours for the two uses of a tap.
constexpr KindRow kinds[] = {
    {"tun", tunnel},
    {"tap", tunnel},
    {"wireguard", tunnel},
    {"ovpn", tunnel},
    {"ovpn-dco", tunnel},
    {"ovpn-dco-v2", tunnel},
    {"ppp", tunnel},
    {"ipip", tunnel},
    {"gre", tunnel},
    {"sit", tunnel},
    {"ip6tnl", tunnel},
    {"ip6gre", tunnel},
    {"vti", tunnel},
    {"vti6", tunnel},
    {"xfrm", tunnel},
    {"gtp", tunnel},
    {"bareudp", tunnel},
    {"amt", tunnel},
    {"dummy", sink},
    {"tap port", virtual_link},
    {"bridge", virtual_link},
    {"veth", virtual_link},
    {"macvlan", virtual_link},
    {"macvtap", virtual_link},
    {"ipvlan", virtual_link},
    {"ipvtap", virtual_link},
    {"ifb", virtual_link},
    {"vxlan", virtual_link},
    {"geneve", virtual_link},
    {"gretap", virtual_link},
    {"ip6gretap", virtual_link},
    {"erspan", virtual_link},
    {"ip6erspan", virtual_link},
    {"bond", virtual_link},
    {"team", virtual_link},
    {"vlan", virtual_link},
    {"vrf", virtual_link},
    {"netkit", virtual_link},
    {"nlmon", virtual_link},
    {"vcan", virtual_link},
    {"hsr", virtual_link},
    {"openvswitch", virtual_link},
    {"wwan", physical},
    {"rmnet", physical},
};

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
  const auto* row = std::ranges::find(kinds, row_name(nature), &KindRow::kind);
  if (row != std::end(kinds)) return row->link_class;
  return std::ranges::find(tunnel_hardware, nature.hardware) != std::end(tunnel_hardware)
             ? tunnel
             : physical;
}

bool may_be_uplink(const Link& link) {
  return link.link_class == tunnel && (link.kind.empty() || link.kind == "ppp");
}

}  // namespace icelock::net
