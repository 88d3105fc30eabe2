// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ipc/codec.h"
#include "ipc/frame.h"

namespace icelock::ipc {

/// Frames with the envelope of docs/protocol.md. Only a frame above the limit ends a connection.
class FrameCodec : public Codec {
 public:
  explicit FrameCodec(std::uint32_t most_request) : decoder_(most_request) {}

  void feed(std::string_view bytes) override { decoder_.feed(bytes); }
  Result<std::optional<Asked>> next(std::string& reply) override;
  std::optional<Error> unfinished() const override;
  std::string answer(const Result<Json>& result) override;
  std::string event(std::string_view name, const Json& content) const override;

 private:
  FrameDecoder decoder_;
  Json id_;  ///< of the request that is under way
};

}  // namespace icelock::ipc
