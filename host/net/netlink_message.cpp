// SPDX-License-Identifier: Apache-2.0
#include "net/netlink_message.h"

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "net/netlink_attributes.h"

namespace icelock::net::netlink {
namespace {

std::uint8_t number_of(Family family) {
  return family == Family::ipv4 ? AF_INET : AF_INET6;
}

template <class Header>
Header& put(Request& request) {
  return *static_cast<Header*>(mnl_nlmsg_put_extra_header(request.header(), sizeof(Header)));
}

/// Of all families, while nothing else is written into the header.
template <class Header>
Request dump(std::uint16_t type) {
  Request request(type, NLM_F_REQUEST | NLM_F_DUMP);
  put<Header>(request);
  return request;
}

/// True when the kernel explains the error in words, which it does for a bad request and not for a
/// route that refuses (NLMSGERR_ATTR_MSG).
bool has_explanation(const nlmsghdr& error) {
  const auto* info = fixed_header<nlmsgerr>(error);
  if (!info || (error.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return false;
  std::size_t skip = sizeof(nlmsgerr);
  if ((error.nlmsg_flags & NLM_F_CAPPED) == 0 && info->msg.nlmsg_len > sizeof(nlmsghdr)) {
    skip += MNL_ALIGN(info->msg.nlmsg_len - sizeof(nlmsghdr));
  }
  const std::size_t length = mnl_nlmsg_get_payload_len(&error);
  bool bad = false;
  return skip < length && Attributes(mnl_nlmsg_get_payload_offset(&error, skip), length - skip, bad)
                              .has(NLMSGERR_ATTR_MSG);
}

Outcome outcome_of(const nlmsghdr& error) {
  switch (read_errno(error).value_or(0)) {
    case ENETUNREACH:
      return Outcome::no_route;
    case EHOSTUNREACH:
    case EACCES:
      return Outcome::refused;
    // A blackhole, or a request that this kernel does not accept: only the latter comes with an
    // explanation.
    case EINVAL:
      return has_explanation(error) ? Outcome::failed : Outcome::refused;
    default:
      return Outcome::failed;
  }
}

}  // namespace

bool for_each_message(std::span<const std::byte> datagram,
                      const std::function<bool(const nlmsghdr&)>& each) {
  const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
  auto left = static_cast<int>(datagram.size());
  // mnl_nlmsg_ok() compares lengths as signed numbers (libmnl 1.0.4): one of 2^31 or more would
  // pass.
  while (mnl_nlmsg_ok(message, left) && message->nlmsg_len <= datagram.size()) {
    if (!each(*message)) return true;
    message = mnl_nlmsg_next(message, &left);
  }
  return left <= 0;
}

Request::Request(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr* message = mnl_nlmsg_put_header(buffer_.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = flags;
}

Request link_dump() {
  Request request = dump<ifinfomsg>(RTM_GETLINK);
  mnl_attr_put_u32(request.header(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return request;
}

Request address_dump() {
  return dump<ifaddrmsg>(RTM_GETADDR);
}

Request rule_dump() {
  return dump<fib_rule_hdr>(RTM_GETRULE);
}

Request nexthop_dump() {
  return dump<nhmsg>(RTM_GETNEXTHOP);
}

Request route_dump(Family family) {
  Request request(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
  put<rtmsg>(request).rtm_family = number_of(family);
  return request;
}

Request route_question(const Question& question) {
  const Family family = question.destination.family;
  const Traffic& traffic = question.traffic;
  Request request(RTM_GETROUTE, NLM_F_REQUEST);
  auto& route = put<rtmsg>(request);
  route.rtm_family = number_of(family);
  route.rtm_dst_len = static_cast<std::uint8_t>(bits(family));
  route.rtm_tos = static_cast<std::uint8_t>(swap_dscp(traffic[dscp].first) << 2U);
  const std::size_t size = family == Family::ipv4 ? 4 : 16;
  mnl_attr_put(request.header(), RTA_DST, size, question.destination.bytes.data());
  if (question.from) {
    route.rtm_src_len = route.rtm_dst_len;
    mnl_attr_put(request.header(), RTA_SRC, size, question.from->bytes.data());
  }
  mnl_attr_put_u32(request.header(), RTA_UID, traffic[user].first);
  if (question.mark != 0) mnl_attr_put_u32(request.header(), RTA_MARK, question.mark);
  mnl_attr_put_u8(request.header(), RTA_IP_PROTO,
                  static_cast<std::uint8_t>(traffic[protocol].first));
  const auto put_port = [&](std::uint16_t type, std::uint32_t port) {
    const std::uint16_t in_network_order = htons(static_cast<std::uint16_t>(port));
    if (port != 0) mnl_attr_put_u16(request.header(), type, in_network_order);
  };
  put_port(RTA_SPORT, traffic[source_port].first);
  put_port(RTA_DPORT, traffic[destination_port].first);
  return request;
}

void AlikeRoutes::set(const nlmsghdr& message) {
  bool bad = false;
  const auto attributes = attributes_after<rtmsg>(message, bad);
  bytes_.clear();
  if (!attributes.has(RTA_DST)) return;
  const auto* bytes = reinterpret_cast<const std::byte*>(&message);
  bytes_.assign(bytes, bytes + message.nlmsg_len);
  begin_ =
      static_cast<std::size_t>(static_cast<const std::byte*>(attributes.payload(RTA_DST)) - bytes);
  end_ = begin_ + attributes.length(RTA_DST);
}

std::optional<Prefix> AlikeRoutes::destination(const nlmsghdr& message) const {
  constexpr std::size_t length_at = NLMSG_HDRLEN + offsetof(rtmsg, rtm_dst_len);
  if (bytes_.empty() || message.nlmsg_len != bytes_.size()) return std::nullopt;
  const auto* bytes = reinterpret_cast<const std::byte*>(&message);
  const auto is_same = [&](std::size_t begin, std::size_t end) {
    return std::memcmp(bytes + begin, bytes_.data() + begin, end - begin) == 0;
  };
  if (!is_same(0, length_at) || !is_same(length_at + 1, begin_) || !is_same(end_, bytes_.size())) {
    return std::nullopt;
  }
  Prefix block{{end_ - begin_ == 4 ? Family::ipv4 : Family::ipv6, {}},
               static_cast<std::uint8_t>(bytes[length_at])};
  std::memcpy(block.base.bytes.data(), bytes + begin_, end_ - begin_);
  return block;
}

std::optional<int> read_errno(const nlmsghdr& message) {
  const auto* code = fixed_header<int>(message);
  if (!code || *code > 0 || *code < -4095) return std::nullopt;
  return -*code;
}

bool is_own(std::uint8_t type) {
  return type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_ANYCAST || type == RTN_MULTICAST;
}

Answer read_answer(const nlmsghdr& message, const Ip& destination) {
  if (message.nlmsg_type == NLMSG_ERROR) return {.outcome = outcome_of(message)};
  RouteMessage route;
  const Prefix wanted{destination, static_cast<std::uint8_t>(bits(destination.family))};
  if (read_route(message, route) != Read::ok || route.destination != wanted) return {};
  if (is_own(route.type)) return {.outcome = Outcome::refused};
  if (route.type != RTN_UNICAST || route.hops.size() != 1) return {};
  return {Outcome::unicast, route.hops.front().link, route.source};
}

}  // namespace icelock::net::netlink
