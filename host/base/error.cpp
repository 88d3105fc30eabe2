// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace icelock {
namespace {

// Exit codes: 1 failed, 5 not permitted, 6 something unsafe or broken was found and left alone, 64
// usage. 0, 2, 3 and 4 belong to the verbs (docs/protocol.md).
constexpr std::array table = {
    CodeInfo{Code::bad_frame, "bad_frame", 400, 1},
    CodeInfo{Code::too_large, "too_large", 413, 1},
    CodeInfo{Code::bad_json, "bad_json", 400, 1},
    CodeInfo{Code::bad_request, "bad_request", 400, 64},
    CodeInfo{Code::unknown_op, "unknown_op", 404, 64},
    CodeInfo{Code::version, "version", 400, 1},
    CodeInfo{Code::unknown_caller, "unknown_caller", 403, 5},
    CodeInfo{Code::not_permitted, "not_permitted", 403, 5},
    CodeInfo{Code::below_floor, "below_floor", 409, 5},
    CodeInfo{Code::not_found, "not_found", 404, 1},
    CodeInfo{Code::unavailable, "unavailable", 503, 1},
    CodeInfo{Code::bad_settings, "bad_settings", 422, 6},
    CodeInfo{Code::bad_policy_file, "bad_policy_file", 422, 6},
    CodeInfo{Code::unsafe_path, "unsafe_path", 409, 6},
    CodeInfo{Code::changed, "changed", 409, 6},
    CodeInfo{Code::no_space, "no_space", 507, 1},
    CodeInfo{Code::io, "io", 500, 1},
    CodeInfo{Code::probe_failed, "probe_failed", 500, 1},
    CodeInfo{Code::timeout, "timeout", 504, 1},
    CodeInfo{Code::busy, "busy", 409, 1},
    CodeInfo{Code::internal, "internal", 500, 1},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].code) != i) return false;
  }
  return table.size() == static_cast<std::size_t>(Code::internal) + 1;
}
static_assert(in_order(), "one row per code, in the order of the enumeration");

Code code_for(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return Code::no_space;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::not_permitted;
    case ENOENT:
      return Code::not_found;
    case ETIMEDOUT:
      return Code::timeout;
    case ELOOP:
      return Code::unsafe_path;
    default:
      return Code::io;
  }
}

}  // namespace

std::span<const CodeInfo> codes() {
  return table;
}

const CodeInfo& info(Code code) {
  return table[static_cast<std::size_t>(code)];
}

std::string to_string(const Error& error) {
  return error.object.empty() ? error.what : error.what + ": " + error.object;
}

std::unexpected<Error> fail(Code code, std::string what, std::string object) {
  return std::unexpected(Error{code, std::move(what), std::move(object)});
}

std::unexpected<Error> fail_errno(int error_number, std::string_view what, std::string object) {
  std::string text(what);
  text += " (";
  text += std::generic_category().message(error_number);
  text += ")";
  return fail(code_for(error_number), std::move(text), std::move(object));
}

}  // namespace icelock
