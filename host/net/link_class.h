// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "net/network.h"

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

/// A tunnel-like link that may just as well be the way to the internet itself: ppp (PPPoE, dial-up)
/// and bare IP links without a kind (modems whose parent device the kernel does not name).
bool may_be_uplink(const Link& link);

}  // namespace icelock::net
