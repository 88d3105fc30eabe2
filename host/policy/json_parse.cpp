// SPDX-License-Identifier: Apache-2.0
#include "policy/json_parse.h"

#include <algorithm>
#include <string>

namespace icelock::policy {
namespace {

constexpr int depth_limit = 200;

std::optional<nlohmann::json> parse(std::string_view text, bool comments) {
  bool too_deep = false;
  auto value = nlohmann::json::parse(
      text,
      [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
        too_deep = too_deep || depth > depth_limit;
        return !too_deep;
      },
      false, comments);
  if (too_deep || value.is_discarded()) return std::nullopt;
  return value;
}

// Leaves out each comma that only blanks and comments part from a closing bracket.
std::string without_trailing_commas(std::string_view text) {
  std::string kept;
  std::size_t comma =
      std::string::npos;  // in `kept`, while nothing but blanks and comments followed
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    const char c = text[at];
    const bool comment = c == '/' && end < text.size() && (text[end] == '/' || text[end] == '*');
    if (comment) {
      const bool line = text[end] == '/';
      end = line ? text.find('\n', end) : text.find("*/", end + 1);
      end = end == text.npos ? text.size() : end + (line ? 1 : 2);
    } else if (c == '"') {
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, text.size());
    }
    if ((c == '}' || c == ']') && comma != std::string::npos) kept[comma] = ' ';
    const bool blank = comment || c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (!blank) comma = c == ',' ? kept.size() : std::string::npos;
    kept.append(text.substr(at, end - at));
    at = end;
  }
  return kept;
}

}  // namespace

std::optional<nlohmann::json> parse_strict(std::string_view text) {
  return parse(text, false);
}

std::optional<nlohmann::json> parse_lenient(std::string_view text) {
  return parse(without_trailing_commas(text), true);
}

void KeysTwice::begin_object(int depth) {
  keys_.resize(static_cast<std::size_t>(depth));
  keys_.emplace_back();
}

bool KeysTwice::is_second(int depth, const std::string& key) {
  return !keys_.at(static_cast<std::size_t>(depth) - 1).insert(key).second;
}

std::set<std::string> keys_twice(std::string_view text) {
  using Event = nlohmann::json::parse_event_t;
  std::set<std::string> twice;
  KeysTwice keys;
  const auto note = [&](int depth, Event event, nlohmann::json& value) {
    if (event == Event::object_start) keys.begin_object(depth);
    if (event != Event::key) return true;
    const auto& key = value.get_ref<const std::string&>();
    if (keys.is_second(depth, key)) twice.insert(key);
    return true;
  };
  [[maybe_unused]] const auto value = nlohmann::json::parse(text, note, false, true);
  return twice;
}

const nlohmann::json& member(const nlohmann::json& object, std::string_view key) {
  static const nlohmann::json nothing;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? nothing : *found;
}

}  // namespace icelock::policy
