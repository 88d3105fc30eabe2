// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

// The envelope of docs/protocol.md.

namespace icelock::ipc {

using Json = nlohmann::ordered_json;

inline constexpr int protocol_version = 1;
inline constexpr int deepest_nesting = 16;

struct Request {
  Json id;  ///< integer or string; null when it could not be read
  std::string op;
  Json body;  ///< the whole object, for the operation's own arguments
};

/// A request that cannot be served, with the id that the answer must carry.
struct Refusal {
  Json id;
  Error error;
};

/// JSON in UTF-8 with at most deepest_nesting - 1 levels, else bad_json. Never throws, and a value
/// that it gave can be destroyed and written without deep recursion.
Result<Json> parse_json(std::string_view payload);

/// For whoever reads it, in ASCII alone, so that nothing in it steers a terminal; bytes that are
/// not UTF-8 are replaced, so that this cannot fail. On one line where `indent` is negative.
std::string text_of(const Json& json, int indent = -1);

/// Reads one payload. Never throws, whatever the bytes are.
std::expected<Request, Refusal> parse_request(std::string_view payload);

/// The payloads of the three kinds of answers; the id is null where there is none to repeat.
/// `result`'s members follow the envelope's own.
std::string success(const Json& id, const Json& result);
std::string failure(const Json& id, const Error& error);
std::string push(std::string_view event, const Json& content);

/// An argument of an operation. Errors: bad_request, with the field's name as object.
Result<std::string> string_field(const Json& body, const char* field);
Result<std::uint64_t> unsigned_field(const Json& body, const char* field);

}  // namespace icelock::ipc
