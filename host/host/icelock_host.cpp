// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <span>

#include "host/host.h"

// What a browser starts. Frames only on the pipe that was standard output; words go to standard
// error.

namespace {

// Anything that prints by mistake must not end up between two frames.
icelock::Fd take_stdout() {
  icelock::Fd own(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  return own;
}

int give_up(int output, const icelock::Error& error) {
  std::fprintf(stderr, "icelock-host: %s\n", icelock::to_string(error).c_str());
  const auto frame = icelock::ipc::encode_frame(icelock::ipc::failure(nullptr, error));
  if (frame && ::isatty(output) == 0) {
    [[maybe_unused]] const ssize_t n = ::write(output, frame->data(), frame->size());
  }
  return icelock::info(error.code).exit_code;
}

}  // namespace

constexpr const char* admin_settings = "/etc/icelock/icelock.json";

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const icelock::Fd output = take_stdout();
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  auto family = icelock::app::caller(arguments);
  if (!family) {
    // Only the admin may add a caller; a settings file that is wrong adds none.
    const auto admins =
        icelock::guard::load_settings({.admin = admin_settings, .user = {}, .kept = {}});
    if (admins) family = icelock::app::caller(arguments, admins->extensions);
  }
  if (!family) return give_up(output.get(), family.error());
  auto live = icelock::app::Live::open_for_user("/");
  if (!live) return give_up(output.get(), live.error());
  return icelock::app::Host(STDIN_FILENO, output.get(), *family, std::move(*live),
                            icelock::app::service_socket("/"))
      .run();
}
