// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/level.h"
#include "guard/settings.h"

// One function per verb of `icelock`. Each returns the exit code; text for people and JSON go to
// `out`, problems to `err`.

namespace icelock::app {

struct Output {
  std::ostream& out;
  std::ostream& err;
  bool json = false;
  bool colour = false;
};

int run_status(const std::filesystem::path& root, const Output& output);
/// Prints the state now and at each change, until `stop_fd` (a signalfd) is readable or output
/// fails.
int run_watch(const std::filesystem::path& root, int stop_fd, const Output& output);
int run_mode(const std::filesystem::path& root, guard::Mode mode, std::optional<Level> level,
             const Output& output);
/// `stun`: an address or a name, with an optional :port; empty contacts nobody.
int run_probe(const std::string& stun, const Output& output);

/// What a page could learn on this network, for each browser family, level and permission.
/// `stun` as for run_probe().
int run_predict(const std::filesystem::path& root, const std::string& stun, const Output& output);

/// Prints an error the way every verb does and gives its exit code.
int report_error(const Error& error, const Output& output);

}  // namespace icelock::app
