// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace icelock::ipc {

inline constexpr std::uint32_t accept_limit = 64 * 1024;  ///< largest frame that we take
/// The same from root on the service's own door: a policy document may be this large.
inline constexpr std::uint32_t root_accept_limit = 4 * 1024 * 1024;
/// Largest frame that browsers take: Chromium kMaximumNativeMessageSize, Firefox MAX_READ.
inline constexpr std::uint32_t send_limit = 1024 * 1024;
/// Largest frame that the service sends through its own door, where no browser listens.
inline constexpr std::uint32_t service_send_limit = 64 * 1024 * 1024;

/// Incremental reader of native-messaging frames: a 32-bit length in native byte order, then the
/// payload. Pure; holds at most one frame header plus `limit` bytes beyond what was fed in one
/// call.
class FrameDecoder {
 public:
  explicit FrameDecoder(std::uint32_t limit = accept_limit) : limit_(limit) {}

  /// Adds bytes as they came from the pipe, in any portions.
  void feed(std::string_view bytes);

  /// The next whole payload, or nullopt when more bytes are needed. Error too_large: the length is
  /// above the limit; the stream cannot be followed from there, every later call gives the same
  /// error.
  Result<std::optional<std::string>> next();

  /// True when the input may end here; false inside a frame.
  bool at_boundary() const { return buffer_.size() == taken_; }

 private:
  std::uint32_t limit_;
  std::string buffer_;
  std::size_t taken_ = 0;
};

/// The frame for a payload. Error too_large above `limit`.
Result<std::string> encode_frame(std::string_view payload, std::uint32_t limit = send_limit);

}  // namespace icelock::ipc
