// SPDX-License-Identifier: Apache-2.0
// What is really in force when several owners' files say something.
#include "policy/in_force.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/store.h"
#include "temp_root.h"

namespace icelock::policy {
namespace {

using testing::Contains;
using testing::HasSubstr;

const std::string managed = "etc/opt/chrome/policies/managed/";
constexpr const char* loose = R"({"WebRtcIPHandling": "default"})";
constexpr const char* loose_list =
    R"({"WebRtcIPHandlingUrl": [{"url": "*", "handling": "default"}]})";
constexpr const char* strict = R"({"WebRtcIPHandling": "disable_non_proxied_udp"})";

std::optional<Level> installed(const TempRoot& root, const char* id = "chrome") {
  const auto level = Store(root.path()).installed(*find_browser(id));
  EXPECT_TRUE(level) << to_string(level.error());
  return level.value_or(std::nullopt);
}

Change planned(const TempRoot& root, const char* id = "chrome", Level level = Level::force_proxy) {
  const auto plan = Store(root.path()).plan({{id, level}});
  EXPECT_TRUE(plan) << to_string(plan.error());
  return plan->changes.front();
}

TEST(InForce, NothingInstalledIsNoLevel) {
  const TempRoot root;
  for (const Browser& browser : browsers()) {
    EXPECT_EQ(*Store(root.path()).installed(browser), std::nullopt) << browser.id;
  }
}

TEST(InForce, LastNameInByteOrderWins) {
  const TempRoot root;
  root.write(managed + "Z", strict);
  root.write(managed + "a", loose);
  EXPECT_EQ(installed(root), Level::unrestricted);
  root.write(managed + "b.bak~", strict);
  EXPECT_EQ(installed(root), Level::force_proxy);
}

TEST(InForce, ForeignSiteListOutranksTheLevelKey) {
  const TempRoot root;
  root.write(managed + "a.json", loose_list);
  root.write(managed + "z.json", strict);
  EXPECT_EQ(installed(root), Level::unrestricted);
}

TEST(InForce, BrokenFilesAreIgnored) {
  const TempRoot root;
  root.write(managed + "a.json", strict);
  root.write(managed + "b.json", "{\"WebRtcIPHandling\": \"default\"");
  root.write(managed + "c.json", loose, 0600);
  std::filesystem::create_symlink("nowhere", root / (managed + "d.json"));
  std::filesystem::create_directories(root / (managed + "e.json"));
  EXPECT_EQ(installed(root), Level::force_proxy);
  const auto notes = planned(root).notes;
  EXPECT_THAT(notes, Contains(HasSubstr("b.json is not a JSON file")));
  EXPECT_THAT(notes, Contains(HasSubstr("c.json is not a JSON file")));
  EXPECT_THAT(notes, Contains(HasSubstr("d.json is not a JSON file")));
}

TEST(InForce, WhatChromiumTakesIsNotCalledBroken) {
  const TempRoot root;
  root.write(managed + "a.json",
             "// x, }\n{\"A\": [1, 2, /* , */ ], \"WebRtcIPHandling\": "
             "\"disable_non_proxied_udp\" , }\n");
  EXPECT_EQ(installed(root), Level::force_proxy);
}

TEST(InForce, SymlinksInTheFolderCountAndStayInsideTheRoot) {
  const TempRoot root;
  root.write("srv/policy.json", strict);
  std::filesystem::create_directories(root / managed);
  std::filesystem::create_symlink("/srv/policy.json", root / (managed + "a.json"));
  EXPECT_EQ(installed(root), Level::force_proxy);
}

TEST(InForce, UnknownWordIsAsLooseAsItGets) {
  const TempRoot root;
  root.write(managed + "a.json", R"({"WebRtcIPHandling": "proxy_only"})");
  EXPECT_EQ(installed(root), Level::unrestricted);
  EXPECT_EQ(chromium_in_force(*find_browser("edge"), {{"a", strict}}).settings.size(), 0U);
}

TEST(InForce, ClosedFolderIsNoLevel) {
  const TempRoot root;
  root.write(managed + "a.json", strict);
  ::chmod((root / "etc/opt/chrome").c_str(), 0700);
  EXPECT_EQ(installed(root), std::nullopt);
  EXPECT_THAT(planned(root).notes, Contains(HasSubstr("closed to other users")));
}

TEST(InForce, PlanSaysWhoStillWins) {
  const TempRoot root;
  root.write(managed + "zzz.json", loose_list);
  const Change change = planned(root);
  EXPECT_THAT(change.notes, Contains(testing::AllOf(HasSubstr("zzz.json sets WebRtcIPHandlingUrl"),
                                                    HasSubstr("wins over icelock's file"))));
  ASSERT_EQ(change.keys.size(), 1U);
  EXPECT_EQ(change.keys[0].key, "WebRtcIPHandling");
  EXPECT_EQ(change.keys[0].before, "");
  EXPECT_EQ(change.keys[0].after, "\"disable_non_proxied_udp\"");
  ASSERT_TRUE(Store(root.path()).apply(*Store(root.path()).plan({{"chrome", Level::force_proxy}})));
  EXPECT_EQ(installed(root), Level::unrestricted) << "the truth, not the wish";
}

TEST(InForce, PlanSaysWhatOutranksIt) {
  const TempRoot root;
  root.write(managed + "admin.json", loose_list);
  const Change change = planned(root);
  EXPECT_THAT(change.notes,
              Contains(testing::AllOf(HasSubstr("admin.json sets WebRtcIPHandlingUrl"),
                                      HasSubstr("instead of icelock's level"))));
  EXPECT_EQ(change.keys.size(), 1U);
  ASSERT_TRUE(Store(root.path()).apply(*Store(root.path()).plan({{"chrome", Level::force_proxy}})));
  EXPECT_EQ(installed(root), Level::unrestricted) << "the truth, not the wish";
}

TEST(InForce, PlanSaysWhatItOverrides) {
  const TempRoot root;
  root.write(managed + "admin.json", R"({"WebRtcIPHandling": "default"})");
  const Change change = planned(root);
  EXPECT_THAT(change.notes, Contains(HasSubstr("admin.json also sets WebRtcIPHandling (")));
  ASSERT_EQ(change.keys.size(), 1U);
  EXPECT_EQ(change.keys[0].before, "\"default\"");
}

TEST(InForce, PlanNamesWhatWeakensAndWhatHasNoEffect) {
  const TempRoot root;
  root.write(managed + "admin.json", R"({"WebRtcLocalIpsAllowedUrls": ["https://a.example"],
                                         "WebRtcIPHandlingPolicy": "disable_non_proxied_udp"})");
  const auto notes = planned(root).notes;
  EXPECT_THAT(notes, Contains(HasSubstr("WebRtcLocalIpsAllowedUrls")));
  EXPECT_THAT(notes, Contains(HasSubstr("no browser knows")));
}

TEST(InForce, PlanSaysWhatABrowserDoesNotHave) {
  const TempRoot root;
  EXPECT_THAT(planned(root, "chrome", Level::disabled).notes,
              Contains(HasSubstr("disable_non_proxied_udp")));
  EXPECT_THAT(planned(root, "firefox", Level::disabled).notes,
              testing::Not(Contains(HasSubstr("strictest"))));
  EXPECT_THAT(planned(root).notes, Contains("Google Chrome is not installed"));
  root.write("usr/bin/google-chrome", "");
  EXPECT_THAT(planned(root).notes, testing::Not(Contains(HasSubstr("not installed"))));
}

TEST(InForce, FirefoxNeedsARestart) {
  const TempRoot root;
  EXPECT_THAT(planned(root, "firefox").notes, Contains(HasSubstr("when it starts")));
}

TEST(InForce, FirefoxDistributionCountsUntilThereIsAnotherFile) {
  const TempRoot root;
  const std::string distribution = "usr/lib/firefox-esr/distribution/policies.json";
  root.write(distribution, R"({"policies": {"DisableTelemetry": true, "Preferences":
                               {"media.peerconnection.enabled": false}}})");
  EXPECT_EQ(installed(root, "firefox"), Level::disabled);
  const auto before = root.snapshot();
  const Change change = planned(root, "firefox");
  EXPECT_EQ(change.keys.front().before, "false");
  EXPECT_THAT(change.notes, Contains(HasSubstr("starts as a copy of")));
  EXPECT_THAT(change.after, HasSubstr("DisableTelemetry"));
  Store store(root.path());
  ASSERT_TRUE(store.apply(*store.plan({{"firefox", Level::force_proxy}})));
  EXPECT_EQ(installed(root, "firefox"), Level::force_proxy);
  ASSERT_TRUE(store.revert(*store.plan_revert({})));
  EXPECT_EQ(root.snapshot(), before);
}

TEST(InForce, BrokenFirefoxFileIsNoLevel) {
  const TempRoot root;
  root.write("etc/firefox/policies/policies.json", "{");
  root.write("usr/lib/firefox/distribution/policies.json",
             R"({"policies": {"Preferences": {"media.peerconnection.enabled": false}}})");
  EXPECT_EQ(installed(root, "firefox"), std::nullopt);
}

}  // namespace
}  // namespace icelock::policy
