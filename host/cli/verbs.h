// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "app/print.h"
#include "base/level.h"
#include "guard/settings.h"
#include "ipc/message.h"

// One function per verb of `icelock`. Each returns the exit code; text for people and JSON go to
// `out`, problems to `err`.

namespace icelock::app {

int run_status(const std::filesystem::path& root, const Output& output);
/// Prints the state now and at each change, until `stop_fd` (a signalfd) is readable or output
/// fails.
int run_watch(const std::filesystem::path& root, int stop_fd, const Output& output);
int run_mode(const std::filesystem::path& root, guard::Mode mode, std::optional<Level> level,
             const Output& output);

/// The exceptions of the machine's service.
int run_sites(const std::filesystem::path& root, const Output& output);
struct SiteWish {
  std::string pattern;
  std::optional<Level> level;
  std::optional<std::uint64_t> seconds;  ///< none: until it is denied
};
int run_allow(const std::filesystem::path& root, const SiteWish& wish, const Output& output);
int run_deny(const std::filesystem::path& root, const std::string& pattern, const Output& output);
/// One Site of docs/protocol.md as a sentence.
std::string site_line(const ipc::Json& site);

/// `stun`: an address or a name, with an optional :port; empty contacts nobody.
int run_probe(const std::string& stun, const Output& output);

/// What a page could learn on this network, for each browser family, level and permission. `stun`
/// as for run_probe().
int run_predict(const std::filesystem::path& root, const std::string& stun, const Output& output);

struct CheckOptions {
  std::filesystem::path root;
  std::vector<std::string> browsers;  ///< ids; empty: all that are installed
  std::vector<std::string> stun;      ///< as above; empty: this machine answers itself
  std::chrono::seconds timeout{30};   ///< for each browser
};
/// Lets real browsers open a page that tries to learn this machine's addresses. 0: no leak, 3: a
/// leak, 1: a browser could not be checked.
int run_check(const CheckOptions& options, const Output& output);

}  // namespace icelock::app
