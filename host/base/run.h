// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"

namespace icelock {

struct RunResult {
  int exit_code = 0;
  std::string output;  ///< what it wrote to stdout
};

/// Runs a program by its absolute path, without a shell, with stdin from /dev/null and stderr passed on,
/// and waits. At `limit` it is killed and the error is timeout; more than 1 MiB of output is too_large.
/// Blocks; safe to call from any one thread.
Result<RunResult> run_program(const std::vector<std::string>& argv, std::chrono::milliseconds limit);

}  // namespace icelock
