// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "net/netlink_talk.h"

namespace icelock::net::netlink {

/// One datagram as recvmsg(2) gave it; `size` is below 0 when there was none, with errno set.
struct Datagram {
  ssize_t size = -1;
  bool from_kernel = false;  ///< the sender is port 0
  bool cut = false;          ///< it was longer than the buffer
};
Datagram read_datagram(int socket, std::span<std::byte> buffer, int flags);

/// A rtnetlink socket with strict checking, extended errors and a receive timeout of 1 s. Not for
/// two threads at once. Datagrams whose sender is not the kernel (port 0) are dropped: a process
/// with CAP_NET_ADMIN in the network's user namespace could send some.
class Socket final : public Wire {
 public:
  /// `datagram`: the largest that can be received, in bytes; a larger one is an error.
  static Result<std::unique_ptr<Wire>> open(std::size_t datagram);
  Socket(Fd fd, std::size_t datagram) : fd_(std::move(fd)), buffer_(datagram) {}

  Result<void> send(std::span<const std::byte> bytes) override;
  Result<std::span<const std::byte>> receive() override;

  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  std::vector<std::byte> buffer_;
};

/// A socket that never blocks, subscribed to these RTNLGRP_ groups. Its queue is a megabyte, or as
/// large as the system allows: a smaller one only loses messages sooner, and a loss is reported
/// (ENOBUFS). Error: probe_failed.
Result<Fd> subscribe(std::initializer_list<int> groups);

}  // namespace icelock::net::netlink
