// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "app/policy_verbs.h"
#include "policy/store.h"

// What the words of plan and apply ask for on this machine. Nothing is changed here.

namespace icelock::app {

/// By the document, or the level for each browser. Errors: those of the document; not_found when it
/// is about nothing that is here; busy where the service writes the browsers' policies by itself;
/// bad_settings when the machine's settings are broken.
Result<policy::Wanted> wanted(const PolicyOptions& options);

/// What a person must know of the document and this machine's settings.
std::vector<std::string> machine_notes(const PolicyOptions& options);

}  // namespace icelock::app
