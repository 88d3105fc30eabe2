// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/level.h"
#include "policy/browsers.h"

namespace icelock::app {

/// What an extension read back from its browser.
struct Report {
  std::string browser;       ///< id
  std::uint64_t serial = 0;  ///< of the state that it acted on
  std::string value;
  std::string level_of_control;
  std::optional<Level> level;
};

/// "policy", "extension", "other_extension", "browser" or "unknown", from the browsers'
/// levelOfControl.
std::string_view controlled_by(std::string_view level_of_control);

/// Lets `icelock status` see what each running browser obeys, without a daemon: a small file of
/// this process in the user's runtime folder, locked as long as the process lives, so that one left
/// behind by a killed host is known for what it is.
class Presence {
 public:
  /// Does nothing when there is no runtime folder: the host works without being seen.
  Presence();
  ~Presence();
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

  void write(const Report& report);
  /// Takes the file away; what the destructor does.
  void withdraw();

 private:
  std::filesystem::path path_;
  Fd file_;
};

/// The reports of all live hosts of this user. Files of dead ones are removed on the way.
std::vector<Report> present_reports();

/// The browser that started this process, by its program; else Chromium or Firefox.
const policy::Browser& browser_of_parent(BrowserFamily family);

}  // namespace icelock::app
