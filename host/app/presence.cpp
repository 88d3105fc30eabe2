// SPDX-License-Identifier: Apache-2.0
#include "app/presence.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "app/runtime_folder.h"
#include "base/file.h"

namespace icelock::app {
namespace {

using nlohmann::json;

constexpr std::size_t report_size = 4096;

std::optional<Report> read_report(const std::filesystem::path& path) {
  const auto bytes = read_file(path, report_size);
  if (!bytes) return std::nullopt;
  const json content = json::parse(*bytes, nullptr, false);
  if (!content.is_object()) return std::nullopt;
  auto text = [&](const char* key) {
    const auto found = content.find(key);
    return found != content.end() && found->is_string() ? found->get<std::string>() : "";
  };
  Report report{.browser = text("browser"),
                .value = text("value"),
                .level_of_control = text("level_of_control"),
                .level = parse_level(text("level"))};
  const auto serial = content.find("serial");
  if (serial != content.end() && serial->is_number_unsigned()) report.serial = *serial;
  return report;
}

// What cannot be opened, for want of descriptors say, may be a live host's.
bool owner_is_gone(const std::filesystem::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  return file && ::flock(file.get(), LOCK_SH | LOCK_NB) == 0;
}

}  // namespace

std::string_view controlled_by(std::string_view level_of_control) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> words = {{
      {"not_controllable", "policy"},
      {"controlled_by_this_extension", "extension"},
      {"controlled_by_other_extensions", "other_extension"},
      {"controllable_by_this_extension", "browser"},
  }};
  for (const auto& [word, owner] : words) {
    if (word == level_of_control) return owner;
  }
  return "unknown";
}

Presence::Presence() {
  const auto folder = runtime_folder();
  if (folder.empty()) return;
  const std::string pid = std::to_string(::getpid());
  const auto stage = folder / ("new-" + pid);
  Fd file(::open(stage.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return;
  // Under its real name only once it is locked, or `icelock status` would take it for a dead
  // host's.
  path_ = folder / ("host-" + pid + ".json");
  if (::rename(stage.c_str(), path_.c_str()) == 0) file_ = std::move(file);
}

Presence::~Presence() {
  withdraw();
}

void Presence::withdraw() {
  if (file_) ::unlink(path_.c_str());
  file_.reset();
}

void Presence::write(const Report& report) {
  if (!file_) return;
  json content = {{"browser", report.browser},
                  {"serial", report.serial},
                  {"value", report.value},
                  {"level_of_control", report.level_of_control}};
  if (report.level) content["level"] = name(*report.level);
  std::string bytes = content.dump(-1, ' ', false, json::error_handler_t::replace);
  // Always as long, so that no reader sees the end of the one before.
  bytes.resize(report_size, ' ');
  [[maybe_unused]] const ssize_t n = ::pwrite(file_.get(), bytes.data(), bytes.size(), 0);
}

std::vector<Report> present_reports() {
  std::vector<Report> reports;
  const auto folder = runtime_folder();
  std::error_code problem;
  std::filesystem::directory_iterator entry(folder, problem);
  for (; !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    const auto& path = entry->path();
    if (!path.filename().string().starts_with("host-")) continue;
    if (owner_is_gone(path)) {
      ::unlink(path.c_str());
    } else if (auto report = read_report(path)) {
      reports.push_back(std::move(*report));
    }
  }
  return reports;
}

const policy::Browser& browser_of_parent(BrowserFamily family) {
  std::error_code problem;
  const auto program =
      std::filesystem::read_symlink("/proc/" + std::to_string(::getppid()) + "/exe", problem);
  const auto* found = policy::browser_of_program(program);
  return found != nullptr && found->family == family ? *found : *policy::find_browser(name(family));
}

}  // namespace icelock::app
