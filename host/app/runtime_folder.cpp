// SPDX-License-Identifier: Apache-2.0
#include "app/runtime_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace icelock::app {
namespace {

using guard::Clock;
using nlohmann::json;

constexpr std::string_view memory_file = "memory.json";

std::filesystem::path wanted_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/') return std::filesystem::path(runtime) / "icelock";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::filesystem::path(home) / ".cache/icelock/run";
  return {};
}

}  // namespace

std::filesystem::path runtime_folder() {
  const auto folder = wanted_folder();
  if (folder.empty()) return {};
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  struct stat status{};
  const bool ours = ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
                    status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  return ours ? folder : std::filesystem::path();
}

guard::Memory recall(const std::filesystem::path& folder, std::chrono::seconds longest_hold,
                     Clock::time_point now) {
  guard::Memory memory;
  if (folder.empty()) return memory;
  const auto bytes = read_file(folder / memory_file, 4096);
  const json content = bytes ? json::parse(*bytes, nullptr, false) : json();
  if (!content.is_object()) return memory;
  const auto was_up = content.find("tunnel_was_up");
  memory.tunnel_was_up = was_up != content.end() && *was_up == true;
  const auto held = content.find("held_until_ns");
  if (held != content.end() && held->is_number_unsigned()) {
    const Clock::time_point until{std::chrono::nanoseconds(
        static_cast<std::int64_t>(std::min<std::uint64_t>(held->get<std::uint64_t>(), INT64_MAX)))};
    memory.held_until = std::min(until, now + longest_hold);
  }
  return memory;
}

void remember(const std::filesystem::path& folder, const guard::Memory& memory) {
  if (folder.empty()) return;
  json content = {{"tunnel_was_up", memory.tunnel_was_up}};
  if (memory.held_until) {
    const std::chrono::nanoseconds until = memory.held_until->time_since_epoch();
    content["held_until_ns"] = static_cast<std::uint64_t>(std::max<std::int64_t>(until.count(), 0));
  }
  [[maybe_unused]] const auto written =
      replace_file(folder / memory_file, content.dump() + "\n", 0600);
}

}  // namespace icelock::app
