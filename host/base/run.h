// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace icelock {

/// Somebody other than root.
struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// For whom root should do what needs no root: who called sudo, else nobody. None when this process
/// is not root.
std::optional<User> user_instead_of_root();

struct RunResult {
  int exit_code = 0;   ///< as the shell has it: 128 + the signal when one ended the program
  std::string output;  ///< what it wrote to stdout
};

/// Runs a program by its absolute path, without a shell, with stdin from /dev/null and stderr
/// passed on, and waits until it has ended and its stdout is closed. It gets no other descriptor of
/// ours, no blocked signal, and a process group of its own; `as` takes root away before it starts.
/// At `limit` it is killed with its whole group and the error is timeout; the same for more than 1
/// MiB of output, which is too_large. not_found and not_permitted when it cannot be started, io for
/// the rest. Blocks; safe to call from several threads at once. The program is killed when the
/// calling thread ends, so it never outlives icelock. A process that was started with SIGCHLD
/// ignored stops to ignore it.
Result<RunResult> run_program(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                              std::optional<User> as = {});

struct StartOptions {
  std::optional<User> as;                               ///< as above
  std::optional<std::vector<std::string>> environment;  ///< "NAME=value"; none: ours
  int output = -1;      ///< a descriptor for stdout and stderr; -1: ours
  int when_we_end = 0;  ///< the signal that it gets when the calling thread ends
};

/// A program that goes on by itself. Nothing is done to it at the end; end_children() is for that.
struct Started {
  pid_t pid = 0;
  Fd ended;  ///< a pidfd: readable when it has ended

  /// None while it runs. Reaps it; to be asked once after that.
  std::optional<int> exit_code();
};

/// Starts a program as run_program() does. Errors as there.
Result<Started> start_program(const std::vector<std::string>& argv, const StartOptions& options);

/// From now on whatever a child of this process leaves behind becomes a child of this process too.
void adopt_orphans();

/// Kills all children and, after adopt_orphans(), whatever they started, and waits until they are
/// gone, but no longer than `limit`. True when none is left.
bool end_children(std::chrono::milliseconds limit);

}  // namespace icelock
