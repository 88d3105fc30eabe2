// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/network.h"

// Where one answer leads, judged with the rest of the snapshot. Pure; shared by classify() and the
// survey.

namespace icelock::net {

enum class Way : std::uint8_t {
  tunnel,    ///< into a VPN's link
  ipsec,     ///< out of an ordinary link, but from an IPsec policy's address
  outside,   ///< out of an ordinary link
  refused,   ///< nowhere: unreachable, a sink, or a tunnel whose program is gone
  no_route,  ///< nowhere
  failed,    ///< not known
};

/// nullptr when the snapshot does not hold it.
const Link* find_link(const Snapshot& snapshot, int index);

/// A tunnel, and not a ppp or modem link that is the uplink itself.
bool is_vpn(const Snapshot& snapshot, const Link& link);

Way way(const Snapshot& snapshot, const Answer& answer);

/// Every answer of the family leads into a VPN, and there is one.
bool fully_inside(const Snapshot& snapshot, Family family);

}  // namespace icelock::net
