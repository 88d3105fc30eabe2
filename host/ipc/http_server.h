// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "ipc/frame.h"
#include "ipc/message.h"
#include "ipc/operations.h"
#include "ipc/peer.h"

namespace icelock::ipc {

/// What one client, and all of them, may cost. Root is not counted where it says "per uid"; all
/// whom the kernel cannot name count as one.
struct HttpLimits {
  std::size_t head = 16'384;        ///< request line and header, in bytes
  std::size_t body = accept_limit;  ///< in bytes
  std::size_t body_of_root = root_accept_limit;
  std::chrono::milliseconds read{5000};   ///< for a whole request
  std::chrono::milliseconds write{5000};  ///< for a whole answer, or one event
  std::chrono::milliseconds heartbeat{15000};
  std::size_t streams = 32;  ///< event streams at once
  std::size_t streams_per_uid = 16;
  std::size_t connections_per_uid = 20;  ///< served or waiting
  std::size_t request_threads = 16;      ///< besides one thread for each stream
  std::size_t waiting = 64;              ///< connections without a thread
};

/// The HTTP/1.x door of the daemon on a Unix socket (RFC 9110, RFC 9112). It translates and keeps
/// clients from costing much; what a caller may do is decided by the handler.
///
/// - A request is one row of operations() with its method and path, exactly: no query, no other
///   spelling. Anything else, a known path with another method and HEAD too, is unknown_op (404).
///   The body is a JSON object, or empty for {}; a GET has none.
/// - One request per connection; every answer says `Connection: close`.
/// - What is refused here is answered with failure(error) and the error's HTTP status: a bad
///   request with the errors of parse_http_head (http_head.h) and parse_json, a slow one with
///   timeout, too many streams or connections with busy. Each is reported to Refused.
/// - `subscribe` is a stream of server-sent events (WHATWG HTML, section 9.2) instead of an answer:
///   at once `event: state` with what the handler answers to `status`, another after
///   state_changed() (calls are merged: each event is the state when it was sent), and a comment
///   line after each `heartbeat` without one. It ends when the handler answers anything but 200.
///
/// Threads: one that accepts, and one per connection, up to streams + request_threads, started when
/// first needed and kept. They take no signals.
class HttpServer {
 public:
  /// With a status from 400 up there must be a body.
  struct Reply {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
  };
  /// Whether the client hung up, so that nobody would hear the answer.
  using Left = std::function<bool()>;
  /// Called on the server's threads, several at once. May block; must return in bounded time, also
  /// while the server is being destroyed. What it throws is answered with `internal`.
  using Handler = std::function<Reply(const Peer& peer, const Operation& operation,
                                      const Json& arguments, const Left& left)>;
  /// For the daemon's log. Called on any of the server's threads; must not throw. A client can
  /// cause as many calls as it likes.
  using Refused = std::function<void(const Peer& peer, const Error& error)>;

  /// Serves on a Unix stream socket that already listens, made by us or by systemd. It is made
  /// non-blocking, and only closed at the end, never shut down, so that systemd can go on
  /// listening. Errors: bad_request (another kind of socket), io (no thread or descriptor).
  static Result<std::unique_ptr<HttpServer>> start(Fd listening, Handler handler, Refused refused,
                                                   const HttpLimits& limits = {});

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  /// Closes all connections and waits for its threads: as long as a running handler takes.
  ~HttpServer();

  /// Wakes the event streams. From any thread; does not wait for anybody.
  void state_changed();

 private:
  class Implementation;
  explicit HttpServer(std::unique_ptr<Implementation> implementation);

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace icelock::ipc
