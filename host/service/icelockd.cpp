// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "app/paint.h"
#include "base/signals.h"
#include "service/daemon.h"
#include "service/doors.h"

// The system service: signals, sockets and the service manager joined to service/daemon.h.

namespace {

using namespace icelock;
using Clock = guard::Clock;

constexpr const char* group_name = "icelock";

std::optional<gid_t> group() {
  const struct group* entry = ::getgrnam(group_name);
  return entry != nullptr ? std::optional(entry->gr_gid) : std::nullopt;
}

// Whoever reads the log may stop reading: then lines are lost, and the guard goes on.
bool write_line(std::string_view words, bool urgent) {
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  std::string line = journal  ? (urgent ? SD_WARNING : SD_INFO)
                     : urgent ? "icelockd: warning: "
                              : "icelockd: ";
  // Words of a caller may be among them, who must not be able to write lines of their own.
  line += app::printable(words.substr(0, PIPE_BUF / 2)) + '\n';
  // A pipe that is writable takes PIPE_BUF bytes at once (pipe(7)).
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0 &&
         ::write(STDERR_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

// The journal reads the level.
void log(std::string_view words, bool urgent) {
  static std::mutex mutex;
  static std::size_t lost = 0;
  const std::scoped_lock lock(mutex);
  if (lost > 0 && write_line(std::to_string(lost) + " lines were lost: nobody took them", true))
    lost = 0;
  if (lost > 0 || !write_line(words, urgent)) ++lost;
}

/// Tells the service manager that the loop turns, at a third of the time that it allows.
class Watchdog {
 public:
  Watchdog() {
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(1, &microseconds) > 0) {
      interval_ = std::chrono::milliseconds(microseconds / 3000);
    }
  }

  int timeout(Clock::time_point now) const {
    if (!interval_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(last_ + *interval_ - now);
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  void beat(Clock::time_point now, const std::string& summary) {
    if (summary != told_) {
      sd_notify(0, ("STATUS=" + summary).c_str());
      told_ = summary;
    }
    if (!interval_ || now - last_ < *interval_) return;
    last_ = now;
    sd_notify(0, "WATCHDOG=1");
  }

 private:
  std::optional<std::chrono::milliseconds> interval_;
  Clock::time_point last_;
  std::string told_;
};

/// Somebody may clear /run: a service that nobody can ask any more must say so, and come back.
class DoorWatch {
 public:
  DoorWatch(std::filesystem::path root, app::Doors& doors)
      : root_(std::move(root)), doors_(doors) {}

  void look(app::Daemon& daemon) {
    if (app::doors_are_there(root_)) {
      said_ = false;
      return;
    }
    if (doors_.own.empty())
      return say(
          "the sockets are gone: systemctl restart icelockd-host.socket icelockd-http.socket");
    auto doors = app::open_doors(root_);
    auto moved = doors ? daemon.move_doors(std::move(doors->frames), std::move(doors->http))
                       : std::unexpected(doors.error());
    if (!moved) return say("the sockets are gone and cannot be made: " + to_string(moved.error()));
    log("the sockets were gone; they are there again", true);
  }

 private:
  void say(const std::string& words) {
    if (!std::exchange(said_, true)) log(words, true);
  }

  std::filesystem::path root_;
  app::Doors& doors_;
  bool said_ = false;
};

/// Until a signal to stop.
void serve(app::Daemon& daemon, DoorWatch& doors, const Fd& signals) {
  Watchdog watchdog;
  std::string told;
  std::vector<pollfd> fds;
  for (;;) {
    const std::string summary = daemon.summary();
    if (summary != told) log(told = summary, false);
    watchdog.beat(Clock::now(), summary);
    fds.assign({{signals.get(), POLLIN, 0}});
    daemon.add_to(fds);
    int timeout = daemon.timeout(Clock::now());
    if (const int beat = watchdog.timeout(Clock::now()); beat >= 0)
      timeout = std::min(timeout, beat);
    ::poll(fds.data(), fds.size(), timeout);
    signalfd_siginfo signal{};
    while (::read(signals.get(), &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo != SIGHUP) return;
      log("reading the settings again", false);
      daemon.reload();
    }
    daemon.handle();
    doors.look(daemon);
  }
}

int run(const std::filesystem::path& root) {
  // Policy files must be readable for the browsers' users, whatever the caller's umask was.
  ::umask(0022);
  // A few threads that rarely allocate need no arena each.
  ::mallopt(M_ARENA_MAX, 2);
  std::signal(SIGPIPE, SIG_IGN);
  const Fd signals = blocked_signals({SIGINT, SIGTERM, SIGHUP});
  auto doors = app::open_doors(root);
  if (!doors) {
    log(to_string(doors.error()), true);
    return info(doors.error().code).exit_code;
  }
  auto daemon = app::Daemon::open({.root = root,
                                   .group = group(),
                                   .frames = std::move(doors->frames),
                                   .http = std::move(doors->http),
                                   .log = log});
  if (!daemon) {
    log(to_string(daemon.error()), true);
    return info(daemon.error().code).exit_code;
  }
  sd_notify(0, "READY=1");
  DoorWatch watch(root, *doors);
  serve(**daemon, watch, signals);
  sd_notify(0, "STOPPING=1");
  (*daemon)->settle(std::chrono::seconds(3));
  // Before the doors close, so that whoever is told that the service went finds none.
  for (const auto& path : doors->own) ::unlink(path.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "icelockd guards the whole machine: it watches the network, tells icelock-host and icelock\n"
      "what was decided, and while it runs writes the browsers' policy for icelock.",
      "icelockd");
  std::filesystem::path root = "/";
  app.set_version_flag("--version", ICELOCK_VERSION);
  app.add_option("--root", root, "Use the system files below this folder instead of /")
      ->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  return run(root);
}
