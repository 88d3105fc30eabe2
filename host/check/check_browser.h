// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "policy/browsers.h"

namespace icelock::app {

struct BrowserStart {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
};

/// The first program of the browser that is there to be run; empty: none is.
std::filesystem::path program_of(const policy::Browser& browser, const std::filesystem::path& root);

/// Makes a fresh profile below `folder` and says how to start the browser on `url`: headless, with
/// nothing of the user's own, and with stored microphone permission for `granted_origin`. What
/// browsers fetch by themselves is switched off. Machine policy is in force as for everybody.
/// Chromium's sandbox refuses root, so as root it is off: for this one page of icelock's own.
/// Errors: those of writing a file.
Result<BrowserStart> prepare_browser(const policy::Browser& browser,
                                     const std::filesystem::path& program,
                                     const std::filesystem::path& folder, const std::string& url,
                                     const std::string& granted_origin);

}  // namespace icelock::app
