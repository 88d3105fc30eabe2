// SPDX-License-Identifier: Apache-2.0
#include "app/requests.h"

namespace icelock::app {
namespace {
constexpr std::size_t longest_word = 256;
}

Result<std::optional<Level>> level_field(const ipc::Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) return std::nullopt;
  const auto word = ipc::string_field(body, field);
  if (!word) return std::unexpected(word.error());
  const auto level = parse_level(*word);
  if (!level) return fail(Code::bad_request, "no such level", field);
  return level;
}

Result<ModeRequest> parse_mode_request(const ipc::Json& body) {
  const auto word = ipc::string_field(body, "mode");
  if (!word) return std::unexpected(word.error());
  const auto mode = guard::parse_mode(*word);
  if (!mode) return fail(Code::bad_request, "must be auto, locked or open", "mode");
  const auto level = level_field(body, "level");
  if (!level) return std::unexpected(level.error());
  if (*level && *mode != guard::Mode::locked) {
    return fail(Code::bad_request, "only with mode locked", "level");
  }
  return ModeRequest{*mode, *level};
}

Result<Report> parse_report(const ipc::Json& body) {
  Report report;
  const auto serial = ipc::unsigned_field(body, "serial");
  if (!serial) return std::unexpected(serial.error());
  report.serial = *serial;
  for (auto [field, target] : {std::pair{"value", &report.value},
                               std::pair{"level_of_control", &report.level_of_control}}) {
    auto text = ipc::string_field(body, field);
    if (!text) return std::unexpected(text.error());
    if (text->size() > longest_word) return fail(Code::too_large, "too long", field);
    *target = std::move(*text);
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
