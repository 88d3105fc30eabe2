// SPDX-License-Identifier: Apache-2.0
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "net/netlink_talk.h"
#include "net/watch.h"

namespace icelock::net {
namespace {

// More than a queue of a megabyte holds: only a flood without end gets so far, and under one a
// drain must still return.
constexpr int batches_per_drain = 320;
constexpr std::size_t batch_size = 64;

/// The beginning of a notification, as far as it is looked at. Each comes in a datagram of its own.
struct Beginning {
  nlmsghdr header{};
  union {
    rtmsg route;
    ifinfomsg link{};
  };
};

/// One read of up to 64 messages.
struct Batch {
  std::array<sockaddr_nl, batch_size> senders{};
  std::array<Beginning, batch_size> beginnings{};
  std::array<iovec, batch_size> parts{};
  std::array<mmsghdr, batch_size> messages{};

  int receive(int fd) {
    for (std::size_t i = 0; i < batch_size; ++i) {
      parts[i] = {&beginnings[i], sizeof(Beginning)};
      messages[i] = {};
      messages[i].msg_hdr.msg_name = &senders[i];
      messages[i].msg_hdr.msg_namelen = sizeof senders[i];
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    return recvmmsg(fd, messages.data(), batch_size, MSG_DONTWAIT | MSG_TRUNC, nullptr);
  }

  bool from_kernel(std::size_t at) const {
    return messages[at].msg_hdr.msg_namelen == sizeof senders[at] && senders[at].nl_pid == 0;
  }

  /// Whether it is one message, and all that is looked at is there.
  bool is_known(std::size_t at) const {
    const std::size_t length = messages[at].msg_len;
    return length >= sizeof(Beginning) && NLMSG_ALIGN(beginnings[at].header.nlmsg_len) >= length;
  }
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
  Batch batch;
  for (int i = 0; i < batches_per_drain; ++i) {
    const int count = batch.receive(socket.get());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return changed;
    // ENOBUFS: messages were lost. Anything else is not understood, which means the same: look
    // again.
    if (count < 0 && errno == ENOBUFS) {
      changed = true;
      continue;
    }
    if (count <= 0) return true;
    for (std::size_t at = 0; at < static_cast<std::size_t>(count); ++at) {
      if (!batch.from_kernel(at)) continue;
      changed = changed || !batch.is_known(at) || counts(batch.beginnings[at]);
    }
  }
  return true;
}

}  // namespace

Result<Watch> Watch::open() {
  // Links count too: when a WireGuard link goes away its IPv4 routes vanish without a message of
  // their own.
  auto fd = netlink::subscribe({RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
                                RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP});
  if (!fd) return std::unexpected(fd.error());
  return Watch(std::move(*fd));
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
