// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "policy/audit.h"
#include "policy/json_parse.h"
#include "policy/tree.h"

// The parts of the audit. Private to policy/.

namespace icelock::policy {

/// Where a finding is.
struct Place {
  const Browser* browser;
  std::string file;  ///< absolute, root included
  std::string key;
};

/// Adds a finding; `rule` is an id of the table. `fix` empty: the rule's own.
void add(Audit& audit, std::string_view rule, Place place, std::string text, std::string fix = {});

/// A name or value that people write and browsers do not know.
struct Lint {
  std::string_view right;  ///< what to write instead; empty: nothing
  std::string_view why;
};
/// A top-level key of a policy file.
std::optional<Lint> lint_key(const Browser& browser, std::string_view key);
/// The value of a key that takes a handling; nullopt: Chromium knows it.
std::optional<Lint> lint_handling(std::string_view value);
/// The pattern of a WebRtcIPHandlingUrl entry; nullopt: fine as far as can be told.
std::optional<Lint> lint_pattern(std::string_view pattern);
/// A file that an editor or package manager left behind, by its name.
bool is_leftover(std::string_view file_name);

/// Everything about the files that this browser reads, and those that it does not.
void audit_chromium(const Tree& tree, const Browser& browser, Audit& audit, BrowserAudit& row);
void audit_firefox(const Tree& tree, const Browser& browser, Audit& audit, BrowserAudit& row);

}  // namespace icelock::policy
