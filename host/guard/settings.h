// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/level.h"
#include "net/network.h"
#include "policy/sites.h"

// Two small JSON files, each with a published schema. The admin's, /etc/icelock/icelock.json
// (policies/settings.schema.json): what it states, a user cannot change. The user's,
// $XDG_CONFIG_HOME/icelock/icelock.json (policies/user-settings.schema.json).

namespace icelock::guard {

enum class Mode { automatic, locked, open };

/// What is protected besides what a VPN is there to hide, or in spite of that is not.
struct Protection {
  bool lan = false;            ///< this machine's own addresses, also while no VPN is up
  bool tunnel = false;         ///< this machine's address inside a VPN
  bool accept_isp_v6 = false;  ///< the provider's IPv6 address is meant to be seen

  bool operator==(const Protection&) const = default;
};

struct Settings {
  Mode mode = Mode::automatic;
  Level mode_level = Level::force_proxy;  ///< what mode `locked` keeps at least
  Level floor = Level::unrestricted;
  std::chrono::seconds hold{60};  ///< how long a lock stays after its tunnel went away
  bool mode_fixed = false;        ///< the admin chose the mode
  std::vector<Mode> modes;        ///< those that users may choose; empty: all
  Protection protection;
  bool manage_policies = false;       ///< the admin wants decisions written as browser policy
  std::vector<std::string> browsers;  ///< ids to manage; empty: all that are installed
  std::vector<policy::SiteException> sites;  ///< for the whole machine; none looser than `floor`
  std::vector<std::string> extensions;       ///< ids of the Chromium family, besides icelock's own
  bool accept_fixed = false;                 ///< the admin said what may be seen
  std::vector<net::NamedRole> links;         ///< what links are for, by the admin's word
  std::vector<net::NamedRole> own_links;     ///< by the user's: may only make it stricter
  std::optional<Error> problem;              ///< a file that could not be used, for the user to see
  /// The two files as JSON, as they were when they could be read last; none: they never could.
  std::optional<std::string> admins;
  std::optional<std::string> users;

  bool operator==(const Settings&) const = default;
  /// The admin's word counts last.
  std::vector<net::NamedRole> all_links() const;
};

/// "auto", "locked", "open".
std::string_view name(Mode mode);
std::optional<Mode> parse_mode(std::string_view text);

struct SettingsPaths {
  std::filesystem::path admin;
  std::filesystem::path user;  ///< empty: there is none
  std::filesystem::path kept;  ///< keep_for_a_start(); empty: nowhere
};
/// Below `root`; the user's by XDG_CONFIG_HOME or HOME. Reads the environment only.
SettingsPaths settings_paths(const std::filesystem::path& root);

/// Both files together. A missing file is no error. Error bad_settings names the file, the line and
/// the key: unknown keys, wrong types and values are refused, because a misspelt floor would be no
/// floor.
Result<Settings> load_settings(const SettingsPaths& paths);

/// Whether this text would be an admin's settings file; `path` is for messages. Error:
/// bad_settings, as load_settings() says it.
Result<void> check_settings(const std::string& text,
                            const std::filesystem::path& path = "settings");

/// The same, but always an answer, with `problem` set for a broken file. What that file said in
/// `last` stays in force, and nothing else of it. While there is no such word: mode locked, and for
/// the admin's file what was kept for a start.
Settings load_or_keep(const SettingsPaths& paths, const std::optional<Settings>& last);

/// Keeps what the admin's file said, for a start with a broken one. Writes only what is news.
/// Errors: those of replace_file().
Result<void> keep_for_a_start(const SettingsPaths& paths, const Settings& settings);

/// Whether a user may choose this mode.
bool may_choose(const Settings& settings, Mode mode);
/// Whether a user may let an address be seen: who may switch the lock off may.
bool may_accept(const Settings& settings);

/// Writes mode and level to the user's file and keeps its other keys. Errors: not_permitted when
/// the admin fixed the mode or allows others only, below_floor for a level under the floor,
/// bad_settings when the file there is broken, io.
Result<void> save_mode(const SettingsPaths& paths, Mode mode, std::optional<Level> level);

}  // namespace icelock::guard
