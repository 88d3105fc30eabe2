// SPDX-License-Identifier: Apache-2.0
#include "guard/settings.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "../shared/temp_folder.h"
#include "base/file.h"

namespace icelock::guard {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class SettingsFiles : public testing::Test {
 protected:
  void admin(std::string_view text) { ASSERT_TRUE(replace_file(paths_.admin, text)); }
  void user(std::string_view text) { ASSERT_TRUE(replace_file(paths_.user, text)); }

  test::TempFolder folder_;
  SettingsPaths paths_{folder_ / "etc/icelock.json", folder_ / "home/icelock.json", {}};
};

TEST_F(SettingsFiles, AreNotNeeded) {
  auto settings = load_settings(paths_);
  ASSERT_TRUE(settings);
  settings->admins.reset();  // what the files said: nothing
  settings->users.reset();
  EXPECT_EQ(*settings, Settings{});
}

TEST_F(SettingsFiles, AreReadTogether) {
  user(R"({"mode":"locked","level":"disabled","hold_seconds":5})");
  admin(R"({"floor":"default_route_only"})");
  const auto settings = load_settings(paths_);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->mode, Mode::locked);
  EXPECT_EQ(settings->mode_level, Level::disabled);
  EXPECT_EQ(settings->hold, 5s);
  EXPECT_EQ(settings->floor, Level::default_route_only);
  EXPECT_FALSE(settings->mode_fixed);
}

TEST_F(SettingsFiles, TheAdminsWordStands) {
  user(R"({"mode":"open","hold_seconds":0})");
  admin(R"({"mode":"auto","hold_seconds":90})");
  const auto settings = load_settings(paths_);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->mode, Mode::automatic);
  EXPECT_EQ(settings->hold, 90s);
  const auto saved = save_mode(paths_, Mode::open, std::nullopt);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, Code::not_permitted);
}

TEST_F(SettingsFiles, AreRefusedWhenWrong) {
  for (const char* text :
       {"", "[]", "{", "\xff", R"({"flor":"force_proxy"})", R"({"mode":"Auto"})", R"({"mode":1})",
        R"({"level":"strict"})", R"({"hold_seconds":-1})", R"({"hold_seconds":1.5})",
        R"({"hold_seconds":86401})", R"({"hold_seconds":18446744073709551615})",
        R"({"floor":"force_proxy"})"}) {
    user(text);
    const auto settings = load_settings(paths_);
    ASSERT_FALSE(settings) << text;
    EXPECT_EQ(settings.error().code, Code::bad_settings) << text;
    EXPECT_THAT(settings.error().object, HasSubstr("icelock.json"));
  }
}

TEST_F(SettingsFiles, AnErrorNamesTheLineAndTheKey) {
  struct Case {
    const char* text;
    const char* object;
    const char* what;
  };
  for (const auto& [text, object, what] : {
           Case{"{\n \"mode\": \"auto\",\n \"flor\": \"disabled\"\n}", "icelock.json:3",
                "\"flor\""},
           Case{"{\n\n\n\"hold_seconds\":\n-1}", "icelock.json:4",
                "\"hold_seconds\" must be a whole"},
           Case{"{\n\"browsers\": [\"lynx\"]}", "icelock.json:2", "\"browsers\" must be a list"},
           Case{"{\n\"sites\": [{}]}", "icelock.json:2", "\"sites\" must be a list"},
           Case{"{\n\"sites\": [{\"pattern\": \"a.example\", \"level\": \"force_proxy\"}]}",
                "icelock.json:2", "\"sites\" must be a list"},
           Case{"{\n\"sites\": [{\"pattern\": \"*.a.example\"}]}", "icelock.json:2",
                "write [*.]a.example"},
           Case{"{\n\"mode\": \"auto\",\n\"mode\": \"open\"}", "icelock.json:3",
                "\"mode\" stands twice"},
           Case{"{\n\"mode\": \"auto\",\n\n}", "icelock.json:4", "not JSON"},
       }) {
    admin(text);
    const auto settings = load_settings(paths_);
    ASSERT_FALSE(settings) << text;
    EXPECT_THAT(settings.error().object, testing::EndsWith(object)) << text;
    EXPECT_THAT(settings.error().what, HasSubstr(what)) << text;
  }
}

TEST_F(SettingsFiles, OnlyAnAdminManagesPolicies) {
  admin(R"({"$schema":"x","manage_policies":true,"browsers":["chromium","firefox"]})");
  const auto settings = load_settings(paths_);
  ASSERT_TRUE(settings);
  EXPECT_TRUE(settings->manage_policies);
  EXPECT_THAT(settings->browsers, testing::ElementsAre("chromium", "firefox"));
  user(R"({"manage_policies":true})");
  EXPECT_FALSE(load_settings(paths_));
}

TEST_F(SettingsFiles, OnlyAnAdminHasExceptionsForSitesAndNoneBelowTheFloor) {
  admin(R"({"floor":"default_route_only","sites":[{"pattern":"Meet.example"},
      {"pattern":"a.example","level":"unrestricted"}]})");
  const std::vector<policy::SiteException> meet = {
      {"https://meet.example", Level::default_route_only}};
  const auto settings = load_settings(paths_);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->sites, meet);
  user(R"({"sites":[]})");
  EXPECT_FALSE(load_settings(paths_));
  EXPECT_EQ(load_or_keep(paths_, std::nullopt).sites, meet);
  admin(R"({"floor":"force_proxy","sites":[{"pattern":"meet.example"}]})");
  EXPECT_TRUE(load_or_keep(paths_, *settings).sites.empty())
      << "a user's broken file hides nothing";
}

TEST_F(SettingsFiles, ABrokenFileLocksOrKeepsWhatWas) {
  user("{");
  const Settings first = load_or_keep(paths_, std::nullopt);
  EXPECT_EQ(first.mode, Mode::locked);
  EXPECT_TRUE(first.problem);
  EXPECT_EQ(load_or_keep(paths_, first).mode, Mode::locked) << "it has still said nothing";
  user("{}");
  admin(R"({"floor":"default_route_only"})");
  const Settings good = load_or_keep(paths_, first);
  EXPECT_FALSE(good.problem);
  EXPECT_EQ(good.mode, Mode::automatic);
  user("{");
  admin("{");
  const Settings kept = load_or_keep(paths_, good);
  EXPECT_EQ(kept.mode, Mode::automatic);
  EXPECT_EQ(kept.floor, Level::default_route_only);
  EXPECT_TRUE(kept.problem);
}

TEST_F(SettingsFiles, OnlyTheBrokenFilesOwnPartStays) {
  user(R"({"mode":"open","links":{"tun0":"vpn"}})");
  Settings last = load_or_keep(paths_, std::nullopt);
  user("{");
  admin(R"({"hold_seconds":7,"manage_policies":true,"browsers":["edge"],"extensions":[]})");
  last = load_or_keep(paths_, last);
  EXPECT_EQ(last.hold, std::chrono::seconds(7));
  EXPECT_TRUE(last.manage_policies);
  EXPECT_THAT(last.browsers, testing::ElementsAre("edge"));
  EXPECT_EQ(last.mode, Mode::open);
  EXPECT_EQ(last.own_links.size(), 1U);
  admin(R"({"mode":"locked","level":"disabled"})");
  last = load_or_keep(paths_, last);
  EXPECT_EQ(last.mode, Mode::locked);
  EXPECT_EQ(last.mode_level, Level::disabled);
  EXPECT_FALSE(last.manage_policies);
  // And the other way round.
  admin("{");
  user(R"({"mode":"locked"})");
  last = load_or_keep(paths_, load_or_keep(paths_, last));
  EXPECT_EQ(last.mode_level, Level::disabled) << "the admin's word";
  EXPECT_THAT(last.own_links, testing::IsEmpty());
}

TEST_F(SettingsFiles, WhatWasManagedStaysManagedAndLockedAtAStart) {
  paths_.kept = paths_.admin.parent_path() / "kept.json";
  admin("{");
  EXPECT_FALSE(load_or_keep(paths_, std::nullopt).manage_policies) << "nobody ever said so";
  admin(R"({"manage_policies":true,"browsers":["edge"],"mode":"open"})");
  ASSERT_TRUE(keep_for_a_start(paths_, load_or_keep(paths_, std::nullopt)));
  admin("{");
  const Settings start = load_or_keep(paths_, std::nullopt);
  EXPECT_TRUE(start.manage_policies);
  EXPECT_THAT(start.browsers, testing::ElementsAre("edge"));
  EXPECT_EQ(start.mode, Mode::locked);
  EXPECT_GE(start.mode_level, Level::force_proxy);
  ASSERT_TRUE(keep_for_a_start(paths_, start));
  EXPECT_EQ(load_or_keep(paths_, start), start);
  admin(R"({"manage_policies":false})");
  ASSERT_TRUE(keep_for_a_start(paths_, load_or_keep(paths_, start)));
  admin("{");
  EXPECT_FALSE(load_or_keep(paths_, std::nullopt).manage_policies);
}

TEST_F(SettingsFiles, AUsersBrokenFileLeavesTheAdminsFloor) {
  user("{");
  admin(R"({"floor":"disabled"})");
  EXPECT_EQ(load_or_keep(paths_, std::nullopt).floor, Level::disabled);
  EXPECT_EQ(load_or_keep(paths_, Settings{}).floor, Level::disabled);
}

TEST_F(SettingsFiles, AUserIsNoLooserThanAnAdminsLock) {
  user(R"({"level":"default_route_only"})");
  admin(R"({"mode":"locked"})");
  EXPECT_EQ(load_settings(paths_)->mode_level, Level::force_proxy);
  user(R"({"level":"disabled"})");
  EXPECT_EQ(load_settings(paths_)->mode_level, Level::disabled);
}

TEST_F(SettingsFiles, LockedWithoutALevelIsForceProxy) {
  ASSERT_TRUE(save_mode(paths_, Mode::locked, Level::default_route_only));
  ASSERT_TRUE(save_mode(paths_, Mode::locked, std::nullopt));
  EXPECT_EQ(load_settings(paths_)->mode_level, Level::force_proxy);
  EXPECT_EQ(save_mode(paths_, Mode::locked, Level::unrestricted).error().code, Code::bad_request);
}

TEST_F(SettingsFiles, AFileThatCannotBeReadIsNotAMissingOne) {
  std::filesystem::create_directories(paths_.user);  // a folder in the file's place
  EXPECT_FALSE(load_settings(paths_));
}

TEST_F(SettingsFiles, SavingAModeKeepsTheRest) {
  user(R"({"hold_seconds":7})");
  ASSERT_TRUE(save_mode(paths_, Mode::locked, Level::disabled));
  const auto settings = load_settings(paths_);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->mode, Mode::locked);
  EXPECT_EQ(settings->mode_level, Level::disabled);
  EXPECT_EQ(settings->hold, 7s);
}

TEST_F(SettingsFiles, NoLevelBelowTheFloorIsSaved) {
  admin(R"({"floor":"force_proxy"})");
  const auto saved = save_mode(paths_, Mode::locked, Level::default_route_only);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, Code::below_floor);
  EXPECT_FALSE(std::filesystem::exists(paths_.user));
}

TEST_F(SettingsFiles, OnlyTheModesThatTheAdminAllowsCount) {
  user(R"({"mode":"open"})");
  admin(R"({"modes":["locked","auto"],"protected":["tunnel"],"extensions":[]})");
  EXPECT_EQ(load_settings(paths_)->mode, Mode::automatic);
  EXPECT_EQ(load_settings(paths_)->protection, (Protection{.lan = false, .tunnel = true}));
  EXPECT_EQ(save_mode(paths_, Mode::open, std::nullopt).error().code, Code::not_permitted);
  EXPECT_TRUE(save_mode(paths_, Mode::locked, std::nullopt));
  EXPECT_EQ(load_settings(paths_)->mode, Mode::locked);
  // Also when nobody chose, and when the user's file cannot be used.
  admin(R"({"modes":["locked"]})");
  user("{}");
  EXPECT_EQ(load_settings(paths_)->mode, Mode::locked);
  Settings last;
  last.mode = Mode::open;
  user("{");
  EXPECT_EQ(load_or_keep(paths_, last).mode, Mode::locked);
  // What the admin fixed needs no leave.
  admin(R"({"mode":"open","modes":["locked"]})");
  EXPECT_EQ(load_settings({.admin = paths_.admin, .user = {}, .kept = {}})->mode, Mode::open);
  for (const char* wrong : {R"({"modes":[]})", R"({"modes":["off"]})",
                            R"({"protected":["isp_v4"]})", R"({"extensions":["icelock"]})"}) {
    admin(wrong);
    EXPECT_EQ(load_settings(paths_).error().code, Code::bad_settings) << wrong;
  }
}

TEST_F(SettingsFiles, ABrokenFileIsNotOverwritten) {
  user("{ my notes");
  EXPECT_FALSE(save_mode(paths_, Mode::open, std::nullopt));
  EXPECT_EQ(read_file(paths_.user), "{ my notes");
}

bool accepts(const SettingsPaths& paths) {
  return load_settings(paths)->protection.accept_isp_v6;
}

TEST_F(SettingsFiles, WhoMaySwitchTheLockOffMayAcceptAnAddress) {
  user(R"({"accept":["isp_v6"]})");
  EXPECT_TRUE(accepts(paths_));
  for (const char* text :
       {R"({"floor":"default_route_only"})", R"({"mode":"auto"})", R"({"mode":"open"})",
        R"({"modes":["auto","locked"]})", R"({"accept":[]})"}) {
    admin(text);
    EXPECT_FALSE(accepts(paths_)) << text;
    EXPECT_FALSE(may_accept(*load_settings(paths_))) << text;
  }
  for (const char* text : {R"({"modes":["auto","open"]})", R"({"hold_seconds":5})"}) {
    admin(text);
    EXPECT_TRUE(accepts(paths_)) << text;
    EXPECT_TRUE(may_accept(*load_settings(paths_))) << text;
  }
}

TEST_F(SettingsFiles, AnAdminMayAcceptAnAddressWhateverElseHolds) {
  admin(R"({"accept":["isp_v6"],"floor":"default_route_only","mode":"auto"})");
  EXPECT_TRUE(accepts(paths_));
  user(R"({"accept":[]})");
  EXPECT_TRUE(accepts(paths_)) << "it is the admin's to say";
  EXPECT_FALSE(may_accept(*load_settings(paths_)));
  user("{");
  EXPECT_TRUE(load_or_keep(paths_, Settings{}).protection.accept_isp_v6);
}

// Also when the user's file breaks later: what it accepted before does not stay.
TEST_F(SettingsFiles, ABrokenFileAcceptsNothing) {
  user(R"({"accept":["isp_v6"]})");
  const Settings last = *load_settings(paths_);
  ASSERT_TRUE(last.protection.accept_isp_v6);
  user("{");
  EXPECT_FALSE(load_or_keep(paths_, last).protection.accept_isp_v6);
}

TEST_F(SettingsFiles, RolesOfLinksAreTheAdminsAndTheUsers) {
  user(R"({"links":{"wg*":"uplink","tun0":"vpn"}})");
  admin(R"({"links":{"wg0":"mesh","he-ipv6":"uplink","br0":"virtual"}})");
  const auto settings = load_settings(paths_);
  ASSERT_TRUE(settings);
  using net::NamedRole;
  using net::Role;
  EXPECT_THAT(settings->links,
              testing::ElementsAre(NamedRole{"wg0", Role::mesh}, NamedRole{"he-ipv6", Role::uplink},
                                   NamedRole{"br0", Role::virtual_link}));
  EXPECT_THAT(settings->own_links,
              testing::ElementsAre(NamedRole{"wg*", Role::uplink}, NamedRole{"tun0", Role::vpn}));
  const auto all = settings->all_links();
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all.back(), settings->links.back()) << "the admin's word counts last";
  EXPECT_EQ(all.front(), settings->own_links.front());
}

TEST_F(SettingsFiles, ABrokenUsersFileLeavesTheAdminsLinks) {
  admin(R"({"links":{"wg0":"mesh"}})");
  user("{");
  EXPECT_EQ(load_or_keep(paths_, Settings{}).links.size(), 1U);
  EXPECT_EQ(load_or_keep(paths_, std::nullopt).links.size(), 1U);
}

TEST_F(SettingsFiles, RolesAndAcceptedAddressesAreRefusedWhenWrong) {
  for (const char* text :
       {R"({"links":{"wg0":"tunnel"}})", R"({"links":{"wg0":"clat"}})", R"({"links":{"":"vpn"}})",
        R"({"links":{"w*g":"vpn"}})", R"({"links":{"sixteen-letters-":"vpn"}})",
        R"({"links":["wg0"]})", R"({"accept":["isp_v4"]})", R"({"accept":"isp_v6"})",
        R"({"accept":["isp_v6","isp_v6"]})"}) {
    user(text);
    EXPECT_FALSE(load_settings(paths_)) << text;
    user("{}");
    admin(text);
    EXPECT_FALSE(load_settings(paths_)) << text;
    admin("{}");
  }
}

}  // namespace
}  // namespace icelock::guard
