// SPDX-License-Identifier: Apache-2.0
#include "guard/settings.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace icelock::guard {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> mode_names = {"auto", "locked", "open"};
constexpr int longest_hold_seconds = 24 * 60 * 60;

constexpr std::size_t largest_file = 65536;

enum class Owner { admin, user };

Result<ordered_json> read_object(const std::filesystem::path& path) {
  if (path.empty()) return ordered_json::object();
  auto bytes = read_file(path, largest_file);
  if (!bytes && bytes.error().code == Code::not_found) return ordered_json::object();
  if (!bytes) return std::unexpected(bytes.error());
  auto json = ordered_json::parse(*bytes, nullptr, false);
  if (!json.is_object()) return fail(Code::bad_settings, "not a JSON object", path.string());
  return json;
}

std::unexpected<Error> bad_key(const std::filesystem::path& path, const std::string& key,
                               std::string_view wanted) {
  return fail(Code::bad_settings, "\"" + key + "\" must be " + std::string(wanted), path.string());
}

Result<Level> level_value(const ordered_json& value, const std::filesystem::path& path,
                          const std::string& key) {
  const auto level = value.is_string() ? parse_level(value.get<std::string>()) : std::nullopt;
  if (!level) {
    return bad_key(path, key, "unrestricted, default_route_only, force_proxy or disabled");
  }
  return *level;
}

Result<void> take_key(Settings& settings, Owner owner, const std::filesystem::path& path,
                      const std::string& key, const ordered_json& value) {
  if (key == "mode") {
    const auto mode = value.is_string() ? parse_mode(value.get<std::string>()) : std::nullopt;
    if (!mode) return bad_key(path, key, "auto, locked or open");
    settings.mode = *mode;
    settings.mode_fixed = owner == Owner::admin;
    return {};
  }
  if (key == "level" || (key == "floor" && owner == Owner::admin)) {
    auto level = level_value(value, path, key);
    if (!level) return std::unexpected(level.error());
    (key == "level" ? settings.mode_level : settings.floor) = *level;
    return {};
  }
  if (key == "hold_seconds") {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > longest_hold_seconds) {
      return bad_key(path, key, "a whole number from 0 to 86400");
    }
    settings.hold = std::chrono::seconds(value.get<int>());
    return {};
  }
  return fail(Code::bad_settings, "unknown key \"" + key + "\"", path.string());
}

}  // namespace

std::string_view name(Mode mode) {
  return mode_names[static_cast<std::size_t>(mode)];
}

std::optional<Mode> parse_mode(std::string_view text) {
  for (std::size_t i = 0; i < mode_names.size(); ++i) {
    if (mode_names[i] == text) return static_cast<Mode>(i);
  }
  return std::nullopt;
}

SettingsPaths settings_paths(const std::filesystem::path& root) {
  SettingsPaths paths{.admin = root / "etc/icelock/icelock.json", .user = {}};
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (config != nullptr && *config == '/') {
    paths.user = std::filesystem::path(config) / "icelock/icelock.json";
  } else if (home != nullptr && *home == '/') {
    paths.user = std::filesystem::path(home) / ".config/icelock/icelock.json";
  }
  return paths;
}

Result<Settings> load_settings(const SettingsPaths& paths) {
  const auto admin = read_object(paths.admin);
  if (!admin) return std::unexpected(admin.error());
  const auto user = read_object(paths.user);
  if (!user) return std::unexpected(user.error());

  Settings settings;
  for (const auto& [key, value] : user->items()) {
    auto taken = take_key(settings, Owner::user, paths.user, key, value);
    if (!taken) return std::unexpected(taken.error());
  }
  const Level users_level = settings.mode_level;
  settings.mode_level = Level::force_proxy;
  for (const auto& [key, value] : admin->items()) {
    auto taken = take_key(settings, Owner::admin, paths.admin, key, value);
    if (!taken) return std::unexpected(taken.error());
  }
  // A user may be stricter than an admin who keeps WebRTC locked, never looser.
  const bool admins_lock = settings.mode_fixed || admin->contains("level");
  settings.mode_level = admins_lock ? std::max(settings.mode_level, users_level) : users_level;
  return settings;
}

Settings load_or_keep(const SettingsPaths& paths, const std::optional<Settings>& last) {
  auto loaded = load_settings(paths);
  if (loaded) return *loaded;
  // A user's broken file must not take the admin's floor away, nor keep a new one from being heard.
  auto admins = load_settings({.admin = paths.admin, .user = {}});
  Settings kept;
  if (last) {
    kept = *last;
    if (admins) kept.floor = std::max(kept.floor, admins->floor);
  } else {
    if (admins) kept = *admins;
    kept.mode = Mode::locked;
    kept.mode_level = std::max(kept.mode_level, Level::force_proxy);
  }
  kept.problem = loaded.error();
  return kept;
}

Result<void> save_mode(const SettingsPaths& paths, Mode mode, std::optional<Level> level) {
  const auto settings = load_settings(paths);
  if (!settings) return std::unexpected(settings.error());
  if (settings->mode_fixed) return fail(Code::not_permitted, "the admin fixed the mode");
  if (mode == Mode::locked && level.value_or(Level::force_proxy) == Level::unrestricted) {
    return fail(Code::bad_request, "locked needs a level that locks", "level");
  }
  if (level && *level < settings->floor) {
    return fail(Code::below_floor, "looser than the admin's floor",
                std::string(icelock::name(*level)));
  }
  if (paths.user.empty()) return fail(Code::unavailable, "no home folder to keep settings in");
  auto json = read_object(paths.user);
  if (!json) return std::unexpected(json.error());
  (*json)["mode"] = name(mode);
  if (mode == Mode::locked) {
    (*json)["level"] = icelock::name(level.value_or(Level::force_proxy));
  }
  return replace_file(paths.user, json->dump(2) + "\n");
}

}  // namespace icelock::guard
