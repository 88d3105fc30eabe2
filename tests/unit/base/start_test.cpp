// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/run.h"

namespace icelock {
namespace {

using namespace std::chrono_literals;

std::string text_of(const Fd& file) {
  std::string text(4096, '\0');
  const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

int wait_for(Started& program) {
  pollfd ended{program.ended.get(), POLLIN, 0};
  ::poll(&ended, 1, 20'000);
  return program.exit_code().value_or(-1);
}

TEST(Start, GivesOutputEnvironmentAndExitCode) {
  const Fd output(::memfd_create("output", MFD_CLOEXEC));
  auto program = start_program({"/bin/sh", "-c", "echo \"$WORD$HOME\"; echo err >&2; exit 3"},
                               {.as = {},
                                .environment = std::vector<std::string>{"WORD=word"},
                                .output = output.get(),
                                .when_we_end = SIGKILL});
  ASSERT_TRUE(program) << to_string(program.error());
  EXPECT_EQ(wait_for(*program), 3);
  EXPECT_EQ(text_of(output), "word\nerr\n");
}

TEST(Start, SaysWhyItCannot) {
  EXPECT_EQ(start_program({"/nowhere/program"}, {}).error().code, Code::not_found);
  EXPECT_EQ(start_program({"/etc/passwd"}, {}).error().code, Code::not_permitted);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Start, RootCanHaveItDoneBySomebodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const User nobody{65534, 65534};
  const auto done = run_program({"/bin/sh", "-c", "id -u; id -g; id -G"}, 20s, nobody);
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_EQ(done->output, "65534\n65534\n65534\n");
}

TEST(Start, SomebodyElseIsWhoCalledSudo) {
  if (::geteuid() != 0) {
    EXPECT_FALSE(user_instead_of_root());
    return;
  }
  const auto uid = [](const char* sudo_uid) {
    ::setenv("SUDO_UID", sudo_uid, 1);
    ::setenv("SUDO_GID", "1000", 1);
    const auto user = user_instead_of_root();
    ::unsetenv("SUDO_UID");
    ::unsetenv("SUDO_GID");
    return user ? user->uid : 0;
  };
  EXPECT_EQ(uid("1000"), 1000U);
  for (const char* no_user : {"0", "-1", "", "10x", "4294967295", "4294967296"}) {
    EXPECT_EQ(uid(no_user), 65534U) << no_user;
  }
  EXPECT_EQ(user_instead_of_root()->uid, 65534U);
}

TEST(EndChildren, FindsThoseThatDetachedThemselves) {
  const pid_t guardian = ::fork();
  ASSERT_GE(guardian, 0);
  if (guardian == 0) {
    adopt_orphans();
    const Fd log(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    const auto program = start_program(
        {"/bin/sh", "-c", "setsid sleep 600 & setsid sh -c 'sleep 600 & exit' & exec sleep 600"},
        {.as = {}, .environment = {}, .output = log.get(), .when_we_end = SIGKILL});
    ::usleep(200'000);
    const bool ended = program && end_children(10s);
    ::_exit(ended && ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(guardian, &status, 0), guardian);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace icelock
