// SPDX-License-Identifier: Apache-2.0
#include "service/policy_keeper.h"

#include <gmock/gmock.h>
#include <poll.h>

#include "../shared/temp_folder.h"
#include "base/file.h"

namespace icelock::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class PolicyKeeperTest : public testing::Test {
 protected:
  PolicyKeeperTest() {
    state_.settings.manage_policies = true;
    state_.settings.browsers = {"chromium"};
  }

  void decide(Level level) {
    state_.decision.chromium = level;
    state_.decision.firefox = level;
    keeper_.follow(state_);
  }
  /// Until nothing is being written any more.
  void settle() {
    while (keeper_.busy()) {
      pollfd done{worker_.fd(), POLLIN, 0};
      ASSERT_EQ(::poll(&done, 1, 60'000), 1);
      worker_.run_finished();
    }
  }
  /// All that Chromium's policy folders say.
  std::string policy() const {
    std::string text;
    for (const char* kind : {"managed", "recommended"}) {
      text += read_file(root_ / "etc/chromium/policies" / kind / "zz-icelock.json").value_or("");
    }
    return text;
  }

  test::TempFolder folder_;
  std::filesystem::path root_ = folder_.path();
  guard::State state_;
  std::vector<std::pair<std::string, bool>> told_;
  Worker worker_;
  PolicyKeeper keeper_{root_, worker_, [this](const std::string& words, bool failed) {
                         told_.emplace_back(words, failed);
                       }};
};

TEST_F(PolicyKeeperTest, WritesWhatWasDecidedOnceAndSaysSo) {
  decide(Level::force_proxy);
  EXPECT_TRUE(keeper_.busy());
  settle();
  EXPECT_THAT(policy(), HasSubstr("disable_non_proxied_udp"));
  ASSERT_THAT(told_, SizeIs(1));
  EXPECT_FALSE(told_[0].second);
  EXPECT_THAT(told_[0].first, HasSubstr("zz-icelock.json"));
  decide(Level::force_proxy);
  EXPECT_FALSE(keeper_.busy());
}

TEST_F(PolicyKeeperTest, TheNewestDecisionCountsHoweverManyCameMeanwhile) {
  decide(Level::default_route_only);
  decide(Level::unrestricted);
  decide(Level::force_proxy);
  settle();
  EXPECT_THAT(policy(), HasSubstr("disable_non_proxied_udp"));
  EXPECT_THAT(policy(), testing::Not(HasSubstr("default_public_interface_only")));
}

TEST_F(PolicyKeeperTest, PutsRightWhatSomebodyElseChanged) {
  decide(Level::force_proxy);
  settle();
  std::filesystem::remove_all(root_ / "etc/chromium/policies");
  keeper_.check();
  settle();
  EXPECT_THAT(policy(), HasSubstr("disable_non_proxied_udp"));
}

TEST_F(PolicyKeeperTest, LooksByItselfWithinAMinute) {
  decide(Level::force_proxy);
  settle();
  std::filesystem::remove_all(root_ / "etc/chromium/policies");
  const auto now = PolicyKeeper::Clock::now();
  EXPECT_LE(keeper_.timeout(now), 60'000);
  keeper_.handle(now + 61s);
  settle();
  EXPECT_THAT(policy(), HasSubstr("disable_non_proxied_udp"));
}

TEST_F(PolicyKeeperTest, SaysAFailureOnceTriesAgainAndSaysItsEnd) {
  const auto obstacle = root_ / "etc/chromium";
  std::filesystem::create_directories(root_ / "etc");
  ASSERT_TRUE(replace_file(obstacle, "in the way", 0644));
  decide(Level::force_proxy);
  settle();
  ASSERT_TRUE(keeper_.problem());
  ASSERT_THAT(told_, SizeIs(1));
  EXPECT_TRUE(told_[0].second);
  auto now = PolicyKeeper::Clock::now();
  EXPECT_LE(keeper_.timeout(now), 500);
  keeper_.handle(now + 1s);
  settle();
  EXPECT_THAT(told_, SizeIs(1)) << "the same again is no news";
  std::filesystem::remove(obstacle);
  keeper_.handle(PolicyKeeper::Clock::now() + 60s);
  settle();
  EXPECT_EQ(keeper_.problem(), std::nullopt);
  EXPECT_THAT(policy(), HasSubstr("disable_non_proxied_udp"));
  ASSERT_THAT(told_, SizeIs(2));
  EXPECT_FALSE(told_[1].second);
}

TEST_F(PolicyKeeperTest, OneBrowsersBrokenFileKeepsTheLockFromNoOther) {
  state_.settings.browsers = {"firefox", "chromium"};
  std::filesystem::create_directories(root_ / "etc/firefox/policies");
  ASSERT_TRUE(replace_file(root_ / "etc/firefox/policies/policies.json", "{broken", 0644));
  decide(Level::force_proxy);
  settle();
  EXPECT_THAT(policy(), HasSubstr("disable_non_proxied_udp"));
  ASSERT_TRUE(keeper_.problem());
  EXPECT_THAT(to_string(*keeper_.problem()), HasSubstr("policies.json"));
}

TEST_F(PolicyKeeperTest, WritesNothingThatItWasNotAskedToManage) {
  state_.settings.manage_policies = false;
  decide(Level::force_proxy);
  settle();
  EXPECT_FALSE(keeper_.manages());
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(root_ / "etc"));
}

TEST_F(PolicyKeeperTest, WritingThatDoesNotEndIsSaid) {
  decide(Level::force_proxy);
  const auto now = PolicyKeeper::Clock::now();
  EXPECT_LE(keeper_.timeout(now), 10'000);
  keeper_.handle(now + 9s);
  EXPECT_EQ(keeper_.problem(), std::nullopt);
  keeper_.handle(now + 11s);
  ASSERT_TRUE(keeper_.problem());
  EXPECT_EQ(keeper_.problem()->code, Code::timeout);
  settle();
  EXPECT_EQ(keeper_.problem(), std::nullopt) << "it did end";
}

}  // namespace
}  // namespace icelock::app
