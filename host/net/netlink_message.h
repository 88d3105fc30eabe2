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

  nlmsghdr* header();
  const nlmsghdr* header() const;
  std::span<const std::byte> bytes() const;

 private:
  alignas(nlmsghdr) std::array<std::byte, 128> buffer_{};
};

Request link_dump();
Request address_dump();
Request rule_dump();
/// "Which way to this address?" for a program of this uid.
Request route_question(const Ip& destination, std::uint32_t uid);
/// Unicast routes of all tables; over one link when `link` is not 0 (filtered by the kernel when
/// the socket asks for strict checking).
Request route_dump(Family family, int link);

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

struct RuleMessage {
  Rule rule;
  bool kernels_own = false;  ///< one of the three that every machine has
  std::optional<std::pair<std::uint32_t, std::uint32_t>>
      uids;  ///< first and last, when it tells users apart
};

/// A hop over `link`, 0 when the kernel does not say (nexthop objects without compatibility).
struct Hop {
  int link = 0;
  bool gateway = false;
};

struct RouteMessage {
  Ip destination;
  std::uint8_t prefix = 0;
  std::uint8_t type = 0;      ///< RTN_
  std::uint8_t protocol = 0;  ///< RTPROT_
  std::uint32_t table = 0;
  std::optional<Ip> source;
  std::optional<Ip> gateway;
  std::vector<Hop> hops;
};

Read read_link(const nlmsghdr& message, Link& link);
Read read_address(const nlmsghdr& message, AddressMessage& address);
Read read_rule(const nlmsghdr& message, RuleMessage& rule);
Read read_route(const nlmsghdr& message, RouteMessage& route);

/// The errno of an NLMSG_ERROR or NLMSG_DONE message, positive; 0 for an acknowledgement; nullopt
/// when the message is malformed.
std::optional<int> read_errno(const nlmsghdr& message);
/// True when the kernel explains the error in words, which it does for a bad request and not for a
/// route that refuses (NLMSGERR_ATTR_MSG).
bool has_explanation(const nlmsghdr& error);

/// The kernel's reply to route_question(destination): a route or an errno (see net/way.h for what
/// follows).
Answer read_answer(const nlmsghdr& message, const Ip& destination);

}  // namespace icelock::net::netlink
