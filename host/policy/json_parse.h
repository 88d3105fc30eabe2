// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

// Reading policy files as values. Private to policy/; includes json.hpp, so for source files only.

namespace icelock::policy {

/// Strict JSON, nested at most 200 deep (the bound of Chromium's own reader); nullopt when it is
/// not.
std::optional<nlohmann::json> parse_strict(std::string_view text);

/// As Chromium reads a policy file (base::JSON_ALLOW_TRAILING_COMMAS, and comments, which its
/// reader took for years): what it might take must not be called broken here.
std::optional<nlohmann::json> parse_lenient(std::string_view text);

}  // namespace icelock::policy
