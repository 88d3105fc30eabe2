// SPDX-License-Identifier: Apache-2.0
#include "ipc/frame_codec.h"

#include <utility>

namespace icelock::ipc {
namespace {

// No answer of ours comes near the limit; one that did must not look like none.
std::string framed(const std::string& payload, const Json& id) {
  const auto frame = encode_frame(payload, service_send_limit);
  return frame ? *frame : encode_frame(failure(id, frame.error())).value();
}

}  // namespace

Result<std::optional<Codec::Asked>> FrameCodec::next(std::string&) {
  id_ = nullptr;
  const auto payload = TRY(decoder_.next());
  if (!payload) return std::nullopt;
  auto request = parse_request(*payload);
  if (!request) {
    id_ = request.error().id;
    return Asked{.arguments = std::unexpected(request.error().error)};
  }
  id_ = request->id;
  const Operation* operation = find_operation(request->op);
  if (operation != nullptr) return Asked{operation, std::move(request->body)};
  return Asked{.arguments = fail(Code::unknown_op, "no such operation", request->op.substr(0, 64))};
}

std::optional<Error> FrameCodec::unfinished() const {
  if (decoder_.at_boundary()) return std::nullopt;
  return Error{Code::bad_frame, "the input ended inside a frame", ""};
}

std::string FrameCodec::answer(const Result<Json>& result) {
  return framed(result ? success(id_, *result) : failure(id_, result.error()), id_);
}

std::string FrameCodec::event(std::string_view name, const Json& content) const {
  return framed(push(name, content), nullptr);
}

}  // namespace icelock::ipc
