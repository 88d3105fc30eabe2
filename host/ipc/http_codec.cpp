// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_codec.h"

#include <algorithm>
#include <utility>

namespace icelock::ipc {
namespace {

constexpr std::string_view end_of_head = "\r\n\r\n";

// There is one spelling for each thing: nothing is decoded, and a query is part of the name.
Result<const Operation*> operation_of(const HttpHead& head) {
  const auto row = std::ranges::find_if(operations(), [&](const Operation& one) {
    return one.method == head.method && one.path == head.target && !one.path.empty();
  });
  if (row == operations().end()) return fail(Code::unknown_op, "no such operation");
  if (head.method == "GET" && head.content_length > 0) {
    return fail(Code::bad_request, "a GET has no body", "Content-Length");
  }
  return &*row;
}

Result<Json> arguments_of(std::string_view body) {
  if (body.empty()) return Json::object();
  auto json = TRY(parse_json(body));
  if (!json.is_object()) return fail(Code::bad_request, "a body is an object");
  return json;
}

// RFC 9112 section 4: the reason may be empty.
std::string head_text(int status, std::string_view content_type) {
  return "HTTP/1.1 " + std::to_string(status) + " \r\nContent-Type: " + std::string(content_type) +
         "\r\nCache-Control: no-store\r\nConnection: close\r\n";
}

std::string answer_text(int status, std::string_view content_type, std::string_view body) {
  return head_text(status, content_type) + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

}  // namespace

Result<bool> HttpCodec::take_head() {
  const auto end = input_.find(end_of_head);
  if (end == std::string::npos && input_.size() < most_head) return false;
  if (end == std::string::npos || end + end_of_head.size() > most_head) {
    return fail(Code::too_large, "a header may have " + std::to_string(most_head) + " bytes");
  }
  const auto size = end + end_of_head.size();
  auto head = TRY(parse_http_head(std::string_view(input_).substr(0, size), most_body_));
  head_ = std::move(head);
  const Operation* operation = TRY(operation_of(head_));
  operation_ = operation;
  input_.erase(0, size);
  return true;
}

Result<std::optional<Codec::Asked>> HttpCodec::next(std::string& reply) {
  if (operation_ == nullptr) {
    const bool whole = TRY(take_head());
    if (!whole) return std::nullopt;
  }
  if (input_.size() < head_.content_length) {
    // RFC 9110 section 10.1.1.
    if (std::exchange(head_.expects_continue, false)) reply = "HTTP/1.1 100 Continue\r\n\r\n";
    return std::nullopt;
  }
  const std::string input = std::exchange(input_, {});
  auto arguments = TRY(arguments_of(std::string_view(input).substr(0, head_.content_length)));
  return Asked{operation_, std::move(arguments)};
}

std::optional<Error> HttpCodec::unfinished() const {
  if (input_.empty() && operation_ == nullptr) return std::nullopt;
  return Error{Code::bad_request, "the request ends before it is whole", ""};
}

std::string HttpCodec::answer(const Result<Json>& result) {
  constexpr std::string_view json_type = "application/json";
  if (!result) {
    auto text = answer_text(info(result.error().code).http_status, json_type,
                            failure(nullptr, result.error()));
    // RFC 9110 section 9.3.2.
    if (head_.method == "HEAD") text.resize(text.find(end_of_head) + end_of_head.size());
    return text;
  }
  if (operation_->name == "subscribe") {
    return head_text(200, "text/event-stream") + "\r\n" + event("state", *result);
  }
  if (operation_->name == "metrics") {
    return answer_text(200, "text/plain; version=0.0.4; charset=utf-8",
                       result->at("text").get_ref<const std::string&>());
  }
  return answer_text(200, json_type, success(nullptr, *result));
}

// JSON as text_of() writes it has no end of line in it, so it is one line of the event.
std::string HttpCodec::event(std::string_view name, const Json& content) const {
  return "event: " + std::string(name) + "\ndata: " + success(nullptr, content) + "\n\n";
}

}  // namespace icelock::ipc
