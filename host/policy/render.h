// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/level.h"
#include "policy/browsers.h"

// How a level is said to a browser: by measured effect, not by name (policies/handling.json holds the same
// table as data, with the source of each key; a test compares the two).

namespace icelock::policy {

/// Chromium's word for a level ("disable_non_proxied_udp"). Chromium cannot switch WebRTC off: `disabled`
/// gives the word of force_proxy.
std::string_view chromium_handling(Level level);

/// A Firefox preference and the value that a level needs. Every level states all of them, so that nothing
/// is left to what was there before.
struct FirefoxPref {
  std::string_view pref;
  bool value;
};
std::span<const FirefoxPref> firefox_prefs(Level level);

/// The whole content of icelock's own file in a Chromium-family policy folder, ending in a newline.
std::string chromium_policy_file(const Browser& browser, Level level);

/// `original` (empty: no file) with icelock's preferences set and locked in policies.Preferences, every other
/// byte as it was. Error: bad_policy_file when it is not JSON of the expected shape.
Result<std::string> firefox_policy_file(std::string_view original, Level level);

/// The level that these bytes ask for, read strictly; nullopt when they set no icelock key or set them to
/// something that is no level.
std::optional<Level> chromium_level(const Browser& browser, std::string_view file);
std::optional<Level> firefox_level(std::string_view file);

}  // namespace icelock::policy
