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

#include <array>
#include <boost/asio/connect_pipe.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/process/v2/process.hpp>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
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

/// A program that is to start, and everything that its start needs: between fork and exec nothing
/// may take a lock that another thread could hold, so nothing may allocate. Boost's launcher does,
/// for each service of its context, which the allocators of some sanitizers answer with a hang.
struct Launch {
  const std::vector<std::string>& argv;
  const std::vector<std::string>* environment = nullptr;  ///< nullptr: ours
  std::optional<User> as;
  int output = STDOUT_FILENO;
  int errors = STDERR_FILENO;
  int when_we_end = SIGKILL;
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  list.reserve(words.size() + 1);
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

/// In the child: becomes the program, or returns what kept it from that as errno.
int become(const Launch& launch, int input, char* const* words, char* const* environment) {
  // A group of its own, so that the limit ends what the program started too; as that also takes it
  // out of the terminal's reach, it must not outlive us.
  ::setpgid(0, 0);
  if (::dup2(input, STDIN_FILENO) < 0 || ::dup2(launch.output, STDOUT_FILENO) < 0 ||
      ::dup2(launch.errors, STDERR_FILENO) < 0) {
    return errno;
  }
  const auto& as = launch.as;
  if (as && (::setgroups(0, nullptr) != 0 || ::setresgid(as->gid, as->gid, as->gid) != 0 ||
             ::setresuid(as->uid, as->uid, as->uid) != 0)) {
    return errno;
  }
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, launch.when_we_end);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  (void)std::signal(SIGPIPE, SIG_DFL);
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return errno;
  ::execve(words[0], words, environment);
  return errno;
}

/// Returns when the child is the program; otherwise there is no child any more.
Result<pid_t> launch(const Launch& launch) {
  const auto words = pointers(launch.argv);
  std::vector<char*> environment;
  if (launch.environment != nullptr) environment = pointers(*launch.environment);
  const Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::array<int, 2> ends{-1, -1};
  if (!input || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail_errno(errno, "cannot run", launch.argv.front());
  }
  const Fd told(ends[0]);
  Fd tells(ends[1]);
  // Whoever started us may have chosen to ignore it, and then nobody can wait for a child.
  (void)std::signal(SIGCHLD, SIG_DFL);
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "cannot run", launch.argv.front());
  if (pid == 0) {
    const int problem = become(launch, input.get(), words.data(),
                               launch.environment != nullptr ? environment.data() : environ);
    const ssize_t written = ::write(tells.get(), &problem, sizeof problem);
    ::_exit(written == sizeof problem ? 127 : 126);
  }
  tells = Fd();  // or the read below would wait for ourselves
  int problem = 0;
  ssize_t n = 0;
  do {
    n = ::read(told.get(), &problem, sizeof problem);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return pid;
  ::waitpid(pid, nullptr, 0);
  return fail_errno(n < 0 ? errno : problem, "cannot run", launch.argv.front());
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
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

/// An id of somebody who is not root.
std::optional<std::uint32_t> id_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  std::uint32_t number = 0;
  const auto [end, problem] = std::from_chars(digits.begin(), digits.end(), number);
  if (problem != std::errc{} || end != digits.end()) return std::nullopt;
  // To setresuid() and its like -1 means "leave it".
  if (number == 0 || number == ~std::uint32_t{0}) return std::nullopt;
  return number;
}

/// One run of one program.
class Run {
 public:
  Run(const std::vector<std::string>& argv, std::optional<User> as) : argv_(argv), as_(as) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    if (pid_ < 0 || reaped_) return;
    kill_group();
    ::waitpid(pid_, nullptr, 0);
  }

  Result<RunResult> go(std::chrono::milliseconds limit) {
    asio::writable_pipe output(context_);
    asio::connect_pipe(pipe_, output);
    pid_ = TRY(launch({.argv = argv_, .as = as_, .output = output.native_handle()}));
    output.close();
    child_ = process::process(context_.get_executor(), pid_);
    listen(limit);
    context_.run();
    return outcome();
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
    if (!reaped_) ::kill(-pid_, SIGKILL);
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
  pid_t pid_ = -1;
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
  try {
    return Run(argv, as).go(limit);
  } catch (const boost::system::system_error& problem) {
    return fail_errno(problem.code().value(), "cannot run", argv.front());
  } catch (const std::exception&) {
    return fail(Code::internal, "cannot run", argv.front());
  }
}

Result<Started> start_program(const std::vector<std::string>& argv, const StartOptions& options) {
  if (argv.empty()) return fail(Code::internal, "no program to start");
  const auto pid = launch({.argv = argv,
                           .environment = options.environment ? &*options.environment : nullptr,
                           .as = options.as,
                           .output = options.output < 0 ? STDOUT_FILENO : options.output,
                           .errors = options.output < 0 ? STDERR_FILENO : options.output,
                           .when_we_end = options.when_we_end});
  if (!pid) return std::unexpected(pid.error());
  Started started{.pid = *pid, .ended = Fd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)))};
  if (started.ended) return started;
  const int problem = errno;
  ::kill(-*pid, SIGKILL);
  ::waitpid(*pid, nullptr, 0);
  return fail_errno(problem, "cannot watch", argv.front());
}

std::optional<int> Started::exit_code() {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  return exit_code_of(status);
}

std::optional<User> user_instead_of_root() {
  if (::geteuid() != 0 && ::getuid() != 0) return std::nullopt;
  constexpr uid_t nobody = 65534;
  const auto uid = id_from_environment("SUDO_UID");
  const auto gid = id_from_environment("SUDO_GID");
  if (!uid || !gid) return User{nobody, nobody};
  return User{*uid, *gid};
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
