// SPDX-License-Identifier: Apache-2.0
#include "base/run.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/fd.h"

namespace icelock {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

Result<RunResult> shell(const std::string& script, std::chrono::milliseconds limit = 20s) {
  return run_program({"/bin/sh", "-c", script}, limit);
}

bool has_children() {
  return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
}

std::size_t open_descriptors() {
  const fs::directory_iterator fds("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

/// Not there any more, or dead and waiting for a parent that is not us.
bool is_dead(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number;
  std::string program;
  std::string state;
  return !(file >> number >> program >> state) || state == "Z" || state == "X";
}

class TempFile {
 public:
  TempFile() {
    std::string name = (fs::temp_directory_path() / "icelock_run_XXXXXX").string();
    Fd(::mkstemp(name.data())).reset();
    path_ = name;
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() { fs::remove(path_); }
  const std::string& path() const { return path_; }
  std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
};

TEST(Run, GivesOutputAndExitCode) {
  const auto done = shell("echo out; echo err >&2; exit 7");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->exit_code, 7);
  EXPECT_EQ(done->output, "out\n");
  EXPECT_EQ(shell("true")->exit_code, 0);
  EXPECT_FALSE(has_children());
}

TEST(Run, PassesArgumentsAsTheyAre) {
  const auto done = run_program({"/usr/bin/printf", "%s|", "a b", "$HOME", "", "\"'*"}, 20s);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->output, "a b|$HOME||\"'*|");
}

TEST(Run, ASignalIsNoExitCodeThatAProgramCouldGive) {
  EXPECT_EQ(shell("kill -TERM $$")->exit_code, 128 + SIGTERM);
  EXPECT_EQ(shell("kill -HUP $$")->exit_code, 128 + SIGHUP);
}

TEST(Run, AMissingProgramIsNotFoundAndLeavesNoZombie) {
  const auto done = run_program({"/nowhere/program"}, 20s);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::not_found);
  EXPECT_EQ(done.error().object, "/nowhere/program");
  EXPECT_EQ(run_program({"/etc/passwd"}, 20s).error().code, Code::not_permitted);
  EXPECT_FALSE(has_children());
}

TEST(Run, AProgramThatCannotStartDoesNotRunOurExitHandlers) {
  const TempFile file;
  FILE* out = std::fopen(file.path().c_str(), "w");
  ASSERT_NE(out, nullptr);
  std::fputs("once", out);  // stays in the buffer, which exit() in a forked child would write too
  EXPECT_FALSE(run_program({"/nowhere/program"}, 20s));
  ASSERT_EQ(std::fclose(out), 0);
  EXPECT_EQ(file.text(), "once");
}

TEST(Run, NothingToRunIsAnError) {
  EXPECT_FALSE(run_program({}, 20s));
}

TEST(Run, StdinIsEmptyWhateverOursIs) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  ASSERT_EQ(::write(write_end.get(), "ours", 4), 4);
  const Fd before(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  ASSERT_EQ(::dup2(read_end.get(), STDIN_FILENO), STDIN_FILENO);
  const auto done = shell("cat; readlink /proc/self/fd/0");
  ASSERT_EQ(::dup2(before.get(), STDIN_FILENO), STDIN_FILENO);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->output, "/dev/null\n");
}

TEST(Run, ChildHasNoDescriptorOfOursButStderr) {
  const Fd low(
      ::fcntl(STDERR_FILENO, F_DUPFD, 50));  // no close-on-exec, as a careless library would
  const Fd high(::fcntl(STDERR_FILENO, F_DUPFD, 500));
  ASSERT_TRUE(high);
  // Descriptor 3 is the folder that ls itself reads.
  EXPECT_EQ(run_program({"/bin/ls", "/proc/self/fd"}, 20s)->output, "0\n1\n2\n3\n");
}

TEST(Run, ChildStartsWithNoSignalBlockedAndDiesOfABrokenPipe) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &all, &before), 0);
  auto* handler = std::signal(SIGPIPE, SIG_IGN);
  const auto blocked = run_program({"/bin/grep", "^SigBlk", "/proc/self/status"}, 20s);
  const auto pipe = shell("kill -PIPE $$; exit 0");
  (void)std::signal(SIGPIPE, handler);
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
  EXPECT_EQ(blocked->output, "SigBlk:\t0000000000000000\n");
  EXPECT_EQ(pipe->exit_code, 128 + SIGPIPE);
}

TEST(Run, TheProgramDoesNotOutliveTheThreadThatRunsIt) {
  const TempFile pid;
  const pid_t runner = ::fork();
  ASSERT_GE(runner, 0);
  if (runner == 0) {
    const auto done = shell("echo $$ > " + pid.path() + "; exec sleep 60");
    ::_exit(done ? 0 : 1);
  }
  for (int i = 0; i < 200 && pid.text().empty(); ++i) std::this_thread::sleep_for(20ms);
  ::kill(runner, SIGKILL);
  ASSERT_EQ(::waitpid(runner, nullptr, 0), runner);
  pid_t sleeper = 0;
  ASSERT_TRUE(std::ifstream(pid.path()) >> sleeper);
  for (int i = 0; i < 1500 && !is_dead(sleeper); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(is_dead(sleeper));
}

TEST(Run, TheLimitKillsTheProgramAndWhatItStarted) {
  const TempFile pids;
  const auto start = std::chrono::steady_clock::now();
  const auto done =
      shell("sleep 60 & echo $$ $! > " + pids.path() + "; trap '' TERM INT; wait; sleep 60", 300ms);
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::timeout);
  EXPECT_GE(took, 300ms);
  EXPECT_LT(took, 30s);
  EXPECT_FALSE(has_children());
  std::ifstream file(pids.path());
  pid_t child = 0;
  pid_t grandchild = 0;
  ASSERT_TRUE(file >> child >> grandchild);
  EXPECT_TRUE(is_dead(child));
  for (int i = 0; i < 1500 && !is_dead(grandchild); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(is_dead(grandchild));
}

TEST(Run, ADescendantThatKeepsThePipeCannotHoldUsLongerThanTheLimit) {
  const TempFile pid;
  const auto start = std::chrono::steady_clock::now();
  const auto done = shell("setsid sleep 60 & echo $! > " + pid.path() + "; exit 0", 300ms);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::timeout);
  pid_t sleeper = 0;
  std::ifstream(pid.path()) >> sleeper;
  ASSERT_GT(sleeper, 0);
  ::kill(sleeper, SIGKILL);
}

TEST(Run, OutputUpToOneMebibyteIsKeptWhole) {
  const auto done = shell("head -c 1048576 /dev/zero");
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_EQ(done->output.size(), 1048576U);
}

TEST(Run, MoreOutputEndsTheProgramAtOnce) {
  EXPECT_EQ(shell("head -c 1048577 /dev/zero").error().code, Code::too_large);
  const auto start = std::chrono::steady_clock::now();
  const auto done = shell("cat /dev/zero; sleep 60");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::too_large);
  EXPECT_FALSE(has_children());
}

TEST(Run, AProgramThatClosesItsOutputIsStillWaitedFor) {
  const auto done = shell("exec >&-; sleep 0.2; exit 3");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->exit_code, 3);
}

TEST(Run, LeavesNoDescriptorOpen) {
  ASSERT_TRUE(shell("true"));
  const std::size_t before = open_descriptors();
  EXPECT_TRUE(shell("echo x"));
  EXPECT_FALSE(shell("sleep 60", 50ms));
  EXPECT_FALSE(shell("cat /dev/zero"));
  EXPECT_FALSE(run_program({"/nowhere/program"}, 20s));
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Run, EachMissingDescriptorIsAnErrorAndNeverAnExceptionOrAChildLeftBehind) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(shell("true"));
  const std::size_t open = open_descriptors() - 1;  // one was the folder itself
  int failed = 0;
  for (std::size_t spare = 0; spare < 12; ++spare) {
    const rlimit tight{open + spare, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    const auto done = shell("echo fine");
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    if (!done) ++failed;
    EXPECT_TRUE(!done || done->output == "fine\n") << done->output;
    EXPECT_FALSE(has_children()) << spare;
    EXPECT_EQ(open_descriptors() - 1, open) << spare;
  }
  EXPECT_GT(failed, 3);
  EXPECT_LT(failed, 12);
}

/// For this process and those it starts, as old kernels and sandboxes have it.
bool forbid_pidfd_open() {
  std::array<sock_filter, 4> filter = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{filter.size(), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(Run, WithoutPidfdOpenItFailsAndLeavesNoChildBehind) {
  const pid_t runner = ::fork();
  ASSERT_GE(runner, 0);
  if (runner == 0) {
    if (!forbid_pidfd_open()) ::_exit(77);
    const auto done = shell("sleep 60", 2s);
    ::_exit(done || done.error().code == Code::timeout ? 1 : has_children() ? 2 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(runner, &status, 0), runner);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_EQ(status, 0);
}

TEST(Run, SeveralThreadsAtOnce) {
  std::array<std::string, 8> outputs;
  {
    std::vector<std::jthread> threads;
    threads.reserve(outputs.size());
    for (std::string& output : outputs) {
      threads.emplace_back([&output] {
        const auto done = shell("sleep 0.05; echo fine");
        if (done) output = done->output;
      });
    }
  }
  EXPECT_THAT(outputs, ::testing::Each("fine\n"));
}

// Allocates from one of many call stacks, as the sanitizers' allocators take a lock for each new
// one.
std::string allocate(unsigned way, int depth) {
  if (depth == 0) return std::string(100, 'x');
  return (way & 1U) != 0 ? "a" + allocate(way / 2, depth - 1) : "b" + allocate(way / 2, depth - 1);
}

// A child that took a lock before it is the program would wait for a thread that it does not have.
TEST(Run, StartsWhileOtherThreadsHoldTheAllocator) {
  std::atomic<bool> done = false;
  std::atomic<unsigned> way = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!done) allocate(++way, 16);
    });
  }
  int fine = 0;
  for (int i = 0; i < 40; ++i) {
    const auto result = run_program({"/bin/true"}, 20s);
    fine += result && result->exit_code == 0 ? 1 : 0;
  }
  done = true;
  EXPECT_EQ(fine, 40);
}

TEST(Run, KnowsTheExitCodeAlsoWhereChildrenWereIgnored) {
  (void)std::signal(SIGCHLD, SIG_IGN);
  const auto result = shell("exit 3");
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->exit_code, 3);
}

}  // namespace
}  // namespace icelock
