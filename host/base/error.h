// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace icelock {

/// What went wrong, as a stable code. Append-only: scripts and extensions compare the names.
/// docs/protocol.md lists each with its meaning; a test holds that list against this one.
enum class Code {
  bad_frame,        ///< the bytes are no frame, or end inside one
  too_large,        ///< a frame, file or value above its documented limit
  bad_json,         ///< not JSON, not UTF-8, or nested too deep
  bad_request,      ///< a field is missing or has the wrong type or value
  unknown_op,       ///< no such operation
  version,          ///< a protocol version that this program does not speak
  unknown_caller,   ///< the program that started us is not an icelock extension
  not_permitted,    ///< the caller may not do this
  below_floor,      ///< looser than the admin's floor
  not_found,        ///< the thing asked for is not there
  unavailable,      ///< this machine or installation cannot do it
  bad_settings,     ///< a settings file is wrong
  bad_policy_file,  ///< a browser's policy file cannot be understood, so it was left alone
  unsafe_path,      ///< a symlink, a foreign owner or a loose mode on the way to a file
  changed,          ///< the machine changed since the plan was made
  no_space,         ///< the disk or quota is full
  io,               ///< the system refused a read or write
  probe_failed,     ///< the network could not be read
  timeout,          ///< a deadline passed
  busy,             ///< another icelock is at work on the same thing, or too much is asked at once
  internal          ///< a defect in icelock
};

struct CodeInfo {
  Code code;
  std::string_view name;
  int http_status;
  int exit_code;
};

/// Every code, in the order of the enumeration.
std::span<const CodeInfo> codes();
const CodeInfo& info(Code code);

/// One failure: the code, the step that failed in words, and the thing it concerned (a path, a
/// field, an address; may be empty). Never holds a secret; may be shown to the user as it is.
struct Error {
  Code code = Code::internal;
  std::string what;
  std::string object;

  bool operator==(const Error&) const = default;
};

/// "what: object", for people.
std::string to_string(const Error& error);

template <class T>
using Result = std::expected<T, Error>;

/// The value of a Result; where there is none, the calling function returns the Error as its own.
/// As a statement or the whole of an initializer only (`const auto x = TRY(f());`): g++ does not
/// destroy the temporaries of a larger expression that is left in its middle. A statement
/// expression is an extension of GCC that clang has, too.
#define TRY(...)                                                                      \
  __extension__({                                                                     \
    auto tried_ = (__VA_ARGS__);                                                      \
    if (!tried_) return std::unexpected<::icelock::Error>(std::move(tried_).error()); \
    *std::move(tried_);                                                               \
  })

std::unexpected<Error> fail(Code code, std::string what, std::string object = {});

/// An Error from errno: ENOSPC and EDQUOT become no_space, EACCES, EPERM and EROFS not_permitted,
/// ENOENT not_found, ETIMEDOUT timeout, ELOOP unsafe_path, anything else io. The system's own words
/// are appended.
std::unexpected<Error> fail_errno(int error_number, std::string_view what, std::string object = {});

}  // namespace icelock
