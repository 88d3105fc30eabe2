// SPDX-License-Identifier: Apache-2.0
#include "guard/settings.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "guard/settings_file.h"

namespace icelock::guard {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> mode_names = {"auto", "locked", "open"};
enum class Owner { admin, user };

// The schema has settled which keys and values there can be.
void take_key(Settings& settings, Owner owner, const std::string& key, const ordered_json& value) {
  if (key == "mode") {
    settings.mode = parse_mode(value.get<std::string>()).value_or(Mode::locked);
    settings.mode_fixed = owner == Owner::admin;
  } else if (key == "level") {
    settings.mode_level = parse_level(value.get<std::string>()).value_or(Level::disabled);
  } else if (key == "floor") {
    settings.floor = parse_level(value.get<std::string>()).value_or(Level::disabled);
  } else if (key == "hold_seconds") {
    settings.hold = std::chrono::seconds(value.get<int>());
  } else if (key == "modes") {
    for (const auto& word : value) {
      settings.modes.push_back(parse_mode(word.get<std::string>()).value_or(Mode::locked));
    }
    std::ranges::sort(settings.modes);
  } else if (key == "protected") {
    for (const auto& word : value) {
      (word == "lan" ? settings.protection.lan : settings.protection.tunnel) = true;
    }
  } else if (key == "accept") {
    settings.protection.accept_isp_v6 = !value.empty();
    settings.accept_fixed = owner == Owner::admin;
  } else if (key == "links") {
    auto& links = owner == Owner::admin ? settings.links : settings.own_links;
    for (const auto& [link, role] : value.items()) {
      links.push_back({link, net::parse_role(role.get<std::string>()).value_or(net::Role::uplink)});
    }
  } else if (key == "extensions") {
    settings.extensions = value.get<std::vector<std::string>>();
  } else if (key == "manage_policies") {
    settings.manage_policies = value.get<bool>();
  } else if (key == "browsers") {
    settings.browsers = value.get<std::vector<std::string>>();
  } else if (key == "sites") {
    for (const ordered_json& site : value) {
      auto pattern = policy::normal_pattern(site.at("pattern").get<std::string>());
      const auto level = parse_level(site.value("level", "default_route_only"));
      if (pattern && level) settings.sites.push_back({std::move(*pattern), *level});
    }
  }
}

void keep_to_floor(Settings& settings) {
  std::erase_if(settings.sites, [&](const auto& site) { return site.level < settings.floor; });
}

// A user's mode that is not allowed gives way to the first that is, in the order of the type.
void keep_to_modes(Settings& settings) {
  if (!settings.mode_fixed && !may_choose(settings, settings.mode)) {
    settings.mode = settings.modes.front();
  }
}

Settings joined(const ordered_json& admin, const ordered_json& user) {
  Settings settings;
  for (const auto& [key, value] : user.items()) take_key(settings, Owner::user, key, value);
  const Level users_level = settings.mode_level;
  const bool users_accept = std::exchange(settings.protection.accept_isp_v6, false);
  settings.mode_level = Level::force_proxy;
  for (const auto& [key, value] : admin.items()) take_key(settings, Owner::admin, key, value);
  // A user may be stricter than an admin who keeps WebRTC locked, never looser.
  const bool admins_lock = settings.mode_fixed || admin.contains("level");
  settings.mode_level = admins_lock ? std::max(settings.mode_level, users_level) : users_level;
  settings.protection.accept_isp_v6 |= users_accept && may_accept(settings);
  keep_to_floor(settings);
  keep_to_modes(settings);
  return settings;
}

/// What a file says, or said when it could be read last; `text`: none, it never could.
struct Part {
  bool reads = false;
  ordered_json json;
  std::optional<std::string> text;
};

Part read_part(const std::filesystem::path& path, std::string_view schema,
               const std::optional<std::string>& before, std::optional<Error>& problem) {
  const auto file = read_settings_file(path, schema);
  if (file) return {true, *file, file->dump()};
  if (!problem) problem = file.error();
  return {false, ordered_json::parse(before.value_or("{}")), before};
}

}  // namespace

bool may_choose(const Settings& settings, Mode mode) {
  if (settings.mode_fixed) return false;
  return settings.modes.empty() || std::ranges::find(settings.modes, mode) != settings.modes.end();
}

std::vector<net::NamedRole> Settings::all_links() const {
  std::vector<net::NamedRole> all = own_links;
  all.insert(all.end(), links.begin(), links.end());
  return all;
}

bool may_accept(const Settings& settings) {
  return !settings.accept_fixed && may_choose(settings, Mode::open) &&
         settings.floor == Level::unrestricted;
}

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
  SettingsPaths paths{.admin = root / "etc/icelock/icelock.json", .user = {}, .kept = {}};
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
  Settings settings = load_or_keep(paths, std::nullopt);
  if (settings.problem) return std::unexpected(*settings.problem);
  return settings;
}

Result<void> check_settings(const std::string& text, const std::filesystem::path& path) {
  const auto object = parse_settings(text, admin_schema, path);
  return object ? Result<void>() : std::unexpected(object.error());
}

Settings load_or_keep(const SettingsPaths& paths, const std::optional<Settings>& last) {
  const Settings before = last.value_or(Settings());
  std::optional<Error> problem;
  Part admin = read_part(paths.admin, admin_schema, before.admins, problem);
  Part user = read_part(paths.user, user_schema, before.users, problem);
  // That an address may be seen is not to outlive the user's word for it.
  if (!user.reads) user.json.erase("accept");
  // What an earlier process managed stays managed, and is locked.
  if (!admin.text) {
    admin.json = read_settings_file(paths.kept, admin_schema).value_or(ordered_json::object());
  }
  Settings settings = joined(admin.json, user.json);
  if (!admin.text || !user.text) {
    settings.mode = Mode::locked;
    settings.mode_level = std::max(settings.mode_level, Level::force_proxy);
  }
  settings.admins = std::move(admin.text);
  settings.users = std::move(user.text);
  settings.problem = std::move(problem);
  return settings;
}

Result<void> keep_for_a_start(const SettingsPaths& paths, const Settings& settings) {
  if (paths.kept.empty() || !settings.admins) return {};
  const std::string text = *settings.admins + "\n";
  if (read_file(paths.kept).value_or("") == text) return {};
  return replace_file(paths.kept, text, 0600);
}

Result<void> save_mode(const SettingsPaths& paths, Mode mode, std::optional<Level> level) {
  const auto settings = load_settings(paths);
  if (!settings) return std::unexpected(settings.error());
  if (settings->mode_fixed) return fail(Code::not_permitted, "the admin fixed the mode");
  if (!may_choose(*settings, mode)) {
    return fail(Code::not_permitted, "the admin does not allow this mode", std::string(name(mode)));
  }
  if (mode == Mode::locked && level.value_or(Level::force_proxy) == Level::unrestricted) {
    return fail(Code::bad_request, "locked needs a level that locks", "level");
  }
  if (level && *level < settings->floor) {
    return fail(Code::below_floor, "looser than the admin's floor",
                std::string(icelock::name(*level)));
  }
  if (paths.user.empty()) return fail(Code::unavailable, "no home folder to keep settings in");
  auto json = TRY(read_settings_file(paths.user, user_schema));
  json["mode"] = name(mode);
  if (mode == Mode::locked) {
    json["level"] = icelock::name(level.value_or(Level::force_proxy));
  }
  return replace_file(paths.user, json.dump(2) + "\n");
}

}  // namespace icelock::guard
