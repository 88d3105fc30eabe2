// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "policy/browsers.h"
#include "policy/store.h"

// Native-messaging manifests: the files that tell a browser where icelock-host is and which
// extension may start it. Chromium wants allowed_origins, Firefox allowed_extensions, so the two
// are never one file.

namespace icelock::policy {

/// The program that browsers start, and who may: besides icelock's own extensions those of the
/// Chromium family with these ids.
struct HostProgram {
  std::filesystem::path path;  ///< absolute
  std::vector<std::string> other_extensions;
};

/// The manifest's bytes.
std::string manifest(const Browser& browser, const HostProgram& host);

enum class Scope { user, system };

struct ManifestChange {
  std::string browser;
  std::filesystem::path path;
  using Kind = Change::Kind;
  Kind kind = Kind::none;
};

/// Writes (or removes) the manifests of these browsers. `home` is used for the user scope, `root`
/// for the system scope. Only a file that names icelock's host is ever replaced or removed. Brave
/// and Chrome share a system folder: removing one removes the other's, and the change list says so.
Result<std::vector<ManifestChange>> install_manifests(const std::vector<const Browser*>& browsers,
                                                      Scope scope,
                                                      const std::filesystem::path& root,
                                                      const std::filesystem::path& home,
                                                      const HostProgram& host);
Result<std::vector<ManifestChange>> remove_manifests(const std::vector<const Browser*>& browsers,
                                                     Scope scope, const std::filesystem::path& root,
                                                     const std::filesystem::path& home);

/// True when the browser's program is on this machine below `root`.
bool is_installed(const Browser& browser, const std::filesystem::path& root);

}  // namespace icelock::policy
