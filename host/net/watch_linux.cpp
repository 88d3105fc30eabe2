// SPDX-License-Identifier: Apache-2.0
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "net/netlink_socket.h"
#include "net/watch.h"

namespace icelock::net {
namespace {

// Enough for any honest burst; under a steady flood drain() must still return.
constexpr int batches_per_drain = 256;
constexpr std::size_t batch_size = 64;

/// One read of up to 64 messages. Only the senders matter, so one byte of each is enough.
struct Batch {
  std::array<sockaddr_nl, batch_size> senders{};
  std::array<char, batch_size> bytes{};
  std::array<iovec, batch_size> parts{};
  std::array<mmsghdr, batch_size> messages{};

  int receive(int fd) {
    for (std::size_t i = 0; i < batch_size; ++i) {
      parts[i] = {&bytes[i], 1};
      messages[i] = {};
      messages[i].msg_hdr.msg_name = &senders[i];
      messages[i].msg_hdr.msg_namelen = sizeof senders[i];
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    return recvmmsg(fd, messages.data(), batch_size, MSG_DONTWAIT, nullptr);
  }

  bool from_kernel(int count) const {
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      if (messages[i].msg_hdr.msg_namelen == sizeof senders[i] && senders[i].nl_pid == 0)
        return true;
    }
    return false;
  }
};

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
  bool changed = false;
  Batch batch;
  for (int i = 0; i < batches_per_drain; ++i) {
    const int count = batch.receive(socket_.get());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return changed;
    // ENOBUFS: messages were lost. Anything else is not understood, which means the same: look
    // again.
    if (count < 0 && errno == ENOBUFS) {
      changed = true;
      continue;
    }
    if (count <= 0) return true;
    changed = batch.from_kernel(count) || changed;
  }
  return true;
}

}  // namespace icelock::net
