// SPDX-License-Identifier: Apache-2.0
#include "net/netlink_message.h"

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "net/netlink_attributes.h"
#include "net/roles.h"

namespace icelock::net::netlink {
namespace {

std::uint8_t number_of(Family family) {
  return family == Family::ipv4 ? AF_INET : AF_INET6;
}

// WebRTC rtc_base/ip_address.cc, IPIsMacBased: bytes ff:fe in the middle and the universal bit set.
bool looks_mac_based(const Ip& ip) {
  return ip.family == Family::ipv6 && (ip.bytes[8] & 0x02) != 0 && ip.bytes[11] == 0xff &&
         ip.bytes[12] == 0xfe;
}

template <class Header>
Header& put(Request& request) {
  return *static_cast<Header*>(mnl_nlmsg_put_extra_header(request.header(), sizeof(Header)));
}

constexpr std::uint16_t dump_flags = NLM_F_REQUEST | NLM_F_DUMP;

}  // namespace

bool for_each_message(std::span<const std::byte> datagram,
                      const std::function<bool(const nlmsghdr&)>& each) {
  const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
  auto left = static_cast<int>(datagram.size());
  // mnl_nlmsg_ok() compares lengths as signed numbers (libmnl 1.0.4): one of 2^31 or more would
  // pass.
  while (mnl_nlmsg_ok(message, left) && message->nlmsg_len <= datagram.size()) {
    if (!each(*message)) return true;
    message = mnl_nlmsg_next(message, &left);
  }
  return left <= 0;
}

Request::Request(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr* message = mnl_nlmsg_put_header(buffer_.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = flags;
}

nlmsghdr* Request::header() {
  return reinterpret_cast<nlmsghdr*>(buffer_.data());
}

const nlmsghdr* Request::header() const {
  return reinterpret_cast<const nlmsghdr*>(buffer_.data());
}

std::span<const std::byte> Request::bytes() const {
  return {buffer_.data(), header()->nlmsg_len};
}

Request link_dump() {
  Request request(RTM_GETLINK, dump_flags);
  put<ifinfomsg>(request).ifi_family = AF_UNSPEC;
  mnl_attr_put_u32(request.header(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return request;
}

Request address_dump() {
  Request request(RTM_GETADDR, dump_flags);
  put<ifaddrmsg>(request).ifa_family = AF_UNSPEC;
  return request;
}

Request rule_dump() {
  Request request(RTM_GETRULE, dump_flags);
  put<fib_rule_hdr>(request).family = AF_UNSPEC;
  return request;
}

Request route_question(const Question& question) {
  const Family family = question.destination.family;
  const Traffic& traffic = question.traffic;
  Request request(RTM_GETROUTE, NLM_F_REQUEST);
  auto& route = put<rtmsg>(request);
  route.rtm_family = number_of(family);
  route.rtm_dst_len = static_cast<std::uint8_t>(bits(family));
  route.rtm_tos = static_cast<std::uint8_t>(swap_dscp(traffic[dscp].first) << 2U);
  const std::size_t size = family == Family::ipv4 ? 4 : 16;
  mnl_attr_put(request.header(), RTA_DST, size, question.destination.bytes.data());
  if (question.from) {
    route.rtm_src_len = route.rtm_dst_len;
    mnl_attr_put(request.header(), RTA_SRC, size, question.from->bytes.data());
  }
  mnl_attr_put_u32(request.header(), RTA_UID, traffic[user].first);
  if (question.mark != 0) mnl_attr_put_u32(request.header(), RTA_MARK, question.mark);
  mnl_attr_put_u8(request.header(), RTA_IP_PROTO,
                  static_cast<std::uint8_t>(traffic[protocol].first));
  const auto put_port = [&](std::uint16_t type, std::uint32_t port) {
    if (port != 0)
      mnl_attr_put_u16(request.header(), type, htons(static_cast<std::uint16_t>(port)));
  };
  put_port(RTA_SPORT, traffic[source_port].first);
  put_port(RTA_DPORT, traffic[destination_port].first);
  return request;
}

Request route_dump(Family family) {
  Request request(RTM_GETROUTE, dump_flags);
  put<rtmsg>(request).rtm_family = number_of(family);
  return request;
}

Request nexthop_dump() {
  Request request(RTM_GETNEXTHOP, dump_flags);
  put<nhmsg>(request).nh_family = AF_UNSPEC;
  return request;
}

Read read_link(const nlmsghdr& message, Link& link) {
  if (message.nlmsg_type != RTM_NEWLINK) return Read::ignored;
  const auto* info = fixed_header<ifinfomsg>(message);
  if (!info) return Read::malformed;
  auto attributes = Attributes<IFLA_PARENT_DEV_NAME + 1>::after<ifinfomsg>(message);
  auto linkinfo = attributes.nest<IFLA_INFO_SLAVE_KIND + 1>(IFLA_LINKINFO);
  LinkNature nature;
  nature.kind = linkinfo.text(IFLA_INFO_KIND).value_or("");
  nature.hardware = info->ifi_type;
  nature.loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
  nature.has_parent_device = attributes.has(IFLA_PARENT_DEV_NAME);
  nature.is_port = attributes.has(IFLA_MASTER) && linkinfo.text(IFLA_INFO_SLAVE_KIND) != "vrf";
  if (nature.kind == "tun") {
    auto tun = linkinfo.nest<IFLA_TUN_TYPE + 1>(IFLA_INFO_DATA);
    nature.tun_type = tun.u8(IFLA_TUN_TYPE);
    if (tun.bad()) return Read::malformed;
  }
  const auto name = attributes.text(IFLA_IFNAME);
  if (attributes.bad() || linkinfo.bad() || !name || info->ifi_index <= 0) return Read::malformed;
  link.index = info->ifi_index;
  link.name = *name;
  link.kind = nature.kind;
  link.link_class = link_class(nature);
  link.tap = is_tap(nature);
  link.point_to_point = (info->ifi_flags & (IFF_POINTOPOINT | IFF_NOARP)) != 0;
  link.group = static_cast<int>(attributes.u32(IFLA_GROUP).value_or(0));
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.running = (info->ifi_flags & IFF_RUNNING) != 0;
  return Read::ok;
}

Read read_address(const nlmsghdr& message, AddressMessage& address) {
  if (message.nlmsg_type != RTM_NEWADDR) return Read::ignored;
  const auto* info = fixed_header<ifaddrmsg>(message);
  if (!info) return Read::malformed;
  const auto family = family_of(info->ifa_family);
  if (!family) return Read::ignored;
  auto attributes = Attributes<IFA_FLAGS + 1>::after<ifaddrmsg>(message);
  // On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours.
  const auto far_end = attributes.ip(IFA_ADDRESS, *family);
  auto ip = attributes.ip(IFA_LOCAL, *family);
  if (!ip) ip = far_end;
  const std::uint32_t flags = attributes.u32(IFA_FLAGS).value_or(info->ifa_flags);
  if (attributes.bad() || !ip || info->ifa_prefixlen > bits(*family)) return Read::malformed;
  address.link = static_cast<int>(info->ifa_index);
  address.address.ip = *ip;
  address.address.prefix = info->ifa_prefixlen;
  if (far_end != ip) address.address.peer = far_end;
  address.address.global_scope = info->ifa_scope == RT_SCOPE_UNIVERSE;
  // In IPv4 the same bit says "secondary".
  address.address.temporary = *family == Family::ipv6 && (flags & IFA_F_TEMPORARY) != 0;
  address.address.deprecated = (flags & IFA_F_DEPRECATED) != 0;
  address.address.tentative = (flags & IFA_F_TENTATIVE) != 0;
  address.address.mac_based = looks_mac_based(*ip);
  return Read::ok;
}

namespace {

constexpr unsigned dead_flags = RTNH_F_DEAD;

/// The hops of a multipath route; false when the list does not fit its attribute.
bool read_hops(const nlattr* list, Family family, std::vector<Hop>& hops) {
  const auto* bytes = static_cast<const std::byte*>(mnl_attr_get_payload(list));
  std::size_t left = mnl_attr_get_payload_len(list);
  while (left >= sizeof(rtnexthop)) {
    const auto* hop = reinterpret_cast<const rtnexthop*>(bytes);
    const std::size_t length = hop->rtnh_len;
    if (length < sizeof(rtnexthop) || length > left) return false;
    Attributes<RTA_VIA + 1> attributes(bytes + sizeof(rtnexthop), length - sizeof(rtnexthop));
    hops.push_back(
        {hop->rtnh_ifindex, attributes.gateway(family), (hop->rtnh_flags & dead_flags) != 0});
    if (attributes.bad()) return false;
    const std::size_t step = MNL_ALIGN(length);
    if (step >= left) return true;
    bytes += step;
    left -= step;
  }
  return left == 0;
}

}  // namespace

Read read_route(const nlmsghdr& message, RouteMessage& route) {
  if (message.nlmsg_type != RTM_NEWROUTE) return Read::ignored;
  const auto* info = fixed_header<rtmsg>(message);
  if (!info) return Read::malformed;
  const auto family = family_of(info->rtm_family);
  if (!family) return Read::ignored;
  auto attributes = Attributes<RTA_NH_ID + 1>::after<rtmsg>(message);
  route.destination = {attributes.ip(RTA_DST, *family).value_or(Ip{*family, {}}),
                       info->rtm_dst_len};
  route.type = info->rtm_type;
  route.protocol = info->rtm_protocol;
  route.tos = info->rtm_tos;
  route.for_some_sources = info->rtm_src_len != 0;
  route.table = attributes.u32(RTA_TABLE).value_or(info->rtm_table);
  route.metric = attributes.u32(RTA_PRIORITY).value_or(0);
  route.source = attributes.ip(RTA_PREFSRC, *family);
  const auto link = attributes.u32(RTA_OIF);
  const nlattr* multipath = attributes.raw(RTA_MULTIPATH);
  if (multipath) {
    if (!read_hops(multipath, *family, route.hops)) return Read::malformed;
  } else if (link) {
    route.hops.push_back({static_cast<int>(*link), attributes.gateway(*family),
                          (info->rtm_flags & dead_flags) != 0});
  } else {
    route.nexthop = attributes.u32(RTA_NH_ID).value_or(0);
  }
  if (attributes.bad() || info->rtm_dst_len > bits(*family)) return Read::malformed;
  return Read::ok;
}

Read read_nexthop(const nlmsghdr& message, NexthopMessage& nexthop) {
  if (message.nlmsg_type != RTM_NEWNEXTHOP) return Read::ignored;
  const auto* info = fixed_header<nhmsg>(message);
  if (!info) return Read::malformed;
  auto attributes = Attributes<NHA_GATEWAY + 1>::after<nhmsg>(message);
  nexthop.id = attributes.u32(NHA_ID).value_or(0);
  nexthop.hop.link = static_cast<int>(attributes.u32(NHA_OIF).value_or(0));
  nexthop.hop.dead = (info->nh_flags & dead_flags) != 0;
  if (const auto family = family_of(info->nh_family)) {
    nexthop.hop.gateway = attributes.ip(NHA_GATEWAY, *family);
  }
  if (const nlattr* group = attributes.raw(NHA_GROUP)) {
    const auto* members = static_cast<const nexthop_grp*>(mnl_attr_get_payload(group));
    const std::size_t count = mnl_attr_get_payload_len(group) / sizeof(nexthop_grp);
    for (std::size_t i = 0; i < count; ++i) nexthop.group.push_back(members[i].id);
  }
  return attributes.bad() ? Read::malformed : Read::ok;
}

std::optional<int> read_errno(const nlmsghdr& message) {
  const auto* code = fixed_header<int>(message);
  if (!code || *code > 0 || *code < -4095) return std::nullopt;
  return -*code;
}

bool has_explanation(const nlmsghdr& error) {
  const auto* info = fixed_header<nlmsgerr>(error);
  if (!info || (error.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return false;
  std::size_t skip = sizeof(nlmsgerr);
  if ((error.nlmsg_flags & NLM_F_CAPPED) == 0 && info->msg.nlmsg_len > sizeof(nlmsghdr)) {
    skip += MNL_ALIGN(info->msg.nlmsg_len - sizeof(nlmsghdr));
  }
  const std::size_t length = mnl_nlmsg_get_payload_len(&error);
  if (skip >= length) return false;
  const Attributes<NLMSGERR_ATTR_MSG + 1> attributes(
      static_cast<const std::byte*>(mnl_nlmsg_get_payload(&error)) + skip, length - skip);
  return attributes.has(NLMSGERR_ATTR_MSG);
}

namespace {

Outcome outcome_of(const nlmsghdr& error) {
  switch (read_errno(error).value_or(0)) {
    case ENETUNREACH:
      return Outcome::no_route;
    case EHOSTUNREACH:
    case EACCES:
      return Outcome::refused;
    // A blackhole, or a request that this kernel does not accept: only the latter comes with an
    // explanation.
    case EINVAL:
      return has_explanation(error) ? Outcome::failed : Outcome::refused;
    default:
      return Outcome::failed;
  }
}

}  // namespace

Answer read_answer(const nlmsghdr& message, const Ip& destination) {
  if (message.nlmsg_type == NLMSG_ERROR) return {.outcome = outcome_of(message)};
  RouteMessage route;
  const bool fits =
      read_route(message, route) == Read::ok &&
      route.destination == Prefix{destination, static_cast<std::uint8_t>(bits(destination.family))};
  if (!fits) return {};
  // An address that is this machine's own leads nowhere else.
  if (route.type == RTN_LOCAL || route.type == RTN_BROADCAST || route.type == RTN_MULTICAST ||
      route.type == RTN_ANYCAST) {
    return {.outcome = Outcome::refused};
  }
  if (route.type != RTN_UNICAST || route.hops.size() != 1) return {};
  return {Outcome::unicast, route.hops.front().link, route.source};
}

}  // namespace icelock::net::netlink
