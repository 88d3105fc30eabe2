// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "base/level.h"

// One row per browser. Paths are relative to the root (no leading slash); user paths are relative
// to $HOME. Sources: Chromium components/policy (policy_paths.cc), brave-core main delegate,
// Chromium native_messaging docs, mozilla/policy-templates, MDN "Native manifests".

namespace icelock::policy {

struct Browser {
  // NOLINTBEGIN(readability-redundant-*-init): without them each row would have to name these.
  std::string_view id;    ///< "chromium", as in every command and file of icelock
  std::string_view name;  ///< for people
  BrowserFamily family;
  /// Absolute paths (without the slash) that show it is installed.
  std::span<const std::string_view> programs = {};
  std::string_view policy_path;  ///< Chromium family: the managed folder; Firefox: policies.json
  /// A second place, where the vendor does not say which one is read (Vivaldi): both are written,
  /// and only what both say is believed. Empty: there is none.
  std::string_view other_policy_path = "";
  std::string_view level_key = "";  ///< Chromium family: the policy that takes the handling
  /// The level key alone does not reach a running browser, so WebRtcIPHandlingUrl says the same for
  /// "*" (Edge: WebRtcLocalhostIpHandling is not refreshed). Nowhere else: see chromium_url_key.
  bool needs_url_list = false;
  /// The release of this browser's engine that reads WebRtcIPHandlingUrl first; 0: it never does.
  int sites_since = 0;
  /// The Debian package whose version is the engine's; empty: there is none.
  std::string_view package = "";
  std::string_view system_manifests = "";
  std::string_view other_system_manifests = "";  ///< a second place, as above; empty: there is none
  std::string_view user_manifests = "";
  std::string_view registry_key = "";  ///< Windows policies, below HKEY_LOCAL_MACHINE
  std::string_view mac_domain = "";    ///< macOS managed preferences
  // NOLINTEND(readability-redundant-*-init)
};

std::span<const Browser> browsers();
/// nullptr when there is no such browser.
const Browser* find_browser(std::string_view id);
/// Whose program that is, absolute or relative to the root. Also by the folder, where a browser has
/// one to itself: what the table names is often a script beside the program itself, such as
/// Vivaldi's vivaldi-bin. nullptr: none of these.
const Browser* browser_of_program(const std::filesystem::path& program);

/// No browser: the admin's settings of the guard (etc/icelock/icelock.json), which a policy
/// document may state too. A plan changes that file as it does a browser's, under this id. Not in
/// browsers().
inline constexpr std::string_view settings_id = "icelock";
const Browser& settings_owner();

/// The name of icelock's own file in a Chromium-family policy folder. The last name in byte order
/// wins for each key (Chromium config_dir_policy_loader.cc), and few names come after this one.
inline constexpr std::string_view chromium_file_name = "zz-icelock.json";

/// Where Firefox looks when its policy_path does not exist; as soon as that exists, these are
/// ignored (Firefox EnterprisePoliciesParent.sys.mjs). Relative to the root.
std::span<const std::string_view> firefox_distribution_files();

/// The name under which browsers start the host, and the only callers that it accepts.
inline constexpr std::string_view native_host_name = "icelock.host";
inline constexpr std::string_view chromium_extension_id = "ijhcpjklckmohbkaoncmpefjopcblpfa";
inline constexpr std::string_view firefox_extension_id = "icelock@icelock.extension";

}  // namespace icelock::policy
