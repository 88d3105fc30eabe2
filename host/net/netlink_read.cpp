// SPDX-License-Identifier: Apache-2.0
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>

#include "net/netlink_attributes.h"
#include "net/netlink_message.h"
#include "net/roles.h"

namespace icelock::net::netlink {
namespace {

// linux/fib_rules.h of Linux 6.15. What comes later is a selector that is not known here.
constexpr std::uint16_t fra_dscp = 25;
constexpr std::uint16_t fra_flow_label = 26;
constexpr std::uint16_t fra_flow_label_mask = 27;
constexpr std::uint16_t fra_source_port_mask = 28;
constexpr std::uint16_t fra_destination_port_mask = 29;
constexpr std::uint16_t fra_dscp_mask = 30;

constexpr unsigned dead_flags = RTNH_F_DEAD;

// WebRTC rtc_base/ip_address.cc, IPIsMacBased: bytes ff:fe in the middle and the universal bit set.
bool looks_mac_based(const Ip& ip) {
  return ip.family == Family::ipv6 && (ip.bytes[8] & 0x02) != 0 && ip.bytes[11] == 0xff &&
         ip.bytes[12] == 0xfe;
}

Read fill(const ifinfomsg& info, const Attributes& attributes, Link& link) {
  const Attributes linkinfo = attributes.nest(IFLA_LINKINFO);
  LinkNature nature;
  nature.kind = linkinfo.text(IFLA_INFO_KIND).value_or("");
  nature.hardware = info.ifi_type;
  nature.loopback = (info.ifi_flags & IFF_LOOPBACK) != 0;
  nature.has_parent_device = attributes.has(IFLA_PARENT_DEV_NAME);
  nature.is_port = attributes.has(IFLA_MASTER) && linkinfo.text(IFLA_INFO_SLAVE_KIND) != "vrf";
  if (nature.kind == "tun") nature.tun_type = linkinfo.nest(IFLA_INFO_DATA).u8(IFLA_TUN_TYPE);
  const auto name = attributes.text(IFLA_IFNAME);
  if (!name || info.ifi_index <= 0) return Read::malformed;
  link.index = info.ifi_index;
  link.name = *name;
  link.kind = nature.kind;
  link.link_class = link_class(nature);
  link.tap = is_tap(nature);
  link.point_to_point = (info.ifi_flags & (IFF_POINTOPOINT | IFF_NOARP)) != 0;
  link.group = static_cast<int>(attributes.u32(IFLA_GROUP).value_or(0));
  link.up = (info.ifi_flags & IFF_UP) != 0;
  link.running = (info.ifi_flags & IFF_RUNNING) != 0;
  return Read::ok;
}

Read fill(const ifaddrmsg& info, const Attributes& attributes, AddressMessage& result) {
  const auto family = family_of(info.ifa_family);
  if (!family) return Read::ignored;
  // On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours.
  const auto ip = attributes.ip(attributes.has(IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS, *family);
  if (!ip || info.ifa_prefixlen > bits(*family)) return Read::malformed;
  const std::uint32_t flags = attributes.u32(IFA_FLAGS).value_or(info.ifa_flags);
  result.link = static_cast<int>(info.ifa_index);
  Address& address = result.address;
  address.ip = *ip;
  address.prefix = info.ifa_prefixlen;
  address.global_scope = info.ifa_scope == RT_SCOPE_UNIVERSE;
  address.deprecated = (flags & IFA_F_DEPRECATED) != 0;
  address.mac_based = looks_mac_based(*ip);
  return Read::ok;
}

Action action_of(std::uint8_t action) {
  switch (action) {
    case FR_ACT_TO_TBL:
      return Action::look_up;
    case FR_ACT_GOTO:
      return Action::go_to;
    case FR_ACT_NOP:
      return Action::pass;
    case FR_ACT_BLACKHOLE:
    case FR_ACT_UNREACHABLE:
    case FR_ACT_PROHIBIT:
      return Action::refuse;
    default:
      return Action::unknown;
  }
}

Traffic traffic_of(const fib_rule_hdr& info, const Attributes& attributes) {
  Traffic traffic;
  if (const auto range = attributes.number<fib_rule_uid_range>(FRA_UID_RANGE)) {
    traffic[user] = {range->start, range->end};
  }
  if (const auto number = attributes.u8(FRA_IP_PROTO); number && *number != 0) {
    traffic[protocol] = {*number, *number};
  }
  if (const auto range = attributes.number<fib_rule_port_range>(FRA_SPORT_RANGE)) {
    traffic[source_port] = {range->start, range->end};
  }
  if (const auto range = attributes.number<fib_rule_port_range>(FRA_DPORT_RANGE)) {
    traffic[destination_port] = {range->start, range->end};
  }
  const auto put_dscp = [&](std::uint32_t code_point, std::uint32_t others) {
    const std::uint32_t first = swap_dscp(code_point);
    traffic[dscp] = {first, first + others};
  };
  if (info.tos != 0) put_dscp(info.tos / 4U, info.family == AF_INET ? 7 : 0);
  if (const auto number = attributes.u8(fra_dscp)) put_dscp(*number, 0);
  return traffic;
}

/// The kernel tells a mask of all bits with each single port and each code point.
bool has_unknown_selector(const fib_rule_hdr& info, const Attributes& attributes) {
  return (info.flags & FIB_RULE_FIND_SADDR) != 0 || attributes.highest() > fra_dscp_mask ||
         attributes.has(fra_flow_label) || attributes.has(fra_flow_label_mask) ||
         attributes.u16(fra_source_port_mask).value_or(0xffff) != 0xffff ||
         attributes.u16(fra_destination_port_mask).value_or(0xffff) != 0xffff ||
         attributes.u8(fra_dscp_mask).value_or(0x3f) != 0x3f;
}

std::optional<Prefix> block_of(const std::optional<Ip>& base, Family family, std::uint8_t length) {
  if (length == 0) return std::nullopt;
  return Prefix{base.value_or(Ip{family, {}}), length};
}

Read fill(const fib_rule_hdr& info, const Attributes& attributes, Rule& rule) {
  const auto family = family_of(info.family);
  if (!family) return Read::ignored;
  rule.family = *family;
  rule.priority = attributes.u32(FRA_PRIORITY).value_or(0);
  rule.action = action_of(info.action);
  rule.look_up = {
      .table = attributes.u32(FRA_TABLE).value_or(info.table),
      .suppress_length = static_cast<int>(attributes.u32(FRA_SUPPRESS_PREFIXLEN).value_or(~0U)),
      .suppress_group = static_cast<int>(attributes.u32(FRA_SUPPRESS_IFGROUP).value_or(~0U))};
  rule.target = attributes.u32(FRA_GOTO).value_or(0);
  rule.inverted = (info.flags & FIB_RULE_INVERT) != 0;
  rule.to = block_of(attributes.ip(FRA_DST, *family), *family, info.dst_len);
  rule.from = block_of(attributes.ip(FRA_SRC, *family), *family, info.src_len);
  rule.mark = attributes.u32(FRA_FWMARK).value_or(0);
  rule.mask = attributes.u32(FRA_FWMASK).value_or(rule.mark != 0 ? ~0U : 0);
  rule.traffic = traffic_of(info, attributes);
  rule.never_ours = attributes.text(FRA_IIFNAME).value_or("lo") != "lo" ||
                    attributes.has(FRA_OIFNAME) || attributes.has(FRA_TUN_ID) ||
                    attributes.u8(FRA_L3MDEV).value_or(0) != 0;
  rule.unknown_selector = has_unknown_selector(info, attributes);
  const bool fits = info.dst_len <= bits(*family) && info.src_len <= bits(*family);
  return fits ? Read::ok : Read::malformed;
}

/// Of a route or a hop; one of the other family is told by RTA_VIA (RFC 5549), behind its number.
std::optional<Ip> gateway_of(const Attributes& attributes, Family family) {
  if (!attributes.has(RTA_VIA)) return attributes.ip(RTA_GATEWAY, family);
  const bool is_short = attributes.length(RTA_VIA) < 16;
  return attributes.ip(RTA_VIA, is_short ? Family::ipv4 : Family::ipv6, sizeof(rtvia));
}

/// The hops of a multipath route; false when the list does not fit its attribute.
bool read_hops(const Attributes& route, Family family, std::vector<Hop>& hops) {
  const auto* bytes = static_cast<const std::byte*>(route.payload(RTA_MULTIPATH));
  std::size_t left = route.length(RTA_MULTIPATH);
  while (left >= sizeof(rtnexthop)) {
    const auto* hop = reinterpret_cast<const rtnexthop*>(bytes);
    const std::size_t length = hop->rtnh_len;
    if (length < sizeof(rtnexthop) || length > left) return false;
    const Attributes attributes = route.row(hop + 1, length - sizeof(rtnexthop));
    hops.push_back(
        {hop->rtnh_ifindex, gateway_of(attributes, family), (hop->rtnh_flags & dead_flags) != 0});
    const std::size_t step = std::min<std::size_t>(left, MNL_ALIGN(length));
    bytes += step;
    left -= step;
  }
  return left == 0;
}

Read fill(const rtmsg& info, const Attributes& attributes, RouteMessage& route) {
  const auto family = family_of(info.rtm_family);
  if (!family) return Read::ignored;
  const Ip any{*family, {}};
  route.destination = {attributes.ip(RTA_DST, *family).value_or(any), info.rtm_dst_len};
  route.type = info.rtm_type;
  route.protocol = info.rtm_protocol;
  route.tos = info.rtm_tos;
  route.for_some_sources = info.rtm_src_len != 0;
  route.table = attributes.u32(RTA_TABLE).value_or(info.rtm_table);
  route.metric = attributes.u32(RTA_PRIORITY).value_or(0);
  route.source = attributes.ip(RTA_PREFSRC, *family);
  route.hops.clear();
  route.nexthop = 0;
  if (attributes.has(RTA_MULTIPATH)) {
    if (!read_hops(attributes, *family, route.hops)) return Read::malformed;
  } else if (const auto link = attributes.u32(RTA_OIF)) {
    route.hops.push_back({static_cast<int>(*link), gateway_of(attributes, *family),
                          (info.rtm_flags & dead_flags) != 0});
  } else {
    route.nexthop = attributes.u32(RTA_NH_ID).value_or(0);
  }
  return info.rtm_dst_len > bits(*family) ? Read::malformed : Read::ok;
}

Read fill(const nhmsg& info, const Attributes& attributes, NexthopMessage& nexthop) {
  nexthop.id = attributes.u32(NHA_ID).value_or(0);
  nexthop.hop.link = static_cast<int>(attributes.u32(NHA_OIF).value_or(0));
  nexthop.hop.dead = (info.nh_flags & dead_flags) != 0;
  if (const auto family = family_of(info.nh_family)) {
    nexthop.hop.gateway = attributes.ip(NHA_GATEWAY, *family);
  }
  if (!attributes.has(NHA_GROUP)) return Read::ok;
  const auto* members = static_cast<const nexthop_grp*>(attributes.payload(NHA_GROUP));
  const std::size_t count = attributes.length(NHA_GROUP) / sizeof(nexthop_grp);
  for (const nexthop_grp& member : std::span(members, count)) nexthop.group.push_back(member.id);
  return Read::ok;
}

template <class Header, class Value>
Read read_as(std::uint16_t type, const nlmsghdr& message, Value& value) {
  if (message.nlmsg_type != type) return Read::ignored;
  const auto* info = fixed_header<Header>(message);
  if (!info) return Read::malformed;
  bool bad = false;
  const Read result = fill(*info, attributes_after<Header>(message, bad), value);
  return bad ? Read::malformed : result;
}

}  // namespace

Read read_link(const nlmsghdr& message, Link& link) {
  return read_as<ifinfomsg>(RTM_NEWLINK, message, link);
}

Read read_address(const nlmsghdr& message, AddressMessage& address) {
  return read_as<ifaddrmsg>(RTM_NEWADDR, message, address);
}

Read read_rule(const nlmsghdr& message, Rule& rule) {
  return read_as<fib_rule_hdr>(RTM_NEWRULE, message, rule);
}

Read read_route(const nlmsghdr& message, RouteMessage& route) {
  return read_as<rtmsg>(RTM_NEWROUTE, message, route);
}

Read read_nexthop(const nlmsghdr& message, NexthopMessage& nexthop) {
  return read_as<nhmsg>(RTM_NEWNEXTHOP, message, nexthop);
}

}  // namespace icelock::net::netlink
