// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "net/network.h"

// rtnetlink bytes to values and back (rtnetlink(7), linux/rtnetlink.h, linux/if_link.h). Pure: no
// socket. Readers take any bytes: what does not fit the format is `malformed`, never a guess.

namespace icelock::net::netlink {

/// One request, ready to send; the sequence number is set by whoever sends it.
class Request {
 public:
  Request(std::uint16_t type, std::uint16_t flags);

  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }
  std::span<const std::byte> bytes() { return {buffer_.data(), header()->nlmsg_len}; }

 private:
  alignas(nlmsghdr) std::array<std::byte, 160> buffer_{};
};

Request link_dump();
Request address_dump();
Request rule_dump();
/// "Which way to this address?", with all the selectors.
Request route_question(const Question& question);
/// The routes of all tables.
Request route_dump(Family family);
Request nexthop_dump();

/// Calls `each` for every message of the datagram until it returns false. False when the bytes are
/// no sequence of whole messages.
bool for_each_message(std::span<const std::byte> datagram,
                      const std::function<bool(const nlmsghdr&)>& each);

/// `enough` never comes from a reader here: a taker of a list returns it to end the list early.
enum class Read { ok, ignored, malformed, enough };

struct AddressMessage {
  int link = 0;
  Address address;
};

struct Hop {
  int link = 0;  ///< 0: it blackholes
  std::optional<Ip> gateway;
  bool dead = false;  ///< its link is down

  bool operator==(const Hop&) const = default;
};

struct RouteMessage {
  Prefix destination;
  std::uint8_t type = 0;      ///< RTN_
  std::uint8_t protocol = 0;  ///< RTPROT_
  std::uint8_t tos = 0;
  bool for_some_sources = false;  ///< IPv6: only for packets from some addresses
  std::uint32_t table = 0;
  std::uint32_t metric = 0;
  std::optional<Ip> source;
  std::vector<Hop> hops;
  std::uint32_t nexthop = 0;  ///< id of a nexthop object, when the hops are not told
};

/// A nexthop object (RTM_NEWNEXTHOP): a hop, or a group of others.
struct NexthopMessage {
  std::uint32_t id = 0;
  Hop hop;
  std::vector<std::uint32_t> group;
};

Read read_link(const nlmsghdr& message, Link& link);
Read read_address(const nlmsghdr& message, AddressMessage& address);
Read read_rule(const nlmsghdr& message, Rule& rule);
Read read_route(const nlmsghdr& message, RouteMessage& route);
Read read_nexthop(const nlmsghdr& message, NexthopMessage& nexthop);

/// Tells routes that differ from another one in nothing but the destination. A list can be very
/// long, and most of it is such.
class AlikeRoutes {
 public:
  /// From now on that is the other one.
  void set(const nlmsghdr& message);
  void reset() { bytes_.clear(); }
  /// The destination of a message that is alike.
  std::optional<Prefix> destination(const nlmsghdr& message) const;

 private:
  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;  ///< of the destination's address
  std::size_t end_ = 0;
};

/// The errno of an NLMSG_ERROR or NLMSG_DONE message, positive; 0 for an acknowledgement; nullopt
/// when the message is malformed.
std::optional<int> read_errno(const nlmsghdr& message);
/// Whether a route of this RTN_ type is for this machine itself, or for all on a link of it.
bool is_own(std::uint8_t type);

/// The kernel's reply to route_question(): a route or an errno.
Answer read_answer(const nlmsghdr& message, const Ip& destination);

}  // namespace icelock::net::netlink
