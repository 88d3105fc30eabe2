// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"

namespace icelock {

struct RunResult {
  int exit_code = 0;   ///< as the shell has it: 128 + the signal when one ended the program
  std::string output;  ///< what it wrote to stdout
};

/// Runs a program by its absolute path, without a shell, with stdin from /dev/null and stderr
/// passed on, and waits until it has ended and its stdout is closed. It gets no other descriptor of
/// ours, no blocked signal, and a process group of its own. At `limit` it is killed with its whole
/// group and the error is timeout; the same for more than 1 MiB of output, which is too_large.
/// not_found and not_permitted when it cannot be started, io for the rest. Blocks; safe to call
/// from several threads at once. The program is killed when the calling thread ends, so it never
/// outlives icelock.
Result<RunResult> run_program(const std::vector<std::string>& argv,
                              std::chrono::milliseconds limit);

}  // namespace icelock
