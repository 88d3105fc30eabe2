// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>

#include "ipc/frame.h"
#include "ipc/message.h"

// The first byte says how the rest is cut into portions, as a pipe would.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace icelock::ipc;
  if (size == 0) return 0;
  const std::size_t portion = 1U + data[0] % 16U;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  FrameDecoder decoder(4096);
  while (!input.empty()) {
    decoder.feed(input.substr(0, portion));
    input.remove_prefix(std::min(portion, input.size()));
    for (;;) {
      const auto payload = decoder.next();
      if (!payload) return 0;
      if (!*payload) break;
      const auto request = parse_request(**payload);
      const std::string answer = request ? success(request->id, request->body)
                                         : failure(request.error().id, request.error().error);
      if (!Json::accept(answer)) std::abort();
    }
  }
  return 0;
}
