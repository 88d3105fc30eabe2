// SPDX-License-Identifier: Apache-2.0
#include "net/netlink_talk.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace icelock::net::netlink {
namespace {

std::unexpected<Error> not_understood(const std::string& what) {
  return fail(Code::probe_failed, what + ": the kernel's reply could not be understood");
}

std::unexpected<Error> refused(const std::string& what, int error_number = errno) {
  return fail(Code::probe_failed, what + ": " + std::strerror(error_number));
}

bool set(const Fd& fd, int level, int option, const auto& value) {
  return setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
}

Result<Fd> open_socket(int flags) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
  if (!fd) return refused("opening a netlink socket");
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return refused("binding a netlink socket");
  }
  return fd;
}

/// What one dump has come to.
struct Progress {
  std::optional<Talk::End> end;
  bool interrupted = false;
  bool malformed = false;
  int error_number = 0;

  /// False when there is nothing more to read in this datagram.
  bool take(const nlmsghdr& message, const Talk::Each& each) {
    interrupted = interrupted || (message.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (message.nlmsg_type == NLMSG_DONE || message.nlmsg_type == NLMSG_ERROR) {
      const auto code = read_errno(message);
      malformed = !code || (message.nlmsg_type == NLMSG_ERROR && *code == 0);
      error_number = code.value_or(0);
      end = interrupted ? Talk::End::interrupted : Talk::End::whole;
      return false;
    }
    malformed = message.nlmsg_type == NLMSG_OVERRUN;
    if (message.nlmsg_type < NLMSG_MIN_TYPE) return !malformed;
    const Read result = each(message);
    malformed = result == Read::malformed;
    if (result == Read::enough) end = Talk::End::cut;
    return !malformed && !end;
  }
};

}  // namespace

Result<std::unique_ptr<Wire>> Socket::open(std::size_t datagram) {
  auto fd = TRY(open_socket(0));
  const int on = 1;
  const timeval second{1, 0};
  // Strict checking makes the kernel honour the filters of a dump; without it (before Linux 4.20)
  // it would send every route, which the bound on what is read turns into "too many": locked, not
  // wrong.
  set(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, on);
  set(fd, SOL_NETLINK, NETLINK_EXT_ACK, on);
  set(fd, SOL_NETLINK, NETLINK_CAP_ACK, on);
  if (!set(fd, SOL_SOCKET, SO_RCVTIMEO, second)) return refused("setting a timeout");
  return std::make_unique<Socket>(std::move(fd), datagram);
}

Result<void> Socket::send(std::span<const std::byte> bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const auto sent = sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                           reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  if (sent != static_cast<ssize_t>(bytes.size())) return refused("asking the kernel");
  return {};
}

Result<std::span<const std::byte>> Socket::receive() {
  // Bounded, so that a flood from a privileged sender ends in an error and not in a hang.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    sockaddr_nl sender{};
    iovec part{buffer_.data(), buffer_.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t size = recvmsg(fd_.get(), &message, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      return fail(Code::probe_failed, "the kernel gave no answer within a second");
    }
    if (size < 0) return refused("reading from the kernel");
    if (message.msg_namelen != sizeof sender || sender.nl_pid != 0) continue;
    if ((message.msg_flags & MSG_TRUNC) != 0) {
      return fail(Code::probe_failed, "the kernel's message is too large");
    }
    return std::span<const std::byte>(buffer_.data(), static_cast<std::size_t>(size));
  }
  return fail(Code::probe_failed, "another program floods the netlink socket");
}

Result<Fd> subscribe(std::initializer_list<int> groups) {
  // One connect is 10 to 21 messages; a full resync of a router's table can be tens of thousands.
  constexpr int queue_bytes = 1 << 20;
  auto fd = TRY(open_socket(SOCK_NONBLOCK));
  // FORCE needs CAP_NET_ADMIN.
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, queue_bytes)) {
    set(fd, SOL_SOCKET, SO_RCVBUF, queue_bytes);
  }
  for (const int group : groups) {
    if (!set(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)) {
      return refused("subscribing to network changes");
    }
  }
  return fd;
}

Result<Talk::End> Talk::dump(Request request, const std::string& what, const Each& each) {
  const std::uint32_t sequence = ++sequence_;
  request.header()->nlmsg_seq = sequence;
  TRY(wire_->send(request.bytes()));
  Progress progress;
  while (!progress.end) {
    const auto datagram = TRY(wire_->receive());
    const bool whole = for_each_message(datagram, [&](const nlmsghdr& message) {
      return message.nlmsg_seq != sequence || progress.take(message, each);
    });
    if (!whole || progress.malformed) return not_understood(what);
    if (progress.error_number != 0) return refused(what, progress.error_number);
  }
  return *progress.end;
}

Result<std::vector<Answer>> Talk::ask(std::span<const Question> questions) {
  // So many replies fit into a socket's queue while nobody reads it.
  constexpr std::size_t at_once = 64;
  std::vector<Answer> answers;
  while (!questions.empty()) {
    const std::size_t count = std::min(at_once, questions.size());
    TRY(ask_some(questions.first(count), answers));
    questions = questions.subspan(count);
  }
  return answers;
}

Result<void> Talk::ask_some(std::span<const Question> questions, std::vector<Answer>& answers) {
  std::vector<std::byte> bytes;
  const std::uint32_t first = sequence_ + 1;
  for (const Question& question : questions) {
    Request request = route_question(question);
    request.header()->nlmsg_seq = ++sequence_;
    bytes.insert(bytes.end(), request.bytes().begin(), request.bytes().end());
  }
  TRY(wire_->send(bytes));

  std::vector<std::optional<Answer>> received(questions.size());
  for (std::size_t missing = received.size(); missing > 0;) {
    const auto datagram = TRY(wire_->receive());
    const bool whole = for_each_message(datagram, [&](const nlmsghdr& message) {
      const std::uint32_t at = message.nlmsg_seq - first;
      if (at >= received.size() || received[at]) return true;
      received[at] = read_answer(message, questions[at].destination);
      --missing;
      return true;
    });
    if (!whole) return not_understood("asking for routes");
  }
  for (const auto& answer : received) answers.push_back(*answer);
  return {};
}

}  // namespace icelock::net::netlink
