// SPDX-License-Identifier: Apache-2.0
#include "base/level.h"

#include <array>

namespace icelock {
namespace {
constexpr std::array<std::string_view, 4> level_names = {"unrestricted", "default_route_only",
                                                         "force_proxy", "disabled"};
}

std::string_view name(Level level) {
  return level_names[static_cast<std::size_t>(level)];
}

std::string_view name(BrowserFamily family) {
  return family == BrowserFamily::chromium ? "chromium" : "firefox";
}

std::optional<Level> parse_level(std::string_view text) {
  for (std::size_t i = 0; i < level_names.size(); ++i) {
    if (level_names[i] == text) return static_cast<Level>(i);
  }
  return std::nullopt;
}

}  // namespace icelock
