// SPDX-License-Identifier: Apache-2.0
#include "net/netlink_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

namespace icelock::net::netlink {
namespace {

std::unexpected<Error> system_error(const char* what) {
  return fail(Code::probe_failed, std::string(what) + ": " + std::strerror(errno));
}

bool set(const Fd& fd, int level, int option, const auto& value) {
  return setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
}

}  // namespace

Datagram read_datagram(int socket, std::span<std::byte> buffer, int flags) {
  sockaddr_nl sender{};
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_name = &sender;
  message.msg_namelen = sizeof sender;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const ssize_t size = recvmsg(socket, &message, flags);
  return {size, message.msg_namelen == sizeof sender && sender.nl_pid == 0,
          (message.msg_flags & MSG_TRUNC) != 0};
}

Result<std::unique_ptr<Wire>> Socket::open(std::size_t datagram) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return system_error("opening a netlink socket");
  const int on = 1;
  const timeval second{1, 0};
  // Strict checking makes the kernel honour the filters of a dump; without it (before Linux 4.20)
  // it would send every route, which the bound on what is read turns into "too many": locked, not
  // wrong.
  set(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, on);
  set(fd, SOL_NETLINK, NETLINK_EXT_ACK, on);
  set(fd, SOL_NETLINK, NETLINK_CAP_ACK, on);
  if (!set(fd, SOL_SOCKET, SO_RCVTIMEO, second)) return system_error("setting a timeout");
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return system_error("binding a netlink socket");
  }
  return std::make_unique<Socket>(std::move(fd), datagram);
}

Result<void> Socket::send(std::span<const std::byte> bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const auto sent = sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                           reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  if (sent != static_cast<ssize_t>(bytes.size())) return system_error("asking the kernel");
  return {};
}

Result<std::span<const std::byte>> Socket::receive() {
  // Bounded, so that a flood from a privileged sender ends in an error and not in a hang.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const Datagram datagram = read_datagram(fd_.get(), buffer_, 0);
    if (datagram.size < 0 && errno == EINTR) continue;
    if (datagram.size < 0 && errno == EAGAIN) {
      return fail(Code::probe_failed, "the kernel gave no answer within a second");
    }
    if (datagram.size < 0) return system_error("reading from the kernel");
    if (!datagram.from_kernel) continue;
    if (datagram.cut) return fail(Code::probe_failed, "the kernel's message is too large");
    return std::span<const std::byte>(buffer_.data(), static_cast<std::size_t>(datagram.size));
  }
  return fail(Code::probe_failed, "another program floods the netlink socket");
}

Result<Fd> subscribe(std::initializer_list<int> groups) {
  // One connect is 10 to 21 messages; a full resync of a router's table can be tens of thousands.
  constexpr int queue_bytes = 1 << 20;
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return system_error("opening a netlink socket");
  // FORCE needs CAP_NET_ADMIN.
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, queue_bytes)) {
    set(fd, SOL_SOCKET, SO_RCVBUF, queue_bytes);
  }
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return system_error("binding a netlink socket");
  }
  for (const int group : groups) {
    if (!set(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)) {
      return system_error("subscribing to network changes");
    }
  }
  return fd;
}

}  // namespace icelock::net::netlink
