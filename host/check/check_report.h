// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "app/print.h"
#include "base/error.h"
#include "check/check_page.h"
#include "ice/exposure.h"
#include "ipc/message.h"
#include "net/network.h"
#include "policy/browsers.h"

namespace icelock::app {

/// One address that a browser showed.
struct Finding {
  ice::Exposure exposure;
  ice::Permission permission = ice::Permission::none;  ///< what a page needs to learn it
  std::vector<std::string> sources;
  bool leak = false;
};

/// How one browser did.
struct BrowserCheck {
  const policy::Browser* browser = nullptr;
  std::filesystem::path program;
  std::chrono::milliseconds took{0};
  std::optional<Error> error;   ///< why nothing is known; the rest is empty then
  std::optional<Level> policy;  ///< of the installed policy files
  Level level = Level::unrestricted;
  std::vector<Finding> findings;
  std::vector<std::string> advice;

  bool leaks() const;
};

struct CheckReport {
  net::Network network;
  std::vector<std::string> servers;  ///< the STUN servers; empty: only this machine's own
  std::vector<BrowserCheck> browsers;

  /// 3 a leak, 1 a browser that could not be checked, 0 neither.
  int exit_code() const;
};

/// Judges what a browser's pages learnt. Pure.
void judge_answers(BrowserCheck& check, const Answers& answers, const net::Network& network,
                   const guard::Protection& more);

ipc::Json report_json(const CheckReport& report);
void print_report(const CheckReport& report, const Output& output);

}  // namespace icelock::app
