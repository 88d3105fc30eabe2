// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Reading policy files as values. Includes json.hpp, so for source files only.

namespace icelock::policy {

/// Strict JSON, nested at most 200 deep (the bound of Chromium's own reader); nullopt when it is
/// not.
std::optional<nlohmann::json> parse_strict(std::string_view text);

/// As Chromium reads a policy file (base::JSON_ALLOW_TRAILING_COMMAS, and comments, which its
/// reader took for years): what it might take must not be called broken here.
std::optional<nlohmann::json> parse_lenient(std::string_view text);

/// Told of a parser's events, knows which keys stand twice in one object. Depths are those of
/// nlohmann::json's callbacks: 0 for the outermost object, 1 for its keys.
class KeysTwice {
 public:
  void begin_object(int depth);
  /// Whether this object has had the key before.
  bool is_second(int depth, const std::string& key);

 private:
  std::vector<std::set<std::string>> keys_;  // of the objects around the place that is read
};

/// The keys that stand twice in any object of this text, comments allowed.
std::set<std::string> keys_twice(std::string_view text);

/// null when `object` is none or has no such member.
const nlohmann::json& member(const nlohmann::json& object, std::string_view key);

}  // namespace icelock::policy
