// SPDX-License-Identifier: Apache-2.0
#include "codec_fuzz.h"
#include "ipc/frame_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icelock::ipc;
  FrameCodec codec(4096);
  feed_in_portions(codec, false, data, size, [](const std::string& answer) {
    FrameDecoder frames(service_send_limit);
    frames.feed(answer);
    const auto payload = frames.next();
    if (!payload || !*payload || !Json::accept(**payload) || !frames.at_boundary()) std::abort();
  });
  return 0;
}
