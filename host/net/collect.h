// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "net/netlink_message.h"
#include "net/network.h"

// From the kernel's messages to the portable value, and from that to the parts of a snapshot. Pure.

namespace icelock::net {

using Nexthops = std::map<std::uint32_t, netlink::NexthopMessage>;

/// Adds a route to its table, and to what is known of the use of its links.
void add_route(Routing& routing, const std::vector<Link>& links,
               const netlink::RouteMessage& route, const Nexthops& nexthops);
/// After the last one. A host route to a router says nothing of a far end.
void finish(Routing& routing);

/// Whose traffic is looked at: uid 0 stands for all people.
std::vector<Range> users_of(std::uint32_t uid, const std::vector<Rule>& rules);

/// The parts of a family's traffic, each with the questions that confirm it, not answered yet.
std::vector<Part> parts_of(Routing& routing, const std::vector<Link>& links, Family family,
                           const std::vector<Range>& users);

/// Whether connect(2) may lead elsewhere than sendto(2): it looks again with the source that it chose.
bool looks_twice(const std::vector<Rule>& rules, Family family);

}  // namespace icelock::net
