// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string_view>

#include "cli/policy_verbs.h"

namespace icelock::app {

enum class AuditForm { text, json, sarif, metrics };

/// `icelock audit`: 0 nothing but information found, 4 drift or mistakes, icelock's or others'.
/// Asks a service, which alone knows what it decided, and looks itself at what only this user can
/// see.
int run_audit(const PolicyOptions& options, AuditForm form, std::string_view version,
              std::ostream& out, std::ostream& err);

}  // namespace icelock::app
