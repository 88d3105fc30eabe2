// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "guard/settings_document.h"
#include "ipc/message.h"
#include "policy/store.h"

// What plan and apply are asked for, and what that comes down to on this machine: for `icelock` and
// for icelockd by the same functions. Nothing is changed here.

namespace icelock::app {

/// A policy file cannot follow the network, so without a level it is the strictest that still lets
/// calls through a proxy.
inline constexpr Level default_level = Level::force_proxy;

struct PolicyWish {
  std::vector<std::string> browsers;  ///< ids; none: those that are installed or in the document
  std::optional<Level> level;         ///< none: default_level
  std::optional<guard::PolicyDocument> document;  ///< instead of a level
};

/// The arguments `browsers`, `level` and `document` of an operation. Errors: bad_request, and those
/// of the document.
Result<PolicyWish> wish_field(const ipc::Json& body);

/// By the document, or the level for each browser. Error not_found when it is about nothing that is
/// here; bad_settings when the machine's settings are broken.
Result<policy::Wanted> wanted(const std::filesystem::path& root, const PolicyWish& wish);

/// Whether the service is to write the browsers' policies by itself.
bool is_managed(const std::filesystem::path& root);
/// Error busy, for who would write them then, unless it is about the guard's settings alone.
Result<void> check_unmanaged(const Result<policy::Wanted>& wanted);

/// What a person must know of the document and this machine's settings.
std::vector<std::string> machine_notes(const std::filesystem::path& root, const PolicyWish& wish);

}  // namespace icelock::app
