// SPDX-License-Identifier: Apache-2.0
#include "net/netlink_message.h"

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>

#include "net/link_class.h"
#include "net/netlink_attributes.h"

namespace icelock::net::netlink {
namespace {

std::optional<Family> family_of(std::uint8_t family) {
  if (family == AF_INET) return Family::ipv4;
  if (family == AF_INET6) return Family::ipv6;
  return std::nullopt;
}

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

Request route_question(const Ip& destination, std::uint32_t uid) {
  Request request(RTM_GETROUTE, NLM_F_REQUEST);
  auto& route = put<rtmsg>(request);
  route.rtm_family = number_of(destination.family);
  route.rtm_dst_len = static_cast<std::uint8_t>(bits(destination.family));
  // Without the flag IPv4 answers always name the main table. IPv6 names the true one anyway, and
  // with strict checking refuses the flag by EINVAL, which would read as a blackhole.
  if (destination.family == Family::ipv4) route.rtm_flags = RTM_F_LOOKUP_TABLE;
  mnl_attr_put(request.header(), RTA_DST, destination.family == Family::ipv4 ? 4 : 16,
               destination.bytes.data());
  mnl_attr_put_u32(request.header(), RTA_UID, uid);
  return request;
}

Request route_dump(Family family, int link) {
  Request request(RTM_GETROUTE, dump_flags);
  auto& route = put<rtmsg>(request);
  route.rtm_family = number_of(family);
  route.rtm_type = RTN_UNICAST;
  if (link != 0) mnl_attr_put_u32(request.header(), RTA_OIF, static_cast<std::uint32_t>(link));
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
  auto ip = attributes.ip(IFA_LOCAL, *family);
  if (!ip) ip = attributes.ip(IFA_ADDRESS, *family);
  const std::uint32_t flags = attributes.u32(IFA_FLAGS).value_or(info->ifa_flags);
  if (attributes.bad() || !ip || info->ifa_prefixlen > bits(*family)) return Read::malformed;
  address.link = static_cast<int>(info->ifa_index);
  address.address.ip = *ip;
  address.address.prefix = info->ifa_prefixlen;
  address.address.global_scope = info->ifa_scope == RT_SCOPE_UNIVERSE;
  // In IPv4 the same bit says "secondary".
  address.address.temporary = *family == Family::ipv6 && (flags & IFA_F_TEMPORARY) != 0;
  address.address.deprecated = (flags & IFA_F_DEPRECATED) != 0;
  address.address.tentative = (flags & IFA_F_TENTATIVE) != 0;
  address.address.mac_based = looks_mac_based(*ip);
  return Read::ok;
}

Read read_rule(const nlmsghdr& message, RuleMessage& rule) {
  if (message.nlmsg_type != RTM_NEWRULE) return Read::ignored;
  const auto* info = fixed_header<fib_rule_hdr>(message);
  if (!info) return Read::malformed;
  const auto family = family_of(info->family);
  if (!family) return Read::ignored;
  auto attributes = Attributes<FRA_UID_RANGE + 1>::after<fib_rule_hdr>(message);
  rule.rule.family = *family;
  rule.rule.priority = attributes.u32(FRA_PRIORITY).value_or(0);
  rule.rule.table = attributes.u32(FRA_TABLE).value_or(info->table);
  rule.rule.fwmark = attributes.u32(FRA_FWMARK).value_or(0);
  rule.rule.inverted = (info->flags & FIB_RULE_INVERT) != 0;
  if (const auto range = attributes.number<fib_rule_uid_range>(FRA_UID_RANGE)) {
    rule.uids = {range->start, range->end};
  }
  if (attributes.bad()) return Read::malformed;
  const Rule own[] = {{*family, 0, RT_TABLE_LOCAL},
                      {*family, 32766, RT_TABLE_MAIN},
                      {*family, 32767, RT_TABLE_DEFAULT}};
  rule.kernels_own = rule.rule == own[0] || rule.rule == own[1] || rule.rule == own[2];
  return Read::ok;
}

namespace {

/// The hops of a multipath route; false when the list does not fit its attribute.
bool read_hops(const nlattr* list, std::vector<Hop>& hops) {
  const auto* bytes = static_cast<const std::byte*>(mnl_attr_get_payload(list));
  std::size_t left = mnl_attr_get_payload_len(list);
  while (left >= sizeof(rtnexthop)) {
    const auto* hop = reinterpret_cast<const rtnexthop*>(bytes);
    const std::size_t length = hop->rtnh_len;
    if (length < sizeof(rtnexthop) || length > left) return false;
    const Attributes<RTA_VIA + 1> attributes(bytes + sizeof(rtnexthop), length - sizeof(rtnexthop));
    if (attributes.bad()) return false;
    hops.push_back({hop->rtnh_ifindex, attributes.has(RTA_GATEWAY) || attributes.has(RTA_VIA)});
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
  route.destination = attributes.ip(RTA_DST, *family).value_or(Ip{*family, {}});
  route.prefix = info->rtm_dst_len;
  route.type = info->rtm_type;
  route.protocol = info->rtm_protocol;
  route.table = attributes.u32(RTA_TABLE).value_or(info->rtm_table);
  route.source = attributes.ip(RTA_PREFSRC, *family);
  route.gateway = attributes.ip(RTA_GATEWAY, *family);
  const auto link = attributes.u32(RTA_OIF);
  const nlattr* multipath = attributes.raw(RTA_MULTIPATH);
  if (multipath) {
    if (!read_hops(multipath, route.hops)) return Read::malformed;
  } else if (link) {
    route.hops.push_back(
        {static_cast<int>(*link), route.gateway.has_value() || attributes.has(RTA_VIA)});
  } else if (attributes.has(RTA_NH_ID)) {
    route.hops.push_back({0, true});
  }
  if (attributes.bad() || route.prefix > bits(*family)) return Read::malformed;
  return Read::ok;
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
  Answer answer;
  answer.destination = destination;
  if (message.nlmsg_type == NLMSG_ERROR) {
    answer.outcome = outcome_of(message);
    return answer;
  }
  RouteMessage route;
  if (read_route(message, route) != Read::ok || route.destination != destination) return answer;
  // A public address that is this machine's own leads nowhere else.
  if (route.type == RTN_LOCAL) answer.outcome = Outcome::refused;
  if (route.type != RTN_UNICAST || route.hops.size() != 1) return answer;
  answer.outcome = Outcome::unicast;
  answer.link = route.hops.front().link;
  answer.source = route.source;
  answer.gateway = route.gateway;
  answer.table = route.table;
  return answer;
}

}  // namespace icelock::net::netlink
