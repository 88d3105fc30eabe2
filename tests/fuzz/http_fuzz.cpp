// SPDX-License-Identifier: Apache-2.0
#include "codec_fuzz.h"
#include "ipc/http_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  icelock::ipc::HttpCodec codec(4096);
  feed_in_portions(codec, true, data, size, [](const std::string& answer) {
    if (!answer.starts_with("HTTP/1.1 ") || !answer.contains("\r\n\r\n")) std::abort();
  });
  return 0;
}
