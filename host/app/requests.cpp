// SPDX-License-Identifier: Apache-2.0
#include "app/requests.h"

namespace icelock::app {
namespace {
constexpr std::size_t longest_word = 256;
constexpr std::uint64_t longest_exception = 31'536'000;  // seconds: a year
}  // namespace

Result<std::optional<Level>> level_field(const ipc::Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) return std::nullopt;
  const auto word = TRY(ipc::string_field(body, field));
  const auto level = parse_level(word);
  if (!level) return fail(Code::bad_request, "no such level", field);
  return level;
}

Result<ModeRequest> parse_mode_request(const ipc::Json& body) {
  const auto word = TRY(ipc::string_field(body, "mode"));
  const auto mode = guard::parse_mode(word);
  if (!mode) return fail(Code::bad_request, "must be auto, locked or open", "mode");
  const auto level = level_field(body, "level");
  if (!level) return std::unexpected(level.error());
  if (*level && *mode != guard::Mode::locked) {
    return fail(Code::bad_request, "only with mode locked", "level");
  }
  return ModeRequest{*mode, *level};
}

Result<std::string> pattern_field(const ipc::Json& body) {
  const auto text = ipc::string_field(body, "pattern");
  if (!text) return text;
  return policy::normal_pattern(*text);
}

Result<AllowRequest> parse_allow_request(const ipc::Json& body) {
  auto pattern = TRY(pattern_field(body));
  const auto level = level_field(body, "level");
  if (!level) return std::unexpected(level.error());
  AllowRequest wish{{std::move(pattern), level->value_or(Level::default_route_only)}};
  TRY(policy::check_exception_level(wish.site.level));
  const auto field = body.find("seconds");
  if (field == body.end() || field->is_null()) return wish;
  const auto length = ipc::unsigned_field(body, "seconds");
  if (!length) return std::unexpected(length.error());
  if (*length == 0 || *length > longest_exception) {
    return fail(Code::bad_request, "must be from 1 to 31536000", "seconds");
  }
  wish.length = std::chrono::seconds(*length);
  return wish;
}

ipc::Json sites_json(const std::vector<policy::SiteException>& sites) {
  ipc::Json list = ipc::Json::array();
  for (const auto& site : sites) {
    list.push_back({{"pattern", site.pattern}, {"level", name(site.level)}});
  }
  return list;
}

Result<Report> parse_report(const ipc::Json& body) {
  Report report;
  const auto serial = ipc::unsigned_field(body, "serial");
  if (!serial) return std::unexpected(serial.error());
  report.serial = *serial;
  for (auto [field, target] : {std::pair{"value", &report.value},
                               std::pair{"level_of_control", &report.level_of_control}}) {
    auto text = TRY(ipc::string_field(body, field));
    if (text.size() > longest_word) return fail(Code::too_large, "too long", field);
    *target = std::move(text);
  }
  const auto level = level_field(body, "level");
  if (!level) return std::unexpected(level.error());
  report.level = *level;
  return report;
}

ipc::Json report_json(const Report& report) {
  return {{"browser", report.browser},
          {"serial", report.serial},
          {"value", report.value},
          {"level_of_control", report.level_of_control},
          {"level", report.level ? ipc::Json(name(*report.level)) : ipc::Json(nullptr)}};
}

}  // namespace icelock::app
