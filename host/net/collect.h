// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "net/netlink_message.h"
#include "net/network.h"

// From the kernel's messages to the portable value. Pure.

namespace icelock::net {

using Nexthops = std::map<std::uint32_t, netlink::NexthopMessage>;

/// Puts routes into their tables, and notes the use of their links.
class RouteCollector {
 public:
  /// Both must outlive this; the routing has its rules, and the links are a snapshot's, by index.
  RouteCollector(Routing& routing, const std::vector<Link>& links)
      : routing_(routing), links_(links) {}

  /// True when the same may be said of a route that differs in the destination only.
  bool add(const netlink::RouteMessage& route, const Nexthops& nexthops);
  /// One that differs so from the last for which add() was true; false when this destination says
  /// more, and it has to be added by add().
  bool add_alike(const Prefix& destination);
  /// After the last one: `routing` is settled. A host route to a router says nothing of a far end.
  void finish();

 private:
  void add_entry(const netlink::RouteMessage& route, std::uint16_t fate);
  void note_use(const netlink::RouteMessage& route, const Fate& fate,
                const std::vector<netlink::Hop>& hops);
  void note_host(const netlink::RouteMessage& route, const Fate& fate,
                 const std::vector<netlink::Hop>& hops);

  Routing& routing_;
  const std::vector<Link>& links_;
  netlink::RouteMessage last_;
  std::uint16_t last_fate_ = unknown_fate;
  std::set<Ip> gateways_;
  std::vector<std::pair<std::uint32_t, Ip>> on_link_hosts_;  ///< without a gateway, by table
};

}  // namespace icelock::net
