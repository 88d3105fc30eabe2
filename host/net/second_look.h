// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "net/network.h"
#include "net/ways.h"

namespace icelock::net {

/// As the kernel does for connect(2): the ways of packets from the address that the first look gave
/// them. Where it may give any of several, what holds for any of them. None when the rules split
/// the packets into more parts than are looked at. Pure, portable.
std::optional<std::vector<Way>> second_look(Routing& routing, const std::vector<Link>& links,
                                            const Packets& packets, const Way& first);

}  // namespace icelock::net
