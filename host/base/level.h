// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace icelock {

/// How far WebRTC may go, ordered from loosest to strictest (RFC 8828 section 5.2: mode 3 is
/// default_route_only, mode 4 is force_proxy). RFC mode 2 is left out on purpose: Chromium's value
/// for it shows raw local addresses that even its default hides.
enum class Level { unrestricted, default_route_only, force_proxy, disabled };

/// The two engines that differ in what a level shows and in how it is set.
enum class BrowserFamily { chromium, firefox };

/// The names used in every file, frame and command line ("default_route_only", "firefox").
std::string_view name(Level level);
std::string_view name(BrowserFamily family);
std::optional<Level> parse_level(std::string_view text);

}  // namespace icelock
