// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/fd.h"
#include "ipc/http_head.h"
#include "ipc/http_server.h"
#include "ipc/peer.h"

namespace icelock::ipc {

/// One connection of the HTTP door, and the only one that touches its socket. A request and an
/// answer each have one absolute deadline, which a client that sends one byte a second meets, too.
/// For one thread. Never throws but for want of memory.
class HttpConnection {
 public:
  /// `stop`: becomes readable, and stays so, when every wait is to end at once; borrowed.
  HttpConnection(Fd socket, Peer peer, int stop, const HttpLimits& limits);

  const Peer& peer() const { return peer_; }

  /// Reads as far as the empty line. None: the client went away without a word, or everything
  /// stops. Errors: those of parse_http_head, too_large above limits.head, timeout, bad_request
  /// when the input ends early.
  Result<std::optional<HttpHead>> receive_head();
  /// Reads the body of that head, and asks for it where the client waits to be asked (RFC 9110
  /// section 10.1.1). Errors: timeout; bad_request when the input ends early.
  Result<std::string> receive_body(const HttpHead& head);

  /// The next write begins an answer, or an event, with a deadline of its own.
  void begin_answer() { write_until_.reset(); }
  /// False: the client went away, did not read in time, or everything stops; then the connection is
  /// of no use any more.
  bool send(std::string_view bytes);

  enum class Wake { rung, quiet, gone };
  /// Waits until `bell` is readable, or for `patience`, or until the client closed its side or
  /// everything stops. A client that only ended its own sending is still there.
  Wake wait_for(int bell, std::chrono::milliseconds patience);

  /// Whether the client closed its side, now.
  bool left() const;

  /// Throws away what the client still sends, for a short while: a socket that is closed over
  /// unread bytes resets the connection, and the client may lose the refusal (RFC 9112
  /// section 9.6).
  void drain();

 private:
  using Clock = std::chrono::steady_clock;

  bool wait(short events, Clock::time_point until);
  ssize_t receive(char* bytes, size_t size);

  Fd socket_;
  Peer peer_;
  int stop_;
  const HttpLimits& limits_;
  Clock::time_point read_until_;
  std::optional<Clock::time_point> write_until_;
  std::string early_;  ///< what came of the body with the head
  bool timed_out_ = false;
  bool broken_ = false;
};

}  // namespace icelock::ipc
