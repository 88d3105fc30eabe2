// SPDX-License-Identifier: Apache-2.0
#include "ipc/frame.h"

#include <cstring>

namespace icelock::ipc {
namespace {
constexpr std::size_t header_size = sizeof(std::uint32_t);
}

void FrameDecoder::feed(std::string_view bytes) {
  buffer_.erase(0, taken_);
  taken_ = 0;
  buffer_ += bytes;
}

Result<std::optional<std::string>> FrameDecoder::next() {
  const std::string_view rest = std::string_view(buffer_).substr(taken_);
  if (rest.size() < header_size) return std::nullopt;
  std::uint32_t length = 0;
  std::memcpy(&length, rest.data(), header_size);
  if (length > limit_) return fail(Code::too_large, "frame is too large", std::to_string(length));
  if (rest.size() - header_size < length) return std::nullopt;
  taken_ += header_size + length;
  return std::string(rest.substr(header_size, length));
}

Result<std::string> encode_frame(std::string_view payload, std::uint32_t limit) {
  if (payload.size() > limit) {
    return fail(Code::too_large, "frame is too large", std::to_string(payload.size()));
  }
  const auto length = static_cast<std::uint32_t>(payload.size());
  std::string frame(header_size, '\0');
  std::memcpy(frame.data(), &length, header_size);
  frame += payload;
  return frame;
}

}  // namespace icelock::ipc
