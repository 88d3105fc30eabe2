// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/network.h"

// Builds the bytes that a kernel would send, for networks that the test machine cannot make.

namespace icelock::net::test {

using Bytes = std::vector<std::byte>;

struct LinkSpec {
  int index = 0;
  std::string name{};
  std::string kind{};
  std::uint16_t hardware = 1;   ///< ARPHRD_ETHER
  unsigned flags = 0x1 | 0x40;  ///< IFF_UP | IFF_RUNNING
  int tun_type = 0;             ///< IFLA_TUN_TYPE when not 0
  int master = 0;               ///< IFLA_MASTER when not 0
  std::string slave_kind{};     ///< IFLA_INFO_SLAVE_KIND
  std::string parent_device{};  ///< IFLA_PARENT_DEV_NAME
  std::uint32_t group = 0;      ///< IFLA_GROUP when not 0
};

struct AddressSpec {
  int link = 0;
  std::string ip{};
  int prefix = 0;
  std::string peer{};
  int scope = 0;
  std::uint32_t flags = 0;
};

using RangeSpec = std::optional<std::pair<std::uint32_t, std::uint32_t>>;

struct RuleSpec {
  Family family = Family::ipv4;
  std::uint32_t priority = 0;
  std::uint32_t table = 0;
  std::uint32_t fwmark = 0;
  bool inverted = false;
  int suppress_prefix = -1;  ///< FRA_SUPPRESS_PREFIXLEN
  RangeSpec uids{};
  std::uint8_t action = 1;   ///< FR_ACT_TO_TBL
  std::uint32_t target = 0;  ///< FRA_GOTO when not 0
  std::uint32_t mask = 0;    ///< FRA_FWMASK when not 0
  std::uint8_t protocol = 0;
  RangeSpec source_ports{};
  RangeSpec destination_ports{};
  std::uint8_t tos = 0;
  std::optional<std::uint8_t> dscp{};
  std::string to{};
  std::string from{};
  std::string in{};   ///< FRA_IIFNAME
  std::string out{};  ///< FRA_OIFNAME
  bool vrf = false;   ///< FRA_L3MDEV
  int suppress_group = -1;
  std::uint16_t another = 0;  ///< an attribute of this type when not 0
};

struct HopSpec {
  int link = 0;
  std::string gateway{};
};

struct RouteSpec {
  std::string destination{};  ///< "0.0.0.0/1"; "0.0.0.0/0" and "::/0" are the default routes
  int link = 0;
  std::string gateway{};
  std::string source{};
  std::uint32_t table = 254;
  std::uint8_t type = 1;      ///< RTN_UNICAST
  std::uint8_t protocol = 4;  ///< RTPROT_STATIC
  std::vector<HopSpec> hops{};
  std::uint32_t nexthop_id = 0;
  std::uint32_t metric = 0;
  std::uint8_t tos = 0;
  unsigned flags = 0;
};

/// A nexthop object: a hop, a group of others, or a blackhole (link 0).
struct NexthopSpec {
  std::uint32_t id = 0;
  int link = 0;
  std::string gateway{};
  std::vector<std::uint32_t> group{};
};

/// "45.0.0.0/8"
Prefix block(const std::string& text);

Bytes message(const LinkSpec& link);
Bytes message(const AddressSpec& address);
Bytes message(const RuleSpec& rule);
Bytes message(const RouteSpec& route);
Bytes message(const NexthopSpec& nexthop);
/// NLMSG_ERROR as the kernel sends it with capped acknowledgements.
Bytes error_message(int error_number, const std::string& explanation = {});
Bytes done_message();

nlmsghdr& header(Bytes& bytes);
/// Sets number and flags of the first message.
Bytes numbered(Bytes bytes, std::uint32_t sequence, std::uint16_t extra_flags = 0);
Bytes operator+(Bytes left, const Bytes& right);

}  // namespace icelock::net::test
