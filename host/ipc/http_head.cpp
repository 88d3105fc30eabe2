// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_head.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <optional>

namespace icelock::ipc {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t longest_request_line = 2048;
constexpr std::string_view digits = "0123456789";

constexpr std::array methods = {http::verb::get,     http::verb::head,    http::verb::post,
                                http::verb::put,     http::verb::delete_, http::verb::connect,
                                http::verb::options, http::verb::trace,   http::verb::patch};

std::string_view line_at(std::string_view text, std::size_t begin) {
  return text.substr(begin, text.find("\r\n", begin) - begin);
}

std::unexpected<Error> body_too_large(std::size_t most) {
  return fail(Code::too_large, "a body may have " + std::to_string(most) + " bytes",
              "Content-Length");
}

/// Takes what has an effect, and refuses what no client of icelock sends.
class Fields {
 public:
  explicit Fields(std::size_t most_body) : most_body_(most_body) {}

  Result<void> take(http::field field, std::string_view name, std::string_view value) {
    switch (field) {
      case http::field::origin:
      case http::field::referer:
        return fail(Code::not_permitted, "web pages may not ask", std::string(name));
      case http::field::host:
        if (std::exchange(host_, true) || (value != "icelock" && value != "localhost")) {
          return fail(Code::not_permitted, "neither icelock nor localhost", "Host");
        }
        return {};
      case http::field::content_length:
        return take_length(value);
      case http::field::transfer_encoding:
      case http::field::content_encoding:
        return fail(Code::bad_request, "not understood; send Content-Length", std::string(name));
      case http::field::expect:
        expects_continue_ = boost::beast::iequals(value, "100-continue");
        return {};
      default:
        return {};
    }
  }

  Result<HttpHead> head(std::string method, std::string target) const {
    if (!host_) return fail(Code::not_permitted, "missing", "Host");
    return HttpHead{std::move(method), std::move(target), length_.value_or(0), expects_continue_};
  }

 private:
  // Beast would take a list of equal lengths, and the same length twice.
  Result<void> take_length(std::string_view value) {
    if (length_) return fail(Code::bad_request, "given twice", "Content-Length");
    if (value.find_first_not_of(digits) != std::string_view::npos) {
      return fail(Code::bad_request, "not a number", "Content-Length");
    }
    std::from_chars(value.data(), value.data() + value.size(), length_.emplace());
    if (*length_ > most_body_) return body_too_large(most_body_);
    return {};
  }

  std::size_t most_body_;
  bool host_ = false;
  std::optional<std::size_t> length_;
  bool expects_continue_ = false;
};

}  // namespace

Result<HttpHead> parse_http_head(std::string_view head, std::size_t most_body) {
  if (line_at(head, 0).size() > longest_request_line) {
    return fail(Code::too_large, "a request line may have 2048 bytes");
  }
  // Beast unfolds a line that goes on in the next (RFC 9112 section 5.2).
  if (head.contains("\r\n ") || head.contains("\r\n\t")) {
    return fail(Code::bad_request, "a folded header line");
  }
  http::request_parser<http::empty_body> parser;
  parser.header_limit(most_head);
  parser.body_limit(boost::none);
  boost::system::error_code problem;
  const std::size_t read = parser.put({head.data(), head.size()}, problem);
  if (problem == http::error::bad_content_length) {
    // Beast's number has 64 bits. What it read ends before the line that it does not understand.
    const auto line = line_at(head, read);
    const auto length = line.substr(std::min(line.find(':') + 1, line.size()));
    const bool number = length.find_first_not_of(" 0123456789") == std::string_view::npos;
    if (number && length.size() > 19) return body_too_large(most_body);
  }
  if (problem || !parser.is_header_done() || read != head.size()) {
    return fail(Code::bad_request, "not understood as HTTP/1.1: " + problem.message());
  }
  const auto& request = parser.get();
  if (std::ranges::find(methods, request.method()) == methods.end()) {
    return fail(Code::bad_request, "no such method");
  }
  Fields fields(most_body);
  for (const auto& field : request) {
    TRY(fields.take(field.name(), field.name_string(), field.value()));
  }
  return fields.head(request.method_string(), request.target());
}

}  // namespace icelock::ipc
