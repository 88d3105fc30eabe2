// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "ipc/frame.h"
#include "ipc/message.h"

namespace icelock::ipc {

/// A connection to the frames door of icelockd. One thread.
class FrameClient {
 public:
  /// Errors: unavailable when nobody listens there, unknown_caller when whoever does is neither
  /// root nor ourselves (a service that anybody else could pose as is none), busy when it takes no
  /// more connections, io.
  static Result<FrameClient> connect(const std::filesystem::path& socket);

  /// Readable when receive() has something to say; it may also have after a call().
  int fd() const { return socket_.get(); }

  /// Waits 2 s at most for the other end to take it; a frame that it took half of ends the
  /// connection. Errors: io, timeout, too_large.
  Result<void> send(std::string_view payload);

  /// The same without waiting: what the other end does not take now is kept, 256 KiB at most, and
  /// goes with the next post() or flush(). Errors: io, timeout, too_large; then the connection is
  /// of no use any more.
  Result<void> post(std::string_view payload);
  Result<void> flush();
  bool has_unsent() const { return !unsent_.empty(); }

  /// The payloads that came, without waiting. Error io: the service is gone.
  Result<std::vector<std::string>> receive();

  /// Sends a request and waits for its answer; pushes before it are dropped, those after it are
  /// receive()'s. The answer's object without the envelope, or the error that it carries. Errors
  /// besides: io, timeout, internal for an answer that makes no sense.
  Result<Json> call(std::string_view op, Json arguments, std::chrono::milliseconds limit);

 private:
  explicit FrameClient(Fd socket) : socket_(std::move(socket)), decoder_(service_send_limit) {}

  Fd socket_;
  FrameDecoder decoder_;
  std::string unsent_;
  std::int64_t last_id_ = 0;        ///< of a call()
  std::vector<std::string> later_;  ///< what came with the answer to a call()
};

/// The error of a failure envelope; internal when it names no code that we know.
Error error_of(const Json& answer);

}  // namespace icelock::ipc
