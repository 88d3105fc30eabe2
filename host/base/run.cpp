// SPDX-License-Identifier: Apache-2.0
#include "base/run.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

namespace icelock {
namespace {

namespace asio = boost::asio;
namespace process = boost::process::v2;
using boost::system::error_code;

constexpr std::size_t output_limit = 1 << 20;

/// What Boost 1.81's launcher leaves undone, as a set of its hooks.
struct CleanStart {
  std::optional<User> as;
  int when_we_end = SIGKILL;
  const std::vector<std::string>* environment = nullptr;  ///< nullptr: ours
  std::vector<const char*> words;

  template <class Launcher, class... Any>
  error_code on_setup(Launcher& launcher, Any&&...) {
    if (environment == nullptr) return {};
    for (const std::string& word : *environment) words.push_back(word.c_str());
    words.push_back(nullptr);
    launcher.env = words.data();
    return {};
  }

  /// In the child, before exec: only calls that are safe after fork in a program with threads.
  template <class... Any>
  error_code on_exec_setup(Any&&...) {
    // A group of its own, so that the limit ends what the program started too; as that also takes
    // it out of the terminal's reach, it must not outlive us.
    ::setpgid(0, 0);
    if (as && (::setgroups(0, nullptr) != 0 || ::setresgid(as->gid, as->gid, as->gid) != 0 ||
               ::setresuid(as->uid, as->uid, as->uid) != 0)) {
      return {errno, boost::system::system_category()};
    }
    // After the change of user, which clears it.
    ::prctl(PR_SET_PDEATHSIG, when_we_end);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    (void)std::signal(SIGPIPE, SIG_DFL);
    if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
      return {errno, boost::system::system_category()};
    }
    return {};
  }

  /// In the child, when exec failed. The launcher would call exit(): our own exit handlers and the
  /// buffers of our own streams, a second time.
  template <class... Any>
  void on_exec_error(Any&&...) {
    ::_exit(127);
  }

  /// Here, when the child never became the program. The launcher forgets it.
  template <class Launcher, class... Any>
  void on_error(Launcher& launcher, Any&&...) {
    if (launcher.pid > 0) ::waitpid(launcher.pid, nullptr, 0);
    launcher.pid = -1;
  }
};

/// After an exception: the launcher may have thrown on either side of its fork.
void abandon(const process::posix::default_launcher& launcher) {
  if (launcher.pid == 0) ::_exit(127);
  if (launcher.pid < 0) return;
  ::kill(-launcher.pid, SIGKILL);
  ::waitpid(launcher.pid, nullptr, 0);
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Result<Started> start(process::posix::default_launcher& launcher,
                      const std::vector<std::string>& argv, const StartOptions& options) {
  asio::io_context context;
  const std::vector<std::string> arguments(argv.begin() + 1, argv.end());
  const int out = options.output < 0 ? STDOUT_FILENO : options.output;
  const int err = options.output < 0 ? STDERR_FILENO : options.output;
  error_code problem;
  process::process child =
      launcher(context.get_executor(), problem, argv.front(), arguments,
               process::process_stdio{nullptr, out, err},
               CleanStart{.as = options.as,
                          .when_we_end = options.when_we_end,
                          .environment = options.environment ? &*options.environment : nullptr,
                          .words = {}});
  if (problem) return fail_errno(problem.value(), "cannot run", argv.front());
  child.detach();
  Started started{.pid = launcher.pid,
                  .ended = Fd(static_cast<int>(::syscall(SYS_pidfd_open, launcher.pid, 0)))};
  if (!started.ended) return fail_errno(errno, "cannot watch", argv.front());
  return started;
}

/// Reads /proc, because the kernel's own list of children is an option of its build.
std::vector<pid_t> children() {
  std::vector<pid_t> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
  if (!folder) return found;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    if (std::from_chars(name.begin(), name.end(), pid).ptr != name.end()) continue;
    std::string line;
    std::getline(std::ifstream("/proc/" + std::string(name) + "/stat"), line);
    // "pid (name) state parent ...", and the name may hold anything.
    const std::size_t behind = line.rfind(')');
    if (behind == std::string::npos || line.size() < behind + 5) continue;
    pid_t parent = 0;
    std::from_chars(line.data() + behind + 4, line.data() + line.size(), parent);
    if (parent == ::getpid()) found.push_back(pid);
  }
  return found;
}

std::optional<long> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  long number = 0;
  const auto [end, problem] = std::from_chars(digits.begin(), digits.end(), number);
  if (problem != std::errc{} || end != digits.end() || number <= 0) return std::nullopt;
  return number;
}

/// One run of one program.
class Run {
 public:
  Run(const std::vector<std::string>& argv, std::optional<User> as) : argv_(argv), as_(as) {}

  Result<RunResult> go(std::chrono::milliseconds limit) {
    const std::vector<std::string> arguments(argv_.begin() + 1, argv_.end());
    error_code start_problem;
    child_ =
        launcher_(context_.get_executor(), start_problem, argv_.front(), arguments,
                  process::process_stdio{nullptr, pipe_, {}}, CleanStart{.as = as_, .words = {}});
    if (start_problem) return fail_errno(start_problem.value(), "cannot run", argv_.front());
    listen(limit);
    context_.run();
    return outcome();
  }

  void abandon() {
    if (!reaped_) icelock::abandon(launcher_);
  }

 private:
  void listen(std::chrono::milliseconds limit) {
    auto buffer = asio::dynamic_buffer(output_, output_limit + 1);
    asio::async_read(pipe_, buffer, [this](error_code problem, std::size_t) {
      read_problem_ = problem;
      if (!problem) kill_group();  // the buffer is full
      one_end_done();
    });
    child_.async_wait([this](error_code problem, int) {
      wait_problem_ = problem;
      reaped_ = !problem;
      one_end_done();
    });
    timer_.expires_after(limit);
    timer_.async_wait([this](error_code problem) {
      if (problem) return;
      late_ = true;
      kill_group();
      error_code ignored;
      // NOLINTNEXTLINE(bugprone-unused-return-value): it is `ignored` once more
      pipe_.close(ignored);
    });
  }

  void one_end_done() {
    if (--open_ends_ == 0) timer_.cancel();
  }

  /// Once the child is reaped its number may belong to somebody else.
  void kill_group() const {
    if (!reaped_) ::kill(-launcher_.pid, SIGKILL);
  }

  Result<RunResult> outcome() {
    if (late_) return fail(Code::timeout, "took too long", argv_.front());
    if (!read_problem_) return fail(Code::too_large, "wrote too much", argv_.front());
    if (read_problem_ != asio::error::eof) {
      return fail_errno(read_problem_.value(), "cannot read from", argv_.front());
    }
    if (wait_problem_) {
      return fail_errno(wait_problem_.value(), "cannot wait for", argv_.front());
    }
    return RunResult{exit_code_of(child_.native_exit_code()), std::move(output_)};
  }

  const std::vector<std::string>& argv_;
  std::optional<User> as_;
  asio::io_context context_;
  asio::readable_pipe pipe_{context_};
  asio::steady_timer timer_{context_};
  process::posix::default_launcher launcher_;
  process::process child_{context_};
  std::string output_;
  error_code read_problem_;
  error_code wait_problem_;
  int open_ends_ = 2;
  bool reaped_ = false;
  bool late_ = false;
};

}  // namespace

Result<RunResult> run_program(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                              std::optional<User> as) {
  if (argv.empty()) return fail(Code::internal, "no program to run");
  std::optional<Run> run;
  try {
    run.emplace(argv, as);
    return run->go(limit);
  } catch (const boost::system::system_error& problem) {
    if (run) run->abandon();
    return fail_errno(problem.code().value(), "cannot run", argv.front());
  } catch (const std::exception&) {
    if (run) run->abandon();
    return fail(Code::internal, "cannot run", argv.front());
  }
}

Result<Started> start_program(const std::vector<std::string>& argv, const StartOptions& options) {
  if (argv.empty()) return fail(Code::internal, "no program to start");
  process::posix::default_launcher launcher;
  try {
    auto started = start(launcher, argv, options);
    if (!started) abandon(launcher);
    return started;
  } catch (const boost::system::system_error& problem) {
    abandon(launcher);
    return fail_errno(problem.code().value(), "cannot run", argv.front());
  } catch (const std::exception&) {
    abandon(launcher);
    return fail(Code::internal, "cannot run", argv.front());
  }
}

std::optional<int> Started::exit_code() {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  return exit_code_of(status);
}

std::optional<User> user_instead_of_root() {
  if (::geteuid() != 0 && ::getuid() != 0) return std::nullopt;
  constexpr uid_t nobody = 65534;
  const auto uid = number_from_environment("SUDO_UID");
  const auto gid = number_from_environment("SUDO_GID");
  if (!uid || !gid) return User{nobody, nobody};
  return User{static_cast<uid_t>(*uid), static_cast<gid_t>(*gid)};
}

void adopt_orphans() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool end_children(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    // Each that ends may leave children of its own to us, so look again every time.
    for (const pid_t child : children()) ::kill(child, SIGKILL);
    pid_t ended = 0;
    do {
      ended = ::waitpid(-1, nullptr, WNOHANG);
    } while (ended > 0);
    if (ended < 0 && errno == ECHILD) return true;
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace icelock
