// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "app/helper.h"
#include "base/run.h"
#include "base/signals.h"
#include "cli/verbs.h"
#include "ipc/message.h"

// `icelock check`: starts icelock-check and outlives it, so that whichever of the two is killed,
// the other ends the browsers and takes their profiles away.

namespace icelock::app {
namespace {

constexpr std::chrono::seconds to_stop{10};

/// A folder of its own that goes with this object.
class ScratchFolder {
 public:
  explicit ScratchFolder(std::optional<User> owner) {
    std::error_code problem;
    std::string pattern = std::filesystem::temp_directory_path(problem) / "icelock-check-XXXXXX";
    if (problem || ::mkdtemp(pattern.data()) == nullptr) return;
    path_ = pattern;
    if (owner && ::chown(path_.c_str(), owner->uid, owner->gid) != 0) remove();
  }
  ~ScratchFolder() { remove(); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }  ///< empty: could not be made

 private:
  void remove() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    path_.clear();
  }

  std::filesystem::path path_;
};

int wait_for(Started& worker, int stop) {
  pollfd fds[] = {{worker.ended.get(), POLLIN, 0}, {stop, POLLIN, 0}};
  ::poll(fds, 2, -1);
  if (fds[0].revents == 0) {
    ::kill(worker.pid, SIGTERM);
    ::poll(fds, 1, static_cast<int>(std::chrono::milliseconds(to_stop).count()));
  }
  return worker.exit_code().value_or(1);
}

}  // namespace

int run_check(const CheckOptions& options, const Output& output) {
  const auto program = own_program("icelock-check");
  if (!program) return report_error(program.error(), output);
  // Plain root has no other user whose browsers these could be.
  std::optional<User> user = std::getenv("SUDO_UID") ? user_instead_of_root() : std::nullopt;
  const bool is_root = ::geteuid() == 0 && !user;
  if (is_root) {
    output.err << "icelock: as root, the browsers run without their sandbox; they open only a page "
                  "of icelock's own\n";
  }
  const Fd stop = blocked_signals({SIGTERM, SIGINT, SIGHUP});
  const ScratchFolder folder(user);
  if (folder.path().empty()) {
    return report_error({Code::io, "cannot make a folder for the browsers' profiles", ""}, output);
  }
  const ipc::Json task = {{"root", options.root.string()},
                          {"folder", folder.path().string()},
                          {"browsers", options.browsers},
                          {"stun", options.stun},
                          {"timeout", options.timeout.count()},
                          {"json", output.json},
                          {"colour", output.colour},
                          {"progress", ::isatty(STDERR_FILENO) != 0}};
  adopt_orphans();
  auto worker =
      start_program({program->string(), ipc::text_of(task)},
                    {.as = user, .environment = {}, .output = -1, .when_we_end = SIGTERM});
  if (!worker) return report_error(worker.error(), output);
  const int code = wait_for(*worker, stop.get());
  end_children(to_stop);
  if (code <= 128) return code;
  return report_error({Code::unavailable, "icelock-check was ended by a signal", ""}, output);
}

}  // namespace icelock::app
