// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/level.h"
#include "policy/browsers.h"
#include "policy/sites.h"

// How a level is said to a browser: by measured effect, not by name (policies/handling.json holds
// the same table as data, with the source of each key; a test compares the two).

namespace icelock::policy {

/// Chromium's word for a level ("disable_non_proxied_udp"). Chromium cannot switch WebRTC off:
/// `disabled` gives the word of force_proxy.
std::string_view chromium_handling(Level level);

/// A Firefox preference and the value that a level needs. Every level states all of them, so that
/// nothing is left to what was there before: the four that the extension API's handling is made of
/// and the switch for the whole interface (Firefox ext-privacy.js), and obfuscate_host_addresses,
/// because any level that keeps direct calls shows plain local addresses without it.
struct FirefoxPref {
  std::string_view pref;
  bool value;
};
std::span<const FirefoxPref> firefox_prefs(Level level);

/// How firmly Firefox holds a preference that policy sets. What is locked stays until Firefox
/// starts again, because it reads policy only then, and the extension cannot even make it stricter.
/// A default is what holds while nobody says otherwise: the extension may
/// (mozilla/policy-templates, "Preferences"; Firefox ext-privacy.js), and so may the user.
enum class FirefoxHold { locked, as_default };

/// One policy of icelock's: the objects that it stands in, its key there, and its value as JSON.
struct PolicyEntry {
  std::vector<std::string_view> path;  ///< {"policies", "Preferences"}; Chromium: {}
  std::string key;
  std::string value;  ///< JSON text
};

/// All that this browser is to be told, in the order of the file. The one place that knows how a
/// wish is said: the files below, and every export, are made of it. `as_default` leaves what the
/// extension's settings are made of open to it, and locks the rest; Firefox only.
std::vector<PolicyEntry> policy_entries(const Browser& browser, const WantedPolicy& wanted,
                                        FirefoxHold hold = FirefoxHold::locked);

/// The whole content of icelock's own file in a Chromium-family policy folder, ending in a newline.
/// `with_level` false: of a level whose word stands in recommended/, only its exceptions. They stay
/// mandatory at every level, and an entry for "*" would outrank the extension.
std::string chromium_policy_file(const Browser& browser, const WantedPolicy& wanted,
                                 bool with_level = true);
/// The one in recommended/ beside it: what default_route_only is, where `says_level`, or nothing.
std::string chromium_recommended_file(const Browser& browser, bool says_level);

/// `original` (empty: no file) with icelock's entries set, every other byte as it was. Error:
/// bad_policy_file when it is not JSON of the expected shape.
Result<std::string> firefox_policy_file(std::string_view original, const WantedPolicy& wanted,
                                        FirefoxHold hold = FirefoxHold::locked);

/// The same for any entries.
Result<std::string> with_entries(std::string_view original,
                                 const std::vector<PolicyEntry>& entries);

/// Where an entry of icelock's may stand, whatever is wanted.
struct PolicyKey {
  std::vector<std::string_view> path;
  std::string_view key;
};
std::vector<PolicyKey> policy_keys(const Browser& browser);

/// The extension as such a file installs it; nullopt when it does not.
std::optional<ExtensionInstall> extension_in(const Browser& browser, std::string_view file);

/// Installs and configures extensions, by id (Chromium ExtensionSettings.yaml;
/// mozilla/policy-templates): in Chromium one file's value counts as a whole.
inline constexpr std::string_view extension_settings_key = "ExtensionSettings";
/// The managed settings of extensions. Chromium takes them together from all files, key by key
/// (config_dir_policy_loader.cc).
inline constexpr std::string_view third_party_key = "3rdparty";

/// Whether this file says default_route_only as a service writes it, for the extension to tighten.
bool firefox_leaves_to_extension(std::string_view file);

/// Where Firefox keeps them in policies.json: {"policies", "Preferences"}.
std::vector<std::string_view> firefox_preferences_path();

/// One preference as icelock writes it: {"Value": true, "Status": "locked", "Type": "boolean"}.
std::string firefox_pref_text(bool value, FirefoxHold hold = FirefoxHold::locked);

/// The policy that holds a handling per site: the first match wins, and it outranks the level key.
/// In Edge it is the only one of the two that a running browser takes up (Microsoft Edge policy
/// documents), so there it ends with an entry for "*". Nowhere else: an open tab keeps the entries
/// that it has seen (Chromium 156 renderer_preferences_util.cc adds to its list and never clears
/// it), so one for "*" would keep that tab from obeying the next, stricter level.
inline constexpr std::string_view chromium_url_key = "WebRtcIPHandlingUrl";

/// The loosest level that the two policies together give any page, entries that grant no more than
/// `granted` aside; the first two arguments are their values as JSON text, empty when not set. A
/// word that is no level of ours counts as unrestricted, because Chromium takes an unknown one for
/// `default` without any sign. nullopt: some pages are left to the browser's default.
std::optional<Level> chromium_level_of(std::string_view level_value, std::string_view url_value,
                                       const std::vector<SiteException>& granted = {});

/// Those of `granted` that this WebRtcIPHandlingUrl really grants, at least as loose as asked for.
std::vector<SiteException> granted_in(std::string_view url_value,
                                      const std::vector<SiteException>& granted);

/// What icelock's own file says, and the one in recommended/ beside it, which counts for less;
/// nullopt when neither states a level of ours. An entry for "*" is none of the sites.
std::optional<WantedPolicy> chromium_policy(const Browser& browser, std::string_view file,
                                            std::string_view recommended = {});

/// The level that these bytes alone ask for; nullopt when they are broken, or leave some
/// preferences open. Only locked preferences count, and what firefox_leaves_to_extension().
std::optional<Level> firefox_level(std::string_view file);

}  // namespace icelock::policy
