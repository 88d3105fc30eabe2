// SPDX-License-Identifier: Apache-2.0
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/netlink_message.h"
#include "net/netlink_socket.h"
#include "net/routes_watch.h"

namespace icelock::net {
namespace {

// Notifications are built for one object each and stay below a page (NLMSG_GOODSIZE); a longer one
// is cut, and that counts as a change.
constexpr std::size_t largest_message = 16 << 10;

// More than a queue of a megabyte holds, so only a flood without end gets so far.
constexpr int most_messages = 20000;

bool concerns(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      // One to this machine itself comes with an address, which is read each time.
      const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
      return mnl_nlmsg_get_payload_len(&message) < sizeof *info ||
             (info->rtm_type != RTN_LOCAL && info->rtm_type != RTN_BROADCAST &&
              info->rtm_type != RTN_ANYCAST && info->rtm_type != RTN_MULTICAST);
    }
    case RTM_NEWLINK: {
      // Wireless drivers tell of each scan by a message in which nothing changed. A link's flags
      // are part of what was read, but a link that went down and up again lost its routes on the
      // way.
      const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
      return mnl_nlmsg_get_payload_len(&message) < sizeof *info || info->ifi_change != 0;
    }
    default:
      return true;
  }
}

}  // namespace

bool RoutesWatch::changed() {
  if (!socket_) {
    auto opened = netlink::subscribe({RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                      RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP});
    if (!opened) return true;
    socket_ = std::move(*opened);
    buffer_.resize(largest_message);
    return true;
  }
  bool changed = false;
  for (int i = 0; i < most_messages; ++i) {
    if (!next(changed)) return changed;
  }
  return true;
}

bool RoutesWatch::next(bool& changed) {
  const auto datagram = netlink::read_datagram(socket_.get(), buffer_, MSG_DONTWAIT);
  if (datagram.size < 0 && errno == EINTR) return true;
  if (datagram.size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (datagram.size < 0) {
    changed = true;
    return errno == ENOBUFS;
  }
  if (!datagram.from_kernel) return true;
  if (changed) return true;  // no need to read on; only the queue is to be emptied
  const auto messages =
      std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(datagram.size));
  const bool whole = netlink::for_each_message(messages, [&](const nlmsghdr& message) {
    changed = changed || concerns(message);
    return true;
  });
  changed = changed || !whole || datagram.cut;
  return true;
}

}  // namespace icelock::net
