// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/level.h"
#include "policy/browsers.h"

// Exceptions for single sites. Only the Chromium family has them (WebRtcIPHandlingUrl). A frame of
// another site inside an excepted page inherits the exception; a tab that was open while it stood
// keeps it for that site until the tab is closed (measured on Chromium 156).

namespace icelock::policy {

/// Pages of the sites that `pattern` names may go as far as `level`, although the browser's level
/// is stricter.
struct SiteException {
  std::string pattern;  ///< as normal_pattern() gives it
  Level level = Level::default_route_only;

  bool operator==(const SiteException&) const = default;
};

/// The one spelling of a pattern: "meet.example" and "https://Meet.example/" are
/// "https://meet.example", "[*.]zoom.us" is "https://[*.]zoom.us" (the domain and all below it).
/// Without a port every port matches. Error bad_request, object "pattern": whatever else Chromium
/// could read, or would take for more pages than a person expects: "*", "*.example.com", paths,
/// user information, other schemes, a bare ending like [*.]com.
Result<std::string> normal_pattern(std::string_view text);

/// An exception can be no stricter than this: nothing in the Chromium family is stricter than
/// force_proxy. Error bad_request, object "level".
Result<void> check_exception_level(Level level);

/// Those of `sites` that loosen anything in this browser at `level`, without doubles (the loosest
/// counts), the more specific first, because the first match wins. Empty for Firefox.
std::vector<SiteException> effective_sites(const Browser& browser, Level level,
                                           const std::vector<SiteException>& sites);

}  // namespace icelock::policy
