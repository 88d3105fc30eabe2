// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ipc/codec.h"
#include "ipc/http_head.h"

namespace icelock::ipc {

/// HTTP/1.x (RFC 9110, RFC 9112), one request for each connection: what comes after it is ignored,
/// and every answer says `Connection: close`.
///
/// - A request is one row of operations() with its method and path, exactly: no query, no other
///   spelling. Anything else, a known path with another method and HEAD too, is unknown_op (404).
///   The body is a JSON object, or empty for {}; a GET has none.
/// - An answer is the envelope of docs/protocol.md with the HTTP status of its code; that of
///   `metrics` is its text.
/// - The answer to `subscribe` is the beginning of a stream of server-sent events (WHATWG HTML,
///   section 9.2), without an end: each is what `status` answers.
/// - Errors: those of parse_http_head and parse_json, too_large for a head above most_head,
///   bad_request.
class HttpCodec : public Codec {
 public:
  explicit HttpCodec(std::uint32_t most_body) : most_body_(most_body) {}

  void feed(std::string_view bytes) override { input_ += bytes; }
  Result<std::optional<Asked>> next(std::string& reply) override;
  std::optional<Error> unfinished() const override;
  std::string answer(const Result<Json>& result) override;
  std::string event(std::string_view name, const Json& content) const override;
  std::string heartbeat() const override { return ":\n\n"; }

 private:
  Result<bool> take_head();

  std::size_t most_body_;
  std::string input_;  ///< what is not taken yet
  HttpHead head_;
  const Operation* operation_ = nullptr;  ///< once the head is taken
};

}  // namespace icelock::ipc
