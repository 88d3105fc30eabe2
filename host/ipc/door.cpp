// SPDX-License-Identifier: Apache-2.0
#include "ipc/door.h"

#include <utility>

#include "ipc/frame_codec.h"
#include "ipc/http_codec.h"

namespace icelock::ipc {
namespace {

template <class Kind>
std::unique_ptr<Codec> make(std::uint32_t most_request) {
  return std::make_unique<Kind>(most_request);
}

}  // namespace

Door frames_door(Fd listening) {
  return {std::move(listening), make<FrameCodec>, false, {}};
}

Door http_door(Fd listening) {
  Limits limits;
  limits.clients = 112;
  limits.clients_of_one_user = 20;
  limits.requests_of_one_user = 20;
  // Longer than any disk should take, shorter than a client's patience.
  limits.answer = std::chrono::seconds(30);
  return {std::move(listening), make<HttpCodec>, true, limits};
}

}  // namespace icelock::ipc
