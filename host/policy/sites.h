// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

/// The extension, to be installed by the browser itself so that its user cannot remove it.
struct ExtensionInstall {
  std::string id;        ///< Chromium family: the id of the .crx; Firefox has one only
  std::string url;       ///< Chromium family: of the update manifest; Firefox: of the .xpi
  std::string settings;  ///< the extension's managed settings: the text of a JSON object, "{}"
  /// Chromium family: the ExtensionSettings of others, which icelock's replace as a whole and so
  /// have to repeat. JSON text; empty: there are none.
  std::string beside;

  bool operator==(const ExtensionInstall&) const = default;
};

/// What is to be installed in one browser.
struct WantedPolicy {
  WantedPolicy() = default;
  WantedPolicy(Level the_level, std::vector<SiteException> the_sites = {})  // NOLINT: a bare level
      : level(the_level), sites(std::move(the_sites)) {}

  std::optional<Level> level;        ///< none is written without one: the extension decides
  std::vector<SiteException> sites;  ///< those that are looser than `level` are written
  std::optional<ExtensionInstall> extension;
  /// Firefox: in private windows force_proxy, whatever `level` is.
  bool private_windows = false;
  /// Of settings_id alone, which has nothing else: the values by key, as JSON text.
  std::map<std::string, std::string> settings;

  /// What must hold in every page without an exception.
  Level at_least() const { return level.value_or(Level::unrestricted); }
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
