// SPDX-License-Identifier: Apache-2.0
#include "guard/settings_file.h"

#include <iterator>
#include <map>
#include <optional>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

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
  std::map<std::string, int> lines;  ///< of each key
};

struct Place {
  std::filesystem::path path;

  std::unexpected<Error> wrong(std::string what, int line) const {
    return fail(Code::bad_settings, std::move(what), path.string() + ":" + std::to_string(line));
  }
};

Result<Parsed> parse(const std::string& text, const Place& place) {
  Parsed parsed;
  int line = 1;
  std::optional<std::string> twice;
  bool too_deep = false;
  policy::KeysTwice keys;
  const ordered_json::parser_callback_t note = [&](int depth, json::parse_event_t event,
                                                   ordered_json& value) {
    too_deep = too_deep || depth > deepest;
    if (event == json::parse_event_t::object_start) {
      keys.begin_object(depth);
    } else if (event == json::parse_event_t::key && !twice) {
      const auto& key = value.get_ref<const std::string&>();
      if (keys.is_second(depth, key)) twice = key;
      if (depth == 1) parsed.lines.emplace(key, line);
    }
    return !too_deep && !twice;
  };
  const char* begin = text.data();
  parsed.object = ordered_json::parse(LineCounter(begin, &line),
                                      LineCounter(begin + text.size(), &line), note, false);
  if (twice) return place.wrong("the key \"" + *twice + "\" stands twice", line);
  if (too_deep) return place.wrong("nested too deep", line);
  if (parsed.object.is_discarded()) return place.wrong("not JSON in UTF-8", line);
  if (!parsed.object.is_object()) return place.wrong("not a JSON object", 1);
  return parsed;
}

/// The key of a schema error's context, {"<root>", "[hold_seconds]", ...}.
std::string key_of(const valijson::ValidationResults::Error& error) {
  if (error.context.size() < 2 || error.context[1].size() < 2) return {};
  return error.context[1].substr(1, error.context[1].size() - 2);
}

Result<void> check(const Parsed& parsed, const json& schema_text, const Place& place) {
  const json& properties = schema_text.at("properties");
  // Said in our own words: the library's name the whole object.
  for (const auto& [key, line] : parsed.lines) {
    if (!properties.contains(key)) return place.wrong("unknown key \"" + key + "\"", line);
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
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    const std::string key = key_of(error);
    const auto line = parsed.lines.find(key);
    if (line == parsed.lines.end()) continue;
    return place.wrong(
        "\"" + key + "\" must be " + properties.at(key).value("description", "something else"),
        line->second);
  }
  return place.wrong("must be " + schema_text.value("description", "what the schema says"), 1);
}

}  // namespace

Result<ordered_json> parse_settings(const std::string& text, std::string_view schema,
                                    const std::filesystem::path& path) {
  const Place place{path};
  // The schema is ours and valid; the library reports by exceptions all the same.
  try {
    auto parsed = parse(text, place);
    if (!parsed) return std::unexpected(parsed.error());
    if (auto valid = check(*parsed, json::parse(schema), place); !valid) {
      return std::unexpected(valid.error());
    }
    return std::move(parsed->object);
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
