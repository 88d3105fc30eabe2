// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ipc/message.h"
#include "ipc/operations.h"

namespace icelock::ipc {

/// What one connection of a door says, as bytes: requests from them, answers and events to them. It
/// knows no socket and no clock. A connection has one request under way, so after a request that
/// next() gave, answer() comes before next() again.
class Codec {
 public:
  struct Asked {
    const Operation* operation = nullptr;
    Result<Json> arguments;  ///< an object; or why this request cannot be served, and others can
  };

  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;

  /// Adds bytes as they came, in any portions.
  virtual void feed(std::string_view bytes) = 0;
  /// The next whole request, or nullopt when more bytes are needed; `reply` is then what the client
  /// waits for before it sends them, once. An error: the bytes cannot be followed any further.
  virtual Result<std::optional<Asked>> next(std::string& reply) = 0;
  /// While bytes are there that next() did not use up: what is wrong when no more come.
  virtual std::optional<Error> unfinished() const = 0;

  /// For the request that next() gave; or, an error, for whatever the client would have asked.
  virtual std::string answer(const Result<Json>& result) = 0;
  /// What the client subscribed to. The same for all connections of a door.
  virtual std::string event(std::string_view name, const Json& content) const = 0;
  /// Shows a subscriber that the connection lives.
  virtual std::string heartbeat() const { return {}; }
};

}  // namespace icelock::ipc
