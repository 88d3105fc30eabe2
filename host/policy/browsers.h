// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "base/level.h"

// One row per browser. Paths are relative to the root (no leading slash); user paths are relative to $HOME.
// Sources: Chromium components/policy (policy_paths.cc), brave-core main delegate, Chromium
// native_messaging docs, mozilla/policy-templates, MDN "Native manifests".

namespace icelock::policy {

struct Browser {
  std::string_view id;    ///< "chromium", as in every command and file of icelock
  std::string_view name;  ///< for people
  BrowserFamily family;
  std::span<const std::string_view> programs;  ///< absolute paths (without the slash) that show it is installed
  std::string_view policy_path;    ///< Chromium family: the managed folder; Firefox: policies.json
  std::string_view level_key;      ///< Chromium family: the policy that takes the handling
  std::string_view system_manifests;
  std::string_view user_manifests;
};

std::span<const Browser> browsers();
/// nullptr when there is no such browser.
const Browser* find_browser(std::string_view id);

/// The name under which browsers start the host, and the only callers that it accepts.
inline constexpr std::string_view native_host_name = "icelock.host";
inline constexpr std::string_view chromium_extension_id = "ijhcpjklckmohbkaoncmpefjopcblpfa";
inline constexpr std::string_view firefox_extension_id = "icelock@icelock.extension";

}  // namespace icelock::policy
