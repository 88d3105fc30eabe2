// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ipc/codec.h"

/// Feeds a codec as the service does, and answers each request with its own arguments. The first
/// byte says how the rest is cut into portions, as a pipe would. What it says is given to `look`.
template <class Look>
void feed_in_portions(icelock::ipc::Codec& codec, bool one_request, const std::uint8_t* data,
                      std::size_t size, Look look) {
  using namespace icelock::ipc;
  if (size == 0) return;
  const std::size_t portion = 1U + data[0] % 16U;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (!input.empty()) {
    codec.feed(input.substr(0, portion));
    input.remove_prefix(std::min(portion, input.size()));
    for (;;) {
      std::string reply;
      const auto asked = codec.next(reply);
      if (!asked) return look(codec.answer(std::unexpected(asked.error())));
      if (!*asked) break;
      const icelock::Result<Json>& arguments = (*asked)->arguments;
      if (arguments && ((*asked)->operation == nullptr || !arguments->is_object())) std::abort();
      icelock::Result<Json> answer = arguments;
      if (answer) (*answer)["text"] = "";  // what the answer to `metrics` has
      look(codec.answer(answer));
      if (one_request) return;
    }
  }
  if (const auto error = codec.unfinished()) look(codec.answer(std::unexpected(*error)));
}
