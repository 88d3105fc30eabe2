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
};

struct AddressSpec {
  int link = 0;
  std::string ip{};
  int prefix = 0;
  std::string peer{};
  int scope = 0;
  std::uint32_t flags = 0;
};

struct RuleSpec {
  Family family = Family::ipv4;
  std::uint32_t priority = 0;
  std::uint32_t table = 0;
  std::uint32_t fwmark = 0;
  bool inverted = false;
  int suppress_prefix = -1;  ///< FRA_SUPPRESS_PREFIXLEN
  std::optional<std::pair<std::uint32_t, std::uint32_t>> uids{};
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
};

Bytes message(const LinkSpec& link);
Bytes message(const AddressSpec& address);
Bytes message(const RuleSpec& rule);
Bytes message(const RouteSpec& route);
/// NLMSG_ERROR as the kernel sends it with capped acknowledgements.
Bytes error_message(int error_number, const std::string& explanation = {});
Bytes done_message();

nlmsghdr& header(Bytes& bytes);
/// Sets number and flags of the first message.
Bytes numbered(Bytes bytes, std::uint32_t sequence, std::uint16_t extra_flags = 0);
Bytes operator+(Bytes left, const Bytes& right);

}  // namespace icelock::net::test
