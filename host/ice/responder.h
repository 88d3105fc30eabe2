// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "net/ip.h"

namespace icelock::ice {

/// A STUN server (RFC 8489, binding requests only) on one of this machine's own addresses. A packet
/// to such an address never leaves the machine, and comes from that same address when the sender's
/// socket is bound to none: so one on the address that a default route uses sees of a browser what
/// a server outside would see before NAT. For a poll loop of one thread.
class Responder {
 public:
  /// Errors: unavailable when nothing can be bound there, or what is sent there does not arrive (a
  /// packet filter): its silence would be taken for a browser's. Blocks for half a second at most.
  static Result<Responder> open(const net::Ip& address);

  int fd() const { return socket_.get(); }
  /// "stun:192.0.2.1:40000"
  const std::string& url() const { return url_; }
  /// Answers what has arrived. Whatever is no binding request is dropped.
  void handle();

 private:
  Responder(Fd socket, std::string url) : socket_(std::move(socket)), url_(std::move(url)) {}

  Fd socket_;
  std::string url_;
};

}  // namespace icelock::ice
