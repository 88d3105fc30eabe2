// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"

// One settings file, read and held against its published schema. Private to guard/settings;
// includes json.hpp, so for source files only.

namespace icelock::guard {

/// JSON Schema (draft 7), the text of policies/*.schema.json.
extern const std::string_view admin_schema;
extern const std::string_view user_schema;
extern const std::string_view policy_schema;
/// The text of policies/call-sites.json.
extern const std::string_view call_sites;

/// The object of this text, valid by the schema; `path` is for messages. Error: bad_settings.
Result<nlohmann::ordered_json> parse_settings(const std::string& text, std::string_view schema,
                                              const std::filesystem::path& path);

/// The file's object, valid by the schema; an empty one when there is no file or `path` is empty.
/// Error bad_settings: what is wrong, with the key, and the path with the line as object; a key
/// that stands twice is wrong too. Errors of read_file otherwise.
Result<nlohmann::ordered_json> read_settings_file(const std::filesystem::path& path,
                                                  std::string_view schema);

}  // namespace icelock::guard
