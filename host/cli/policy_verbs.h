// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/policy_wanted.h"
#include "base/error.h"
#include "base/level.h"
#include "policy/manifest.h"

// The verbs of `icelock` that change what browsers are told: plan, apply, revert, setup, unsetup.
// Each writes its result to `out`, problems to `err`, and returns the exit code of the program. A
// failure is one line on `err`, "icelock: <what>: <object> [<code>]"; with json it is an object on
// `out` instead: {"v":1,"ok":false,"code":...,"what":...,"object":...}. With json `out` gets
// exactly one object.

namespace icelock::app {

struct PolicyOptions {
  std::filesystem::path root = "/";
  std::vector<std::string> browsers;  ///< ids; empty: see each verb
  std::optional<Level> level;         ///< empty: default_level
  std::filesystem::path document;     ///< a policy document instead of `level`; empty: none
  std::string fingerprint;            ///< apply only a plan with this one
  bool unplanned = false;             ///< apply whatever the plan is by now
  std::string reason;                 ///< of apply and revert, for the history
  bool json = false;
  bool colour = false;                        ///< for the terminal; never used with json
  policy::Scope scope = policy::Scope::user;  ///< setup and unsetup
  std::filesystem::path home;                 ///< for the user scope
  std::filesystem::path host_program;         ///< absolute path of icelock-host, for setup
};

/// Exit code of plan when something would change.
inline constexpr int changes_pending = 2;
/// Exit code of apply when the files are written, and yet what was read back is looser than asked
/// for: somebody else's file wins.
inline constexpr int not_obeyed = 4;

/// Prints an error of one of these verbs and gives its exit code.
int report(const PolicyOptions& options, const Error& error, std::ostream& out, std::ostream& err);

/// What apply would change. 0: nothing; 2: changes pending.
int run_plan(const PolicyOptions& options, std::ostream& out, std::ostream& err);
/// Without a fingerprint, and not unplanned, the same as run_plan, its 2 included: nothing is
/// written that was not planned. 0: the files are as asked for, and nothing else outranks them; 4:
/// see not_obeyed.
int run_apply(const PolicyOptions& options, std::ostream& out, std::ostream& err);
/// Without browsers: everything that icelock changed. 0 also when there was nothing.
int run_revert(const PolicyOptions& options, std::ostream& out, std::ostream& err);
/// Each apply and revert that changed something, the oldest first.
int run_history(const PolicyOptions& options, std::ostream& out, std::ostream& err);
/// Writes the native-messaging manifests, and says how to load the extension.
int run_setup(const PolicyOptions& options, std::ostream& out, std::ostream& err);
/// Without browsers: of every browser that icelock knows, installed or not.
int run_unsetup(const PolicyOptions& options, std::ostream& out, std::ostream& err);

}  // namespace icelock::app
