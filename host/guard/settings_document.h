// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "policy/store.h"

namespace icelock::guard {

/// An admin's policy for every browser (policies/policy.schema.json): what `icelock plan`, `apply`
/// and `export` are given.
struct PolicyDocument {
  std::optional<Level> level;                ///< for browsers that are not named
  std::map<std::string, Level> browsers;     ///< by id
  std::vector<policy::SiteException> sites;  ///< those of the presets among them
  bool private_windows = false;              ///< force_proxy in private windows
  std::map<BrowserFamily, policy::ExtensionInstall> extension;
  /// What it states of the guard's settings: keys of etc/icelock/icelock.json, values as JSON.
  std::map<std::string, std::string> settings;
  std::string text;  ///< the whole document as JSON

  /// What it asks of these browsers; those that it says nothing about are left out.
  policy::Wanted wanted(const std::vector<const policy::Browser*>& browsers) const;
};

/// Whether it gives any browser or site a level that is looser than this one.
bool goes_below(const PolicyDocument& document, Level floor);

/// Errors: not_found; bad_settings, with the key and the line; those of read_file.
Result<PolicyDocument> load_policy_document(const std::filesystem::path& path);
/// The same of a document's text; `path` is for messages.
Result<PolicyDocument> parse_policy_document(const std::string& text,
                                             const std::filesystem::path& path);

}  // namespace icelock::guard
