// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace icelock::ipc {
namespace {

constexpr std::size_t longest_request_line = 2048;
constexpr std::string_view line_end = "\r\n";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

// RFC 9110 section 5.6.2.
constexpr std::string_view marks = "!#$%&'*+-.^_`|~";

bool is_token(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || marks.contains(c);
  });
}

std::string_view trimmed(std::string_view value) {
  constexpr std::string_view blank = " \t";
  const auto first = value.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return value.substr(first, value.find_last_not_of(blank) - first + 1);
}

// A number of digits and nothing else; one too long for the type is above every limit.
Result<std::size_t> length_of(std::string_view value, std::size_t most) {
  const bool digits =
      !value.empty() && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return fail(Code::bad_request, "not a number", "Content-Length");
  std::size_t length = 0;
  const auto read = std::from_chars(value.data(), value.data() + value.size(), length);
  if (read.ec != std::errc() || length > most) {
    return fail(Code::too_large, "a body may have " + std::to_string(most) + " bytes",
                "Content-Length");
  }
  return length;
}

class Fields {
 public:
  explicit Fields(std::size_t most_body) : most_body_(most_body) {}

  Result<void> take(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      return fail(Code::bad_request, "a header line that is none");
    }
    return take(line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }

  Result<HttpHead> head(HttpHead begun) const {
    if (!host_) return fail(Code::not_permitted, "missing", "Host");
    begun.content_length = length_.value_or(0);
    begun.expects_continue = expects_continue_;
    return begun;
  }

 private:
  Result<void> take(std::string_view name, std::string_view value) {
    if (same(name, "Origin") || same(name, "Referer")) {
      return fail(Code::not_permitted, "web pages may not ask", std::string(name));
    }
    if (same(name, "Host")) {
      if (host_ || (value != "icelock" && value != "localhost")) {
        return fail(Code::not_permitted, "neither icelock nor localhost", "Host");
      }
      host_ = true;
    } else if (same(name, "Content-Length")) {
      if (length_) return fail(Code::bad_request, "given twice", "Content-Length");
      const auto length = length_of(value, most_body_);
      if (!length) return std::unexpected(length.error());
      length_ = *length;
    } else if (same(name, "Transfer-Encoding") || same(name, "Content-Encoding")) {
      return fail(Code::bad_request, "not understood; send Content-Length", std::string(name));
    } else if (same(name, "Expect")) {
      expects_continue_ = same(value, "100-continue");
    }
    return {};
  }

  std::size_t most_body_;
  bool host_ = false;
  std::optional<std::size_t> length_;
  bool expects_continue_ = false;
};

// The next line without its end; none at the end of what can be read as lines.
std::optional<std::string_view> next_line(std::string_view& rest) {
  const auto end = rest.find(line_end);
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end + line_end.size());
  return line;
}

constexpr std::array<std::string_view, 9> methods = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

// RFC 9112 section 3: method, target and version, with single spaces between them.
Result<HttpHead> parse_request_line(std::string_view line) {
  if (line.size() > longest_request_line) {
    return fail(Code::too_large, "a request line may have 2048 bytes");
  }
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  const auto method = line.substr(0, first);
  const auto version = line.substr(std::min(last, line.size() - 1) + 1);
  if (std::ranges::find(methods, method) == methods.end() ||
      (version != "HTTP/1.1" && version != "HTTP/1.0") || last <= first + 1) {
    return fail(Code::bad_request, "not understood as HTTP/1.1");
  }
  const auto target = line.substr(first + 1, last - first - 1);
  if (target.contains(' ')) return fail(Code::bad_request, "not understood as HTTP/1.1");
  return HttpHead{.method = std::string(method), .target = std::string(target)};
}

}  // namespace

Result<HttpHead> parse_http_head(std::string_view head, std::size_t most_body) {
  auto rest = head;
  const auto request_line = next_line(rest);
  if (!request_line || request_line->empty() || std::ranges::any_of(*request_line, is_control)) {
    return fail(Code::bad_request, "no request line");
  }
  auto begun = parse_request_line(*request_line);
  if (!begun) return begun;
  Fields fields(most_body);
  for (;;) {
    const auto line = next_line(rest);
    if (!line) return fail(Code::bad_request, "no empty line after the header");
    if (line->empty()) break;
    if (std::ranges::any_of(*line, is_control)) {
      return fail(Code::bad_request, "a control character in the header");
    }
    if (const auto taken = fields.take(*line); !taken) return std::unexpected(taken.error());
  }
  if (!rest.empty()) return fail(Code::bad_request, "more after the header");
  return fields.head(*std::move(begun));
}

}  // namespace icelock::ipc
