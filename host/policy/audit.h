// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/browsers.h"
#include "policy/store.h"

// What is really in force on a machine and why: every policy source of every browser, whoever owns
// it, and the mistakes in them. Reads only; looks at nothing outside the root, but for
// add_running(). A file that cannot be read or understood is a finding, never an end of the audit.

namespace icelock::policy {

enum class Severity { info, warning, error };
/// "info", "warning", "error".
std::string_view name(Severity severity);

/// One kind of finding. The table is append-only: fleet tools key on `id`.
struct Rule {
  std::string_view id;  ///< "value_unknown"
  Severity severity;
  std::string_view title;  ///< for a list of rules
  std::string_view fix;    ///< what to do, unless the finding says it closer
  /// It means that what was asked for does not hold, not only that something is unwise.
  bool drift = false;
  // NOLINTNEXTLINE(readability-redundant-member-init): most rows leave it out
  std::string_view maps_to = {};  ///< the item of a public benchmark that asks for the same
};
std::span<const Rule> audit_rules();

struct Finding {
  const Rule* rule;
  std::string browser;  ///< id
  std::string file;     ///< absolute, root included; a process for a running browser; may be empty
  std::string key;      ///< may be empty
  std::string text;     ///< one sentence
  std::string fix;      ///< one sentence; may be empty for what only needs to be known
};

/// A policy about WebRTC as one of the places that a browser may read sets it: the file that wins.
struct Winner {
  std::string key;
  std::string value;  ///< compact JSON
  std::string file;   ///< absolute, root included
};

struct BrowserAudit {
  const Browser* browser;
  bool installed_here = false;            ///< the program is there
  std::optional<WantedPolicy> wanted;     ///< empty: nothing was asked for
  std::optional<Level> level;             ///< see Store::installed, wanted exceptions aside
  std::vector<SiteException> exceptions;  ///< the wanted ones that are in force
  std::vector<Winner> in_force;
};

struct Audit {
  /// There was something to hold the machine against: what a service decided or icelock wrote.
  bool compared = false;
  std::vector<BrowserAudit> browsers;  ///< those installed, and those with policy files
  std::vector<Finding> findings;

  /// The texts of this browser's findings that say that what was asked for does not hold.
  std::vector<std::string> problems_of(std::string_view browser) const;
  bool drift() const;
  /// Nothing but information was found.
  bool clean() const;
};

/// `wanted`: what must hold, when a service decides it. Without it, what the ledger says icelock
/// wrote must hold. `settings`: why the guard refuses its settings file, which policy cannot judge.
/// Error: those of Tree::open.
Result<Audit> audit(const std::filesystem::path& root, const std::optional<Wanted>& wanted = {},
                    const std::optional<Error>& settings = {});

/// Adds what the caller's own running browsers (for root everybody's) and the caller's own profiles
/// override or hide: command lines from /proc, preferences below `home`. Of this very machine, so
/// not for another root.
void add_running(Audit& audit, const std::filesystem::path& home);

/// Where what the files of all owners give is not as wanted: the texts of the audit's findings.
std::vector<std::string> not_in_force(const std::filesystem::path& root, const Wanted& wanted);

}  // namespace icelock::policy
