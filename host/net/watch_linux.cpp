// SPDX-License-Identifier: Apache-2.0
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/netlink_talk.h"
#include "net/watch.h"

namespace icelock::net {
namespace {

// More than a queue of a megabyte holds: only a flood without end gets so far, and under one a
// drain must still return.
constexpr int most_messages = 20'000;

/// The beginning of a notification, as far as it is looked at. Each comes in a datagram of its own.
struct Beginning {
  nlmsghdr header{};
  union {
    rtmsg route;
    ifinfomsg link{};
  };
};

bool is_any(const Beginning&) {
  return true;
}

/// Whether it may tell of another way of a packet.
bool concerns_routes(const Beginning& message) {
  switch (message.header.nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      // One to this machine itself comes with an address, which is read each time.
      return !netlink::is_own(message.route.rtm_type);
    case RTM_NEWLINK:
      // Wireless drivers tell of each scan by a message in which nothing changed. A link's flags
      // are part of what was read, but a link that went down and up again lost its routes on the
      // way.
      return message.link.ifi_change != 0;
    default:
      return true;
  }
}

/// Takes all that is queued. Whether one of the kernel's messages counts or is not understood, or
/// some were lost.
bool drain(const Fd& socket, bool (*counts)(const Beginning&)) {
  bool changed = false;
  for (int i = 0; i < most_messages; ++i) {
    Beginning message;
    sockaddr_nl sender{};
    socklen_t size = sizeof sender;
    const ssize_t length =
        recvfrom(socket.get(), &message, sizeof message, MSG_DONTWAIT | MSG_TRUNC,
                 reinterpret_cast<sockaddr*>(&sender), &size);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return changed;
    // ENOBUFS: messages were lost. Anything else is not understood, which means the same: look
    // again.
    if (length < 0 && errno != ENOBUFS) return true;
    if (length >= 0 && (size != sizeof sender || sender.nl_pid != 0)) continue;
    // One message, and all that is looked at is there.
    const bool is_known = length >= static_cast<ssize_t>(sizeof message) &&
                          NLMSG_ALIGN(message.header.nlmsg_len) >= static_cast<std::size_t>(length);
    changed = changed || !is_known || counts(message);
  }
  return true;
}

}  // namespace

Result<Watch> Watch::open() {
  // Links count too: when a WireGuard link goes away its IPv4 routes vanish without a message of
  // their own.
  auto fd = TRY(netlink::subscribe({RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                    RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
                                    RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP}));
  return Watch(std::move(fd));
}

bool Watch::drain() {
  return net::drain(socket_, is_any);
}

bool RoutesWatch::changed() {
  if (socket_) return drain(socket_, concerns_routes);
  auto opened = netlink::subscribe({RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                    RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP});
  if (opened) socket_ = std::move(*opened);
  return true;
}

}  // namespace icelock::net
