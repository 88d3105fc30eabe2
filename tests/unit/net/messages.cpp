// SPDX-License-Identifier: Apache-2.0
#include "messages.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace icelock::net::test {
namespace {

class Builder {
 public:
  explicit Builder(std::uint16_t type, std::uint16_t flags = NLM_F_MULTI)
      : message_(mnl_nlmsg_put_header(buffer_.data())) {
    message_->nlmsg_type = type;
    message_->nlmsg_flags = flags;
  }

  template <class Header>
  Header& put() {
    return *static_cast<Header*>(mnl_nlmsg_put_extra_header(message_, sizeof(Header)));
  }

  nlmsghdr* get() { return message_; }
  void text(std::uint16_t type, const std::string& value) {
    mnl_attr_put_strz(message_, type, value.c_str());
  }
  void number(std::uint16_t type, std::uint32_t value) { mnl_attr_put_u32(message_, type, value); }
  void ip(std::uint16_t type, const Ip& value) {
    mnl_attr_put(message_, type, value.family == Family::ipv4 ? 4 : 16, value.bytes.data());
  }

  Bytes bytes() const { return {buffer_.data(), buffer_.data() + message_->nlmsg_len}; }

 private:
  alignas(8) std::array<std::byte, 4096> buffer_{};
  nlmsghdr* message_;
};

Ip ip_of(const std::string& text) {
  const auto ip = parse_ip(text);
  if (!ip) throw std::invalid_argument("not an address: " + text);
  return *ip;
}

/// Puts the base of a block, unless it is all addresses, and returns its length.
std::uint8_t put_block(Builder& builder, std::uint16_t type, const std::string& text) {
  const std::size_t slash = text.find('/');
  const int length = std::stoi(text.substr(slash + 1));
  if (length != 0) builder.ip(type, ip_of(text.substr(0, slash)));
  return static_cast<std::uint8_t>(length);
}

std::uint8_t number_of(Family family) {
  return family == Family::ipv4 ? AF_INET : AF_INET6;
}

void put_gateway(Builder& builder, Family family, const std::string& text) {
  const Ip gateway = ip_of(text);
  if (gateway.family == family) {
    builder.ip(RTA_GATEWAY, gateway);
    return;
  }
  std::array<std::uint8_t, 18> via{AF_INET6, 0};
  std::copy(gateway.bytes.begin(), gateway.bytes.end(), via.begin() + 2);
  mnl_attr_put(builder.get(), RTA_VIA, via.size(), via.data());
}

}  // namespace

Prefix block(const std::string& text) {
  const std::size_t slash = text.find('/');
  return {ip_of(text.substr(0, slash)),
          static_cast<std::uint8_t>(std::stoi(text.substr(slash + 1)))};
}

Bytes message(const LinkSpec& link) {
  Builder builder(RTM_NEWLINK);
  auto& info = builder.put<ifinfomsg>();
  info.ifi_index = link.index;
  info.ifi_type = link.hardware;
  info.ifi_flags = link.flags;
  builder.text(IFLA_IFNAME, link.name);
  if (link.master != 0) builder.number(IFLA_MASTER, static_cast<std::uint32_t>(link.master));
  if (link.group != 0) builder.number(IFLA_GROUP, link.group);
  if (!link.parent_device.empty()) builder.text(IFLA_PARENT_DEV_NAME, link.parent_device);
  if (link.kind.empty() && link.slave_kind.empty()) return builder.bytes();
  nlattr* nest = mnl_attr_nest_start(builder.get(), IFLA_LINKINFO);
  if (!link.kind.empty()) builder.text(IFLA_INFO_KIND, link.kind);
  if (link.tun_type != 0) {
    nlattr* data = mnl_attr_nest_start(builder.get(), IFLA_INFO_DATA);
    mnl_attr_put_u8(builder.get(), IFLA_TUN_TYPE, static_cast<std::uint8_t>(link.tun_type));
    mnl_attr_nest_end(builder.get(), data);
  }
  if (!link.slave_kind.empty()) builder.text(IFLA_INFO_SLAVE_KIND, link.slave_kind);
  mnl_attr_nest_end(builder.get(), nest);
  return builder.bytes();
}

Bytes message(const AddressSpec& address) {
  const Ip ip = ip_of(address.ip);
  Builder builder(RTM_NEWADDR);
  auto& info = builder.put<ifaddrmsg>();
  info.ifa_family = number_of(ip.family);
  info.ifa_index = static_cast<std::uint32_t>(address.link);
  info.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix);
  info.ifa_scope = static_cast<std::uint8_t>(address.scope);
  if (ip.family == Family::ipv4) {
    builder.ip(IFA_ADDRESS, address.peer.empty() ? ip : ip_of(address.peer));
    builder.ip(IFA_LOCAL, ip);
  } else {
    if (!address.peer.empty()) builder.ip(IFA_LOCAL, ip);
    builder.ip(IFA_ADDRESS, address.peer.empty() ? ip : ip_of(address.peer));
  }
  builder.number(IFA_FLAGS, address.flags);
  return builder.bytes();
}

Bytes message(const RuleSpec& rule) {
  Builder builder(RTM_NEWRULE);
  auto& info = builder.put<fib_rule_hdr>();
  info.family = number_of(rule.family);
  info.table = static_cast<std::uint8_t>(rule.table < 256 ? rule.table : RT_TABLE_COMPAT);
  info.action = rule.action;
  info.tos = rule.tos;
  info.flags = rule.inverted ? FIB_RULE_INVERT : 0;
  builder.number(FRA_TABLE, rule.table);
  const auto put = [&](std::uint16_t type, std::uint32_t value) {
    if (value != 0) builder.number(type, value);
  };
  const auto put_byte = [&](std::uint16_t type, std::uint8_t value) {
    mnl_attr_put_u8(builder.get(), type, value);
  };
  const auto put_ports = [&](std::uint16_t type, const RangeSpec& ports) {
    if (!ports) return;
    const fib_rule_port_range range{static_cast<std::uint16_t>(ports->first),
                                    static_cast<std::uint16_t>(ports->second)};
    mnl_attr_put(builder.get(), type, sizeof range, &range);
  };
  constexpr std::uint16_t fra_dscp = 25;  // since Linux 6.13
  put(FRA_PRIORITY, rule.priority);
  put(FRA_FWMARK, rule.fwmark);
  put(FRA_FWMASK, rule.mask != 0 ? rule.mask : rule.fwmark != 0 ? ~0U : 0);
  put(FRA_GOTO, rule.target);
  // The kernel tells "none" of each lookup.
  builder.number(FRA_SUPPRESS_PREFIXLEN, static_cast<std::uint32_t>(rule.suppress_prefix));
  if (rule.suppress_group >= 0) {
    builder.number(FRA_SUPPRESS_IFGROUP, static_cast<std::uint32_t>(rule.suppress_group));
  }
  if (rule.uids) {
    const fib_rule_uid_range range{rule.uids->first, rule.uids->second};
    mnl_attr_put(builder.get(), FRA_UID_RANGE, sizeof range, &range);
  }
  if (rule.protocol != 0) put_byte(FRA_IP_PROTO, rule.protocol);
  put_ports(FRA_SPORT_RANGE, rule.source_ports);
  put_ports(FRA_DPORT_RANGE, rule.destination_ports);
  if (rule.dscp) put_byte(fra_dscp, *rule.dscp);
  if (!rule.to.empty()) info.dst_len = put_block(builder, FRA_DST, rule.to);
  if (!rule.from.empty()) info.src_len = put_block(builder, FRA_SRC, rule.from);
  if (!rule.in.empty()) builder.text(FRA_IIFNAME, rule.in);
  if (!rule.out.empty()) builder.text(FRA_OIFNAME, rule.out);
  if (rule.vrf) put_byte(FRA_L3MDEV, 1);
  if (rule.another != 0) builder.number(rule.another, 1);
  return builder.bytes();
}

Bytes message(const NexthopSpec& nexthop) {
  Builder builder(RTM_NEWNEXTHOP);
  auto& info = builder.put<nhmsg>();
  info.nh_family = AF_UNSPEC;
  builder.number(NHA_ID, nexthop.id);
  if (!nexthop.group.empty()) {
    std::vector<nexthop_grp> members;
    for (const std::uint32_t id : nexthop.group) {
      members.emplace_back().id = id;
    }
    mnl_attr_put(builder.get(), NHA_GROUP, members.size() * sizeof(nexthop_grp), members.data());
    return builder.bytes();
  }
  if (nexthop.link == 0) {
    mnl_attr_put(builder.get(), NHA_BLACKHOLE, 0, nullptr);
  } else {
    builder.number(NHA_OIF, static_cast<std::uint32_t>(nexthop.link));
  }
  if (!nexthop.gateway.empty()) {
    const Ip gateway = ip_of(nexthop.gateway);
    info.nh_family = number_of(gateway.family);
    builder.ip(NHA_GATEWAY, gateway);
  }
  return builder.bytes();
}

Bytes message(const RouteSpec& route) {
  const std::size_t slash = route.destination.find('/');
  const Ip destination = ip_of(route.destination.substr(0, slash));
  Builder builder(RTM_NEWROUTE);
  auto& info = builder.put<rtmsg>();
  info.rtm_family = number_of(destination.family);
  info.rtm_table = static_cast<std::uint8_t>(route.table < 256 ? route.table : RT_TABLE_COMPAT);
  info.rtm_type = route.type;
  info.rtm_protocol = route.protocol;
  info.rtm_tos = route.tos;
  info.rtm_flags = route.flags;
  builder.number(RTA_TABLE, route.table);
  if (route.metric != 0) builder.number(RTA_PRIORITY, route.metric);
  info.rtm_dst_len = put_block(builder, RTA_DST, route.destination);
  if (!route.source.empty()) builder.ip(RTA_PREFSRC, ip_of(route.source));
  if (!route.gateway.empty()) put_gateway(builder, destination.family, route.gateway);
  if (route.nexthop_id != 0) builder.number(RTA_NH_ID, route.nexthop_id);
  if (route.hops.empty()) {
    if (route.link != 0) builder.number(RTA_OIF, static_cast<std::uint32_t>(route.link));
    return builder.bytes();
  }
  nlattr* nest = mnl_attr_nest_start(builder.get(), RTA_MULTIPATH);
  for (const HopSpec& hop : route.hops) {
    auto* at = static_cast<std::byte*>(mnl_nlmsg_get_payload_tail(builder.get()));
    builder.get()->nlmsg_len += static_cast<std::uint32_t>(sizeof(rtnexthop));
    if (!hop.gateway.empty()) put_gateway(builder, destination.family, hop.gateway);
    rtnexthop head{};
    head.rtnh_ifindex = hop.link;
    head.rtnh_len = static_cast<std::uint16_t>(
        static_cast<std::byte*>(mnl_nlmsg_get_payload_tail(builder.get())) - at);
    std::memcpy(at, &head, sizeof head);
  }
  mnl_attr_nest_end(builder.get(), nest);
  return builder.bytes();
}

Bytes error_message(int error_number, const std::string& explanation) {
  Builder builder(NLMSG_ERROR, NLM_F_CAPPED);
  builder.put<nlmsgerr>().error = -error_number;
  if (!explanation.empty()) {
    builder.get()->nlmsg_flags |= NLM_F_ACK_TLVS;
    builder.text(NLMSGERR_ATTR_MSG, explanation);
  }
  return builder.bytes();
}

Bytes done_message() {
  Builder builder(NLMSG_DONE);
  builder.put<int>() = 0;
  return builder.bytes();
}

nlmsghdr& header(Bytes& bytes) {
  return *reinterpret_cast<nlmsghdr*>(bytes.data());
}

Bytes numbered(Bytes bytes, std::uint32_t sequence, std::uint16_t extra_flags) {
  header(bytes).nlmsg_seq = sequence;
  header(bytes).nlmsg_flags |= extra_flags;
  return bytes;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.resize(MNL_ALIGN(left.size()));
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace icelock::net::test
