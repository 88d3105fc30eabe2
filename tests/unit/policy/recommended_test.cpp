// SPDX-License-Identifier: Apache-2.0
// What a service says of default_route_only to the Chromium family, so that the extension can still
// tighten when no service is there to write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/audit.h"
#include "policy/render.h"
#include "policy/store.h"
#include "temp_root.h"

namespace icelock::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string managed = "etc/chromium/policies/managed/zz-icelock.json";
const std::string recommended = "etc/chromium/policies/recommended/zz-icelock.json";
constexpr auto says_level = "{\n  \"WebRtcIPHandling\": \"default_public_interface_only\"\n}\n";
constexpr auto says_nothing = "{}\n";
const SiteException call = {"https://call.example", Level::unrestricted};

class Recommended : public testing::Test {
 protected:
  std::vector<std::string> write(const WantedPolicy& wanted, std::set<std::string> reporting = {},
                                 const std::string& id = "chromium") {
    const auto plan = store_.plan({{id, wanted}}, {.service = true, .reporting = reporting});
    EXPECT_TRUE(plan) << to_string(plan.error());
    const auto done = store_.apply(*plan);
    EXPECT_TRUE(done) << to_string(done.error());
    std::vector<std::string> changed;
    for (const Change& change : plan->changes) {
      if (change.kind == Change::Kind::none) continue;
      changed.push_back(change.path.parent_path().filename().string());
    }
    return changed;
  }
  std::optional<Level> installed() const {
    return store_.installed(*find_browser("chromium")).value();
  }

  TempRoot root_;
  Store store_{root_.path()};
};

TEST_F(Recommended, WithoutTheExtensionTheLevelIsMandatory) {
  EXPECT_THAT(write(Level::default_route_only), ElementsAre("managed"));
  EXPECT_EQ(root_.read(managed), says_level);
  EXPECT_FALSE(root_.has(recommended));
  EXPECT_FALSE(root_.has("etc/chromium/policies/recommended"));
}

TEST_F(Recommended, WhereTheExtensionReportsItMayTighten) {
  write(Level::default_route_only);
  EXPECT_THAT(write(Level::default_route_only, {"chromium"}), ElementsAre("recommended", "managed"))
      << "there is no moment with neither";
  EXPECT_EQ(root_.read(managed), says_nothing);
  EXPECT_EQ(root_.read(recommended), says_level);
  EXPECT_EQ(installed(), Level::default_route_only);
  EXPECT_EQ(std::filesystem::last_write_time(root_ / managed),
            std::filesystem::last_write_time(root_ / recommended));
  EXPECT_THAT(write(Level::default_route_only, {"chromium"}), IsEmpty());
}

TEST_F(Recommended, AStricterLevelIsMandatoryAndTheOtherWordStaysBelowIt) {
  write(Level::default_route_only, {"chromium"});
  EXPECT_THAT(write(Level::force_proxy, {"chromium"}), ElementsAre("managed"));
  EXPECT_THAT(root_.read(managed), HasSubstr("disable_non_proxied_udp"));
  EXPECT_EQ(root_.read(recommended), says_level);
  EXPECT_EQ(installed(), Level::force_proxy);
  EXPECT_THAT(write(Level::default_route_only, {"chromium"}), ElementsAre("managed"));
  EXPECT_EQ(installed(), Level::default_route_only);
  EXPECT_THAT(write(Level::unrestricted, {"chromium"}), ElementsAre("recommended"));
  EXPECT_EQ(root_.read(managed), says_nothing);
  EXPECT_EQ(root_.read(recommended), says_nothing);
  EXPECT_THAT(write(Level::force_proxy, {"chromium"}), ElementsAre("managed", "recommended"))
      << "the lock comes first";
}

TEST_F(Recommended, ABrowserThatIsClosedNowKeepsItsExtension) {
  write(Level::force_proxy, {"chromium"});
  EXPECT_TRUE(root_.has(recommended));
  write(Level::default_route_only);
  EXPECT_EQ(root_.read(managed), says_nothing);
  EXPECT_EQ(root_.read(recommended), says_level);
}

TEST_F(Recommended, ABrowserThatReadsTheSameFileCountsToo) {
  write(Level::default_route_only, {"vivaldi"});
  EXPECT_EQ(root_.read(recommended), says_level);
}

TEST_F(Recommended, WhereAnotherFileWouldWinTheLevelStaysMandatory) {
  root_.write("etc/chromium/policies/managed/admin.json", R"({"WebRtcIPHandling": "default"})");
  write(Level::default_route_only, {"chromium"});
  EXPECT_EQ(root_.read(managed), says_level);
  EXPECT_EQ(installed(), Level::default_route_only);
  std::filesystem::remove(root_ / "etc/chromium/policies/managed/admin.json");
  root_.write("etc/chromium/policies/recommended/zzz.json", R"({"WebRtcIPHandling": "default"})");
  write(Level::default_route_only, {"chromium"});
  EXPECT_EQ(root_.read(managed), says_level);
  root_.write("etc/chromium/policies/recommended/zzz.json", R"({"ShowHomeButton": true})");
  write(Level::default_route_only, {"chromium"});
  EXPECT_EQ(root_.read(managed), says_nothing);
  EXPECT_EQ(root_.read(recommended), says_level);
  std::filesystem::permissions(root_ / "etc/chromium/policies/recommended",
                               std::filesystem::perms::owner_all);
  write(Level::default_route_only, {"chromium"});
  EXPECT_EQ(root_.read(managed), says_level) << "no browser can read what is recommended";
}

TEST_F(Recommended, WhereItCannotBeWrittenTheLevelIsMandatory) {
  std::filesystem::create_directories(root_ / "etc/chromium/policies/recommended");
  std::filesystem::create_symlink("/etc/passwd", root_ / recommended);
  Upkeep upkeep{.service = true, .reporting = {"chromium"}};
  const Wanted wanted = {{"chromium", Level::default_route_only}};
  write(Level::default_route_only, {"chromium"});
  EXPECT_EQ(root_.read(managed), says_level);
  std::filesystem::remove(root_ / recommended);
  upkeep.recommended = false;
  ASSERT_TRUE(store_.apply(*store_.plan(wanted, upkeep)));
  EXPECT_EQ(root_.read(managed), says_level);
  ASSERT_TRUE(store_.apply(*store_.plan({{"chromium", Level::force_proxy}})))
      << "what an admin applies has nothing to do with it";
  EXPECT_EQ(installed(), Level::force_proxy);
}

TEST_F(Recommended, ExceptionsStayMandatory) {
  write({Level::default_route_only, {call}}, {"chromium"});
  EXPECT_THAT(root_.read(managed), HasSubstr("https://call.example"));
  EXPECT_THAT(root_.read(managed), Not(HasSubstr("WebRtcIPHandling\"")));
  EXPECT_EQ(root_.read(recommended), says_level);
  EXPECT_EQ(store_.installed(*find_browser("chromium"), {call}).value(), Level::default_route_only);
  EXPECT_THAT(*store_.sites_in_force(*find_browser("chromium"), Level::default_route_only, {call}),
              ElementsAre(call));
  const auto kept = *store_.without_other_sites(*find_browser("chromium"), {});
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->level, Level::default_route_only);
  write(*kept);
  EXPECT_EQ(root_.read(managed), says_nothing);
  EXPECT_EQ(installed(), Level::default_route_only);
}

// A running Edge takes up no recommended level, and its entry for "*" would outrank the extension.
TEST_F(Recommended, EdgeNeedsTheExtensionToBeThere) {
  const std::string edge = "etc/opt/edge/policies/managed/zz-icelock.json";
  write(Level::default_route_only, {"edge"}, "edge");
  EXPECT_EQ(root_.read(edge), says_nothing);
  EXPECT_EQ(root_.read("etc/opt/edge/policies/recommended/zz-icelock.json"),
            "{\n  \"WebRtcLocalhostIpHandling\": \"default_public_interface_only\"\n}\n");
  write(Level::default_route_only, {}, "edge");
  EXPECT_THAT(root_.read(edge), HasSubstr("\"*\""));
  EXPECT_EQ(root_.read("etc/opt/edge/policies/recommended/zz-icelock.json"), says_nothing);
}

TEST_F(Recommended, WhatAnAdminAppliesIsMandatoryAndRevertTakesAllBack) {
  const auto before = root_.snapshot();
  write(Level::default_route_only, {"chromium"});
  ASSERT_TRUE(store_.apply(*store_.plan({{"chromium", Level::default_route_only}})));
  EXPECT_EQ(root_.read(managed), says_level);
  EXPECT_EQ(root_.read(recommended), says_nothing);
  ASSERT_TRUE(store_.revert(*store_.plan_revert({})));
  EXPECT_EQ(root_.snapshot(), before);
}

TEST_F(Recommended, WhatOthersRecommendCountsForNoMoreThanThat) {
  root_.write("etc/chromium/policies/recommended/a.json",
              R"({"WebRtcIPHandling": "disable_non_proxied_udp"})");
  EXPECT_EQ(installed(), Level::default_route_only);
  root_.write("etc/chromium/policies/recommended/a.json", R"({"WebRtcIPHandling": "default"})");
  EXPECT_EQ(installed(), std::nullopt);
  root_.write("etc/chromium/policies/recommended/a.json", says_level, 0600);
  EXPECT_EQ(installed(), std::nullopt) << "no browser can read it";
  root_.write("etc/chromium/policies/managed/b.json", R"({"WebRtcIPHandling": "default"})");
  root_.write("etc/chromium/policies/recommended/a.json", says_level);
  EXPECT_EQ(installed(), Level::unrestricted) << "a mandatory policy outranks it";
}

TEST_F(Recommended, TheAuditHoldsItAgainstTheLedger) {
  write({Level::default_route_only, {call}}, {"chromium"});
  const auto ids = [&] {
    const auto result = audit(root_.path());
    std::vector<std::string> found;
    for (const Finding& each : result->findings) found.emplace_back(each.rule->id);
    return found;
  };
  EXPECT_THAT(ids(), ElementsAre("site_exception"));
  EXPECT_EQ(audit(root_.path())->browsers.front().wanted->level, Level::default_route_only);
  root_.write(recommended, says_nothing);
  EXPECT_THAT(ids(), testing::IsSupersetOf({"own_file_changed", "level_loose"}));
  std::filesystem::remove(root_ / recommended);
  EXPECT_THAT(ids(), testing::IsSupersetOf({"own_file_missing", "level_loose"}));
}

}  // namespace
}  // namespace icelock::policy
