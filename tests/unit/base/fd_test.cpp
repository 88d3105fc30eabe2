// SPDX-License-Identifier: Apache-2.0
#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace icelock {
namespace {

int open_one() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}
bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(FdTest, ClosesAtTheEnd) {
  const int raw = open_one();
  {
    const Fd fd(raw);
    EXPECT_TRUE(fd);
    EXPECT_EQ(fd.get(), raw);
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(FdTest, MoveLeavesNothingBehind) {
  Fd first(open_one());
  const int raw = first.get();
  Fd second(std::move(first));
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what a moved Fd holds is the contract
  EXPECT_EQ(second.get(), raw);
  EXPECT_TRUE(is_open(raw));
}

TEST(FdTest, AssignmentClosesTheOldOne) {
  Fd target(open_one());
  const int old = target.get();
  Fd source(open_one());
  const int kept = source.get();
  target = std::move(source);
  EXPECT_FALSE(is_open(old));
  EXPECT_TRUE(is_open(kept));
  EXPECT_EQ(target.get(), kept);
}

TEST(FdTest, MoveToItselfKeepsIt) {
  Fd fd(open_one());
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(is_open(fd.get()));
}

TEST(FdTest, ZeroIsADescriptorAndMinusOneIsNone) {
  Fd none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.get(), -1);
  Fd fd(open_one());
  const int raw = fd.get();
  fd.reset();
  EXPECT_FALSE(fd);
  EXPECT_FALSE(is_open(raw));
}

}  // namespace
}  // namespace icelock
