// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/netlink_message.h"

namespace icelock::net::netlink {

/// A way to the kernel, one datagram at a time: a socket in the programs, recorded or built replies
/// in tests.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual Result<void> send(std::span<const std::byte> bytes) = 0;
  /// The next datagram from the kernel and no one else, aligned as nlmsghdr wants; valid until the
  /// next call. Waits 1 s at most. Errors: probe_failed.
  virtual Result<std::span<const std::byte>> receive() = 0;
};

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

/// Questions and lists over a wire. After an error the wire may hold late replies: throw it away.
class Talk {
 public:
  explicit Talk(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}

  enum class End { whole, interrupted, cut };
  using Each = std::function<Read(const nlmsghdr&)>;

  /// Sends a dump request and hands over each message of the list. `interrupted`: the kernel
  /// changed the list meanwhile (NLM_F_DUMP_INTR). `cut`: `each` had enough; the rest is still on
  /// its way, so the wire is of no further use. `what` is the step in words, for errors.
  Result<End> dump(Request request, const std::string& what, const Each& each);

  /// A whole list; an interrupted one is read again, and one that stays so is an error, never a
  /// short list.
  template <class Value>
  Result<std::vector<Value>> list(const Request& request, const std::string& what,
                                  Read (*read)(const nlmsghdr&, Value&)) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      std::vector<Value> values;
      const End end = TRY(dump(request, what, [&](const nlmsghdr& message) {
        Value value;
        const Read result = read(message, value);
        if (result == Read::ok) values.push_back(std::move(value));
        return result;
      }));
      if (end == End::whole) return values;
    }
    return fail(Code::probe_failed, what + ": the list kept changing while it was read");
  }

  /// Sends all route questions and returns the answers in their order. A single question that the
  /// kernel refuses is an answer, not an error.
  Result<std::vector<Answer>> ask(std::span<const Question> questions);

 private:
  Result<void> ask_some(std::span<const Question> questions, std::vector<Answer>& answers);

  std::unique_ptr<Wire> wire_;
  std::uint32_t sequence_ = 0;
};

}  // namespace icelock::net::netlink
