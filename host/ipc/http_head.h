// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace icelock::ipc {

inline constexpr std::size_t most_head = 16'384;  ///< request line and header, in bytes

/// What icelock takes from an HTTP request before its body. No client of icelock needs more
/// (ranges, compression, forms), so nothing else has an effect.
struct HttpHead {
  std::string method;  ///< one that RFC 9110 section 9 or RFC 5789 defines
  std::string target;  ///< as it was sent, nothing decoded
  std::size_t content_length = 0;
  bool expects_continue = false;
};

/// Reads request line and fields, up to and with the empty line, as RFC 9112 section 2 to 6 has
/// them, but strictly: nothing is repaired. Pure; never throws but for want of memory. Errors:
/// - bad_request: a line that is none, a request line of another version than HTTP/1.0 or HTTP/1.1,
///   an unknown method, a bare CR or LF, a folded line, a repeated or wrong Content-Length, any
///   Transfer-Encoding (section 6.1 lets a server insist on a length) or Content-Encoding; more
///   than most_head, which the caller does not let come so far.
/// - too_large: a request line above 2048 bytes, a body above `most_body`.
/// - not_permitted: Origin or Referer, whatever their value: a browser sent this, on behalf of a
///   page. Host missing, repeated, or neither "icelock" nor "localhost": the same, by way of a
///   name that was pointed here.
Result<HttpHead> parse_http_head(std::string_view head, std::size_t most_body);

}  // namespace icelock::ipc
