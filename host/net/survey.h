// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "net/netlink_message.h"
#include "net/network.h"

// Which ways to the internet there are beside a tunnel. Pure.
//
// A full tunnel with one public route aside leaks: Chromium at every level below force_proxy
// answers a STUN server on that route from the ISP's address. But most VPNs need one such route
// themselves, to their own server. The two look the same, and nothing an unprivileged process can
// read tells them apart, so:
//  - one host route (/32 or /128) per family is taken for the server's. A page would have to run
//  its STUN server
//    on the VPN server's address to use it.
//  - two or more, or one shorter prefix, are excluded routes, all of them.
//  - none is granted to a tunnel whose default route stands in a table of its own that a rule with
//  a firewall
//    mark selects (wg-quick and its kin mark the outer packets instead), nor to policy IPsec (a
//    throw route or the policy itself does it).
// Not looked at: default routes (they decide the verdict itself, by the questions), blocks without
// public addresses, and connected routes, which reach neighbours only (the IPv6 /64 of a LAN is
// public!).

namespace icelock::net {

/// Links to search for routes beside a tunnel: up, running, with a global address, so that the
/// ports of bridges are not among them. Holds ppp and modem links too: one may be the uplink below
/// another tunnel.
std::vector<int> links_beside(const Snapshot& snapshot);

/// Whether the routes of this family must be read to judge the snapshot.
bool needs_survey(const Snapshot& snapshot, Family family);

/// Whether a route that was added could change what a survey found. One to this machine itself
/// can't, and neither can one into a tunnel, unless it covers a way that was found. A route that
/// was removed, or one that sends the search on to the next table (throw), may uncover another.
bool may_change_ways(const Snapshot& surveyed, const netlink::RouteMessage& added);

/// For Snapshot::uplinks.
std::vector<int> find_uplinks(const Snapshot& snapshot,
                              const std::vector<netlink::RouteMessage>& routes);

/// The routes to public addresses beside the tunnel, without repeats. Whether they are in effect is
/// not known yet.
std::vector<ExcludedRoute> find_candidates(const Snapshot& snapshot, Family family,
                                           const std::vector<netlink::RouteMessage>& routes);

/// Addresses to ask for, to see whether a route is in effect: both ends of its block.
std::vector<Ip> samples(const ExcludedRoute& route);

/// The routes in effect, less the one that may be the VPN server's.
std::vector<ExcludedRoute> less_server_route(const Snapshot& snapshot, Family family,
                                             std::vector<ExcludedRoute> in_effect);

}  // namespace icelock::net
