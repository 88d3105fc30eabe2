// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/browsers.h"
#include "policy/tree.h"

// What a browser takes from all policy files of all owners together. Private to policy/.

namespace icelock::policy {

struct Setting {
  std::string value;  ///< compact JSON
  std::string file;   ///< the name of the file that it came from
};

struct InForce {
  std::map<std::string, Setting>
      settings;                      ///< the policies about WebRTC addresses and of extensions
  std::vector<std::string> ignored;  ///< files that the browser cannot read or understand

  /// Empty when it is not set.
  std::string value(std::string_view key) const;
};

struct NamedFile {
  std::string name;
  std::optional<std::string> bytes;  ///< nullopt: not a file that everybody may read
};

/// All files of a Chromium-family policy folder in byte order of their names.
Result<std::vector<NamedFile>> read_policy_folder(const Tree& tree, std::string_view folder);

/// `files` with the one called `name` replaced, added or (nullopt) taken out.
std::vector<NamedFile> with_file(std::vector<NamedFile> files, std::string_view name,
                                 const std::optional<std::string>& bytes);

/// Whole-key replacement, the last file wins, broken files ignored (Chromium
/// config_dir_policy_loader.cc).
InForce chromium_in_force(const Browser& browser, const std::vector<NamedFile>& files);

/// What recommended/ beside the managed `folder` gives the level key, as JSON text; empty: nothing.
/// An extension, the command line and the profile may all say otherwise, so that it counts for no
/// more than what icelock writes there, and for nothing where it is looser than that.
std::string recommended_value(const Tree& tree, const Browser& browser, const std::string& folder);

/// What is in force of one extension.
struct ExtensionInForce {
  std::map<std::string, Setting> install;   ///< "installation_mode", "update_url", "install_url"...
  std::map<std::string, Setting> settings;  ///< the managed settings, by name
  std::string winner;                       ///< the file whose ExtensionSettings counts, if any
};
/// `files` in the order in which the last one wins; for Firefox its one file. In Chromium one
/// file's ExtensionSettings counts as a whole, and outranks ExtensionInstallForcelist
/// (extension_management.cc); the managed settings are taken together from all files, key by key.
ExtensionInForce extension_in_force(const Browser& browser, const std::vector<NamedFile>& files,
                                    std::string_view id);

/// The files that Firefox reads when its policy_path is not there, those that exist.
std::vector<NamedFile> firefox_distribution(const Tree& tree);

/// Names of policies that icelock looks at besides its own two.
inline constexpr std::string_view local_ips_key = "WebRtcLocalIpsAllowedUrls";
inline constexpr std::string_view misspelt_key = "WebRtcIPHandlingPolicy";

}  // namespace icelock::policy
