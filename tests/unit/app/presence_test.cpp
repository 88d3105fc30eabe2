// SPDX-License-Identifier: Apache-2.0
#include "app/presence.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include "../shared/temp_folder.h"
#include "base/file.h"

namespace icelock::app {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class PresenceTest : public testing::Test {
 protected:
  PresenceTest() { ::setenv("XDG_RUNTIME_DIR", folder_.path().c_str(), 1); }
  ~PresenceTest() override { ::unsetenv("XDG_RUNTIME_DIR"); }

  std::filesystem::path file(const std::string& name) const { return folder_ / "icelock" / name; }

  test::TempFolder folder_;
};

const Report report{.browser = "chromium",
                    .serial = 7,
                    .value = "disable_non_proxied_udp",
                    .level_of_control = "controlled_by_this_extension",
                    .level = Level::force_proxy};

TEST_F(PresenceTest, IsSeenAsLongAsItLives) {
  {
    Presence presence;
    presence.write(report);
    const auto seen = present_reports();
    ASSERT_THAT(seen, SizeIs(1));
    EXPECT_EQ(seen[0].browser, report.browser);
    EXPECT_EQ(seen[0].serial, report.serial);
    EXPECT_EQ(seen[0].value, report.value);
    EXPECT_EQ(seen[0].level_of_control, report.level_of_control);
    EXPECT_EQ(seen[0].level, report.level);
  }
  EXPECT_THAT(present_reports(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(file("host-" + std::to_string(::getpid()) + ".json")));
}

TEST_F(PresenceTest, TheLastReportCountsAndAShorterOneLeavesNothingOfTheOneBefore) {
  Presence presence;
  presence.write(report);
  presence.write({.browser = "x", .serial = 8, .value = "", .level_of_control = "", .level = {}});
  const auto seen = present_reports();
  ASSERT_THAT(seen, SizeIs(1));
  EXPECT_EQ(seen[0].serial, 8U);
  EXPECT_EQ(seen[0].level, std::nullopt);
}

TEST_F(PresenceTest, IsGoneAtOnceWhenItWithdraws) {
  Presence presence;
  presence.write(report);
  presence.withdraw();
  EXPECT_THAT(present_reports(), IsEmpty());
  presence.write(report);
  EXPECT_THAT(present_reports(), IsEmpty());
}

TEST_F(PresenceTest, TheFileOfADeadHostIsNoReportAndIsRemoved) {
  Presence presence;  // makes the folder
  const auto dead = file("host-1.json");
  const auto alive = file("host-2.json");
  for (const auto& path : {dead, alive, file("memory.json")}) {
    ASSERT_TRUE(replace_file(path, R"({"browser":"firefox","serial":3})", 0600));
  }
  const Fd owner(::open(alive.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(owner.get(), LOCK_EX), 0);
  const auto seen = present_reports();
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_TRUE(std::filesystem::exists(alive));
  EXPECT_TRUE(std::filesystem::exists(file("memory.json"))) << "is no report";
  EXPECT_THAT(seen, testing::Contains(testing::Field(&Report::browser, "firefox")));
}

TEST_F(PresenceTest, WhatIsNoReportIsPassedOver) {
  Presence presence;
  const auto path = file("host-2.json");
  for (const char* content : {"", "[]", "{", "\xff"}) {
    ASSERT_TRUE(replace_file(path, content, 0600));
    const Fd owner(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::flock(owner.get(), LOCK_EX), 0);
    EXPECT_THAT(present_reports(), IsEmpty()) << content;
  }
}

TEST_F(PresenceTest, WithoutAFolderOfItsOwnItWorksUnseen) {
  ASSERT_TRUE(replace_file(folder_ / "icelock", "in the way", 0600));
  Presence presence;
  presence.write(report);
  EXPECT_THAT(present_reports(), IsEmpty());
}

TEST(Controlled, ByWhomInOneWord) {
  EXPECT_EQ(controlled_by("not_controllable"), "policy");
  EXPECT_EQ(controlled_by("controlled_by_this_extension"), "extension");
  EXPECT_EQ(controlled_by("controlled_by_other_extensions"), "other_extension");
  EXPECT_EQ(controlled_by("controllable_by_this_extension"), "browser");
  EXPECT_EQ(controlled_by("whatever"), "unknown");
}

}  // namespace
}  // namespace icelock::app
