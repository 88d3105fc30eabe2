// SPDX-License-Identifier: Apache-2.0
#include "base/run.h"

#include <linux/close_range.h>
#include <sys/prctl.h>
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
#include <csignal>
#include <exception>
#include <optional>
#include <utility>

namespace icelock {
namespace {

namespace asio = boost::asio;
namespace process = boost::process::v2;
using boost::system::error_code;

constexpr std::size_t output_limit = 1 << 20;

/// What Boost 1.81's launcher leaves undone, as a set of its hooks.
struct CleanStart {
  /// In the child, before exec: only calls that are safe after fork in a program with threads.
  template <class... Any>
  error_code on_exec_setup(Any&&...) {
    // A group of its own, so that the limit ends what the program started too; as that also takes
    // it out of the terminal's reach, it must not outlive us.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
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

/// One run of one program.
class Run {
 public:
  explicit Run(const std::vector<std::string>& argv) : argv_(argv) {}

  Result<RunResult> go(std::chrono::milliseconds limit) {
    const std::vector<std::string> arguments(argv_.begin() + 1, argv_.end());
    error_code start_problem;
    child_ = launcher_(context_.get_executor(), start_problem, argv_.front(), arguments,
                       process::process_stdio{nullptr, pipe_, {}}, CleanStart{});
    if (start_problem) return fail_errno(start_problem.value(), "cannot run", argv_.front());
    listen(limit);
    context_.run();
    return outcome();
  }

  /// After an exception: the launcher may have thrown on either side of its fork.
  void abandon() {
    if (launcher_.pid == 0) ::_exit(127);
    if (launcher_.pid < 0 || reaped_) return;
    ::kill(-launcher_.pid, SIGKILL);
    ::waitpid(launcher_.pid, nullptr, 0);
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
    const int status = child_.native_exit_code();
    const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return RunResult{code, std::move(output_)};
  }

  const std::vector<std::string>& argv_;
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

Result<RunResult> run_program(const std::vector<std::string>& argv,
                              std::chrono::milliseconds limit) {
  if (argv.empty()) return fail(Code::internal, "no program to run");
  std::optional<Run> run;
  try {
    run.emplace(argv);
    return run->go(limit);
  } catch (const boost::system::system_error& problem) {
    if (run) run->abandon();
    return fail_errno(problem.code().value(), "cannot run", argv.front());
  } catch (const std::exception&) {
    if (run) run->abandon();
    return fail(Code::internal, "cannot run", argv.front());
  }
}

}  // namespace icelock
