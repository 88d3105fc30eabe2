// SPDX-License-Identifier: Apache-2.0
#include "guard/settings_file.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "base/file.h"
#include "policy/json_parse.h"
#include "policy/sites.h"

namespace icelock::guard {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t largest_file = 65536;
constexpr int deepest = 8;

/// Counts the lines that the parser has read: its events come without positions.
class LineCounter {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  LineCounter(const char* at, int* line) : at_(at), line_(line) {}
  reference operator*() const { return *at_; }
  LineCounter& operator++() {
    if (*at_ == '\n') ++*line_;
    ++at_;
    return *this;
  }
  LineCounter operator++(int) {
    LineCounter before = *this;
    ++*this;
    return before;
  }
  bool operator==(const LineCounter& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  int* line_;
};

struct Parsed {
  ordered_json object;
  std::map<std::string, int> lines;  ///< of each key that is in no list, "extension.settings.mode"
};

struct Place {
  std::filesystem::path path;

  std::unexpected<Error> wrong(std::string what, int line) const {
    return fail(Code::bad_settings, std::move(what), path.string() + ":" + std::to_string(line));
  }
};

std::string joined(const std::vector<std::string>& way) {
  std::string result;
  for (const std::string& key : way) {
    const bool first = result.empty() || key.starts_with('[');
    result += (first ? "" : ".") + key;
  }
  return result;
}

Result<Parsed> parse(const std::string& text, const Place& place) {
  Parsed parsed;
  int line = 1;
  int found_at = 0;  // the parser reads on to the end
  std::optional<std::string> twice;
  bool too_deep = false;
  policy::KeysTwice keys;
  std::vector<std::string> way;  // to the key that is read; empty where a list is on it
  const ordered_json::parser_callback_t note = [&](int depth, json::parse_event_t event,
                                                   ordered_json& value) {
    const bool was_fine = !too_deep && !twice;
    too_deep = too_deep || depth > deepest;
    if (event == json::parse_event_t::object_start) {
      keys.begin_object(depth);
    } else if (event == json::parse_event_t::key && !twice) {
      const auto& key = value.get_ref<const std::string&>();
      if (keys.is_second(depth, key)) twice = key;
      way.resize(static_cast<std::size_t>(depth) - 1);
      way.push_back(key);
      if (std::ranges::find(way, "") == way.end()) parsed.lines.emplace(joined(way), line);
    }
    if (was_fine && (too_deep || twice)) found_at = line;
    return !too_deep && !twice;
  };
  const char* begin = text.data();
  parsed.object = ordered_json::parse(LineCounter(begin, &line),
                                      LineCounter(begin + text.size(), &line), note, false);
  if (twice) return place.wrong("the key \"" + *twice + "\" stands twice", found_at);
  if (too_deep) return place.wrong("nested too deep", found_at);
  if (parsed.object.is_discarded()) return place.wrong("not JSON in UTF-8", line);
  if (!parsed.object.is_object()) return place.wrong("not a JSON object", 1);
  return parsed;
}

/// The keys of a schema error's context, {"<root>", "[sites]", "[0]", "[level]"}: sites, [0],
/// level.
std::vector<std::string> way_of(const valijson::ValidationResults::Error& error) {
  std::vector<std::string> way;
  for (const std::string& word : error.context | std::views::drop(1)) {
    const bool index = word.size() > 2 && word[1] >= '0' && word[1] <= '9';
    way.push_back(index || word.size() < 2 ? word : word.substr(1, word.size() - 2));
  }
  return way;
}

/// The error that says most exactly where it is.
std::vector<std::string> deepest_of(valijson::ValidationResults& results) {
  std::vector<std::string> found;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    auto way = way_of(error);
    if (way.size() > found.size()) found = std::move(way);
  }
  return found;
}

/// Of the key, or of the nearest one around it that is in no list.
int line_of(const Parsed& parsed, std::vector<std::string> way) {
  for (; !way.empty(); way.pop_back()) {
    const auto found = parsed.lines.find(joined(way));
    if (found != parsed.lines.end()) return found->second;
  }
  return 1;
}

std::unexpected<Error> wrong_value(const Parsed& parsed, const json& schema_text,
                                   valijson::ValidationResults& results, const Place& place) {
  auto way = deepest_of(results);
  if (way.empty()) {
    return place.wrong("must be " + schema_text.value("description", "what the schema says"), 1);
  }
  const std::string key = way.front();
  const std::string is =
      "\"" + key + "\" must be " +
      schema_text.at("properties").at(key).value("description", "something else");
  std::string what = way.size() == 1 ? is : "\"" + joined(way) + "\" is wrong: " + is;
  return place.wrong(std::move(what), line_of(parsed, std::move(way)));
}

Result<void> check(const Parsed& parsed, const json& schema_text, const Place& place) {
  const json& properties = schema_text.at("properties");
  // Said in our own words: the library's name the whole object.
  for (const auto& [key, value] : parsed.object.items()) {
    if (properties.contains(key)) continue;
    return place.wrong("unknown key \"" + key + "\"", line_of(parsed, {key}));
  }
  valijson::Schema schema;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7)
      .populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_text), schema);
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  const json object = parsed.object;
  if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(object), &results)) {
    for (const json& site : object.value("sites", json::array())) {
      const auto pattern = policy::normal_pattern(site.at("pattern").get<std::string>());
      if (pattern) continue;
      return place.wrong("\"sites\": " + site.at("pattern").dump() + ": " + pattern.error().what,
                         parsed.lines.at("sites"));
    }
    return {};
  }
  return wrong_value(parsed, schema_text, results, place);
}

}  // namespace

Result<ordered_json> parse_settings(const std::string& text, std::string_view schema,
                                    const std::filesystem::path& path) {
  const Place place{path};
  if (text.size() > largest_file) return place.wrong("larger than 64 KiB", 1);
  // The schema is ours and valid; the library reports by exceptions all the same.
  try {
    auto parsed = TRY(parse(text, place));
    TRY(check(parsed, json::parse(schema), place));
    return std::move(parsed.object);
  } catch (const std::exception& problem) {
    return fail(Code::bad_settings, problem.what(), path.string());
  }
}

Result<ordered_json> read_settings_file(const std::filesystem::path& path,
                                        std::string_view schema) {
  if (path.empty()) return ordered_json::object();
  auto bytes = read_file(path, largest_file);
  if (!bytes && bytes.error().code == Code::not_found) return ordered_json::object();
  if (!bytes) return std::unexpected(bytes.error());
  return parse_settings(*bytes, schema, path);
}

}  // namespace icelock::guard
