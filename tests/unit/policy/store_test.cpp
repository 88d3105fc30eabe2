// SPDX-License-Identifier: Apache-2.0
#include "policy/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "policy/render.h"
#include "temp_root.h"

namespace icelock::policy {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr const char* chromium_file = "etc/chromium/policies/managed/zz-icelock.json";
constexpr const char* firefox_file = "etc/firefox/policies/policies.json";

const std::string admin_firefox =
    "{\r\n\t\"policies\": {\r\n\t\t\"Preferences\": "
    "{\r\n\t\t\t\"media.peerconnection.ice.proxy_only\": "
    "false,\r\n\t\t\t\"b\": 1.50\r\n\t\t}\r\n\t}\r\n}";

void apply_levels(const TempRoot& root, const Wanted& wanted) {
  Store store(root.path());
  const auto plan = store.plan(wanted);
  ASSERT_TRUE(plan) << to_string(plan.error());
  const auto done = store.apply(*plan);
  ASSERT_TRUE(done) << to_string(done.error());
}

std::vector<std::string> revert(const TempRoot& root, const std::vector<std::string>& ids = {}) {
  Store store(root.path());
  std::vector<std::string> notes;
  const auto plan = store.plan_revert(ids);
  EXPECT_TRUE(plan) << to_string(plan.error());
  if (!plan) return notes;
  const auto done = store.revert(*plan);
  EXPECT_TRUE(done) << to_string(done.error());
  for (const Change& change : plan->changes) {
    notes.insert(notes.end(), change.notes.begin(), change.notes.end());
  }
  return notes;
}

class EachBrowser : public testing::TestWithParam<const char*> {
 protected:
  const Browser& browser() const { return *find_browser(GetParam()); }
  bool is_firefox() const { return browser().family == BrowserFamily::firefox; }
  std::string policy_file() const {
    const std::string path(browser().policy_path);
    return is_firefox() ? path : path + "/zz-icelock.json";
  }
  // Other admins' files around, and one under icelock's own name.
  void fill(const TempRoot& root) const {
    root.write(policy_file(), is_firefox() ? admin_firefox : "{ \"Other\" : 1 }", 0640);
    if (is_firefox()) return;
    const std::string folder(browser().policy_path);
    root.write(folder + "/admin.json", "{\"HomepageLocation\": \"x\"}\n", 0600);
    root.write(folder + "/broken.json.bak", "{", 0644);
  }
};

TEST_P(EachBrowser, EmptyTreeComesBack) {
  const TempRoot root;
  const auto before = root.snapshot();
  apply_levels(root, {{GetParam(), Level::force_proxy}});
  EXPECT_EQ(*Store(root.path()).installed(browser()), Level::force_proxy);
  EXPECT_NE(root.snapshot(), before);
  revert(root);
  EXPECT_EQ(root.snapshot(), before);
}

TEST_P(EachBrowser, OthersFilesComeBackByteForByte) {
  const TempRoot root;
  fill(root);
  const auto before = root.snapshot();
  for (const Level level : {Level::default_route_only, Level::force_proxy, Level::disabled}) {
    apply_levels(root, {{GetParam(), level}});
  }
  for (const auto& [name, text] : before) {
    if (name != policy_file()) {
      EXPECT_EQ(root.snapshot()[name], text) << name;
    }
  }
  EXPECT_EQ(*Store(root.path()).installed(browser()),
            is_firefox() ? Level::disabled : Level::force_proxy);
  revert(root);
  EXPECT_EQ(root.snapshot(), before);
}

TEST_P(EachBrowser, SecondApplyHasNothingToDo) {
  const TempRoot root;
  apply_levels(root, {{GetParam(), Level::disabled}});
  EXPECT_FALSE(Store(root.path()).plan({{GetParam(), Level::disabled}})->pending());
  EXPECT_TRUE(Store(root.path()).plan({{GetParam(), Level::force_proxy}})->pending() ==
              is_firefox());
}

TEST_P(EachBrowser, UmaskDoesNotCloseTheFile) {
  const TempRoot root;
  const mode_t old = ::umask(0077);
  apply_levels(root, {{GetParam(), Level::force_proxy}});
  ::umask(old);
  struct stat status{};
  ASSERT_EQ(::stat((root / policy_file()).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0644U);
  for (auto path = (root / policy_file()).parent_path(); path != root / "etc";
       path = path.parent_path()) {
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0755U) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EachBrowser,
                         testing::Values("chrome", "chromium", "edge", "brave", "vivaldi",
                                         "firefox"),
                         [](const auto& id) { return std::string(id.param); });

TEST(Store, AllBrowsersTogetherComeBack) {
  const TempRoot root;
  root.write(firefox_file, admin_firefox);
  const auto before = root.snapshot();
  Wanted wanted;
  for (const Browser& browser : browsers()) wanted[std::string(browser.id)] = Level::force_proxy;
  apply_levels(root, wanted);
  for (const Browser& browser : browsers()) {
    EXPECT_EQ(*Store(root.path()).installed(browser), Level::force_proxy) << browser.id;
  }
  revert(root);
  EXPECT_EQ(root.snapshot(), before);
}

TEST(Store, OneBrowserAtATime) {
  const TempRoot root;
  const auto before = root.snapshot();
  apply_levels(root, {{"chromium", Level::force_proxy}});
  const auto chromium_only = root.snapshot();
  apply_levels(root, {{"firefox", Level::force_proxy}});
  revert(root, {"firefox"});
  EXPECT_FALSE(root.has("etc/firefox"));
  EXPECT_TRUE(root.has(chromium_file));
  auto now = root.snapshot();
  now["var/lib/icelock/ledger.json"] = chromium_only.at("var/lib/icelock/ledger.json");
  EXPECT_EQ(now, chromium_only);
  revert(root, {"chromium"});
  EXPECT_EQ(root.snapshot(), before);
}

TEST(Store, NothingToRevertIsNoError) {
  const TempRoot root;
  const auto before = root.snapshot();
  EXPECT_TRUE(revert(root).empty());
  EXPECT_EQ(root.snapshot(), before);
}

TEST(Store, FirefoxFileEditedSinceKeepsTheEdit) {
  const TempRoot root;
  root.write(firefox_file, admin_firefox);
  apply_levels(root, {{"firefox", Level::force_proxy}});
  std::string edited = root.read(firefox_file);
  edited.replace(edited.find("1.50"), 4, "2.25");
  root.write(firefox_file, edited);
  EXPECT_THAT(revert(root), Contains(HasSubstr("edited")));
  std::string expected = admin_firefox;
  expected.replace(expected.find("1.50"), 4, "2.25");
  EXPECT_EQ(root.read(firefox_file), expected);
  EXPECT_FALSE(root.has("var/lib/icelock"));
}

TEST(Store, FirefoxEditBetweenTwoAppliesIsKeptByRevert) {
  const TempRoot root;
  root.write(firefox_file, admin_firefox);
  apply_levels(root, {{"firefox", Level::default_route_only}});
  std::string edited = root.read(firefox_file);
  edited.replace(edited.find("1.50"), 4, "2.25");
  root.write(firefox_file, edited);
  apply_levels(root, {{"firefox", Level::force_proxy}});
  revert(root);
  std::string expected = admin_firefox;
  expected.replace(expected.find("1.50"), 4, "2.25");
  EXPECT_EQ(root.read(firefox_file), expected);
}

TEST(Store, FirefoxFileThatIcelockMadeKeepsWhatOthersAdded) {
  const TempRoot root;
  apply_levels(root, {{"firefox", Level::force_proxy}});
  std::string edited = root.read(firefox_file);
  edited.replace(edited.find("\"policies\": {"), 13, "\"policies\": {\"DisableTelemetry\": true,");
  root.write(firefox_file, edited);
  revert(root);
  EXPECT_EQ(nlohmann::json::parse(root.read(firefox_file)),
            nlohmann::json::parse(R"({"policies": {"DisableTelemetry": true}})"));
}

TEST(Store, AKeyThatSomebodyElseSetSinceIsTheirs) {
  const TempRoot root;
  root.write(firefox_file, admin_firefox);
  apply_levels(root, {{"firefox", Level::force_proxy}});
  auto file = nlohmann::json::parse(root.read(firefox_file));
  file["policies"]["Preferences"]["media.peerconnection.enabled"] = "theirs";
  root.write(firefox_file, file.dump(2));
  EXPECT_THAT(revert(root),
              Contains(HasSubstr("media.peerconnection.enabled was set to something")));
  EXPECT_EQ(nlohmann::json::parse(root.read(firefox_file)),
            nlohmann::json::parse(
                R"({"policies": {"Preferences": {"media.peerconnection.enabled": "theirs",
                    "media.peerconnection.ice.proxy_only": false, "b": 1.5}}})"));
}

TEST(Store, ChromiumFileWithSomebodysKeyLosesOnlyIcelocks) {
  const TempRoot root;
  apply_levels(root, {{"chromium", Level::force_proxy}});
  auto file = nlohmann::json::parse(root.read(chromium_file));
  file["HomepageLocation"] = "x";
  root.write(chromium_file, file.dump());
  revert(root);
  EXPECT_EQ(nlohmann::json::parse(root.read(chromium_file)),
            nlohmann::json::parse(R"({"HomepageLocation": "x"})"));
}

TEST(Store, ChromiumFileOnlyReformattedGoes) {
  const TempRoot root;
  const auto before = root.snapshot();
  apply_levels(root, {{"chromium", Level::force_proxy}});
  root.write(chromium_file, nlohmann::json::parse(root.read(chromium_file)).dump());
  revert(root);
  EXPECT_EQ(root.snapshot(), before);
}

TEST(Store, AFileThatSomebodyRemovedStaysAway) {
  const TempRoot root;
  root.write(firefox_file, admin_firefox);
  apply_levels(root, {{"firefox", Level::force_proxy}});
  std::filesystem::remove(root / firefox_file);
  EXPECT_THAT(revert(root), Contains(HasSubstr("removed")));
  EXPECT_FALSE(root.has(firefox_file));
  EXPECT_FALSE(root.has("var/lib/icelock"));
}

TEST(Store, AFolderThatOthersUseStays) {
  const TempRoot root;
  apply_levels(root, {{"chromium", Level::force_proxy}});
  root.write("etc/chromium/policies/managed/admin.json", "{}");
  revert(root);
  EXPECT_TRUE(root.has("etc/chromium/policies/managed/admin.json"));
  EXPECT_FALSE(root.has(chromium_file));
}

TEST(Store, ClosedFileIsMadeReadable) {
  for (const auto& [id, file] : {std::pair{"chromium", chromium_file}, {"firefox", firefox_file}}) {
    const TempRoot root;
    apply_levels(root, {{id, Level::force_proxy}});
    ::chmod((root / file).c_str(), 0600);
    EXPECT_EQ(*Store(root.path()).installed(*find_browser(id)), std::nullopt) << id;
    EXPECT_TRUE(Store(root.path()).plan({{id, Level::force_proxy}})->pending()) << id;
    apply_levels(root, {{id, Level::force_proxy}});
    EXPECT_EQ(*Store(root.path()).installed(*find_browser(id)), Level::force_proxy) << id;
  }
}

TEST(Store, ChromiumFilesHaveTheTimeOfTheirChange) {
  const TempRoot root;
  for (const Level level : {Level::force_proxy, Level::default_route_only}) {
    apply_levels(root, {{"chromium", level}});
    struct stat status{};
    ASSERT_EQ(::stat((root / chromium_file).c_str(), &status), 0);
    EXPECT_NEAR(static_cast<double>(status.st_mtim.tv_sec), static_cast<double>(::time(nullptr)),
                60);
  }
}

TEST(Store, LedgerIsClosedToOthersAndItsFolderIsNot) {
  const TempRoot root;
  apply_levels(root, {{"chromium", Level::force_proxy}});
  struct stat status{};
  ASSERT_EQ(::stat((root / "var/lib/icelock/ledger.json").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  ASSERT_EQ(::stat((root / "var/lib/icelock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
}

TEST(Store, PackagedLedgerFolderStays) {
  const TempRoot root;
  std::filesystem::create_directories(root / "var/lib/icelock");
  const auto before = root.snapshot();
  apply_levels(root, {{"chromium", Level::force_proxy}});
  revert(root);
  EXPECT_EQ(root.snapshot(), before);
}

TEST(Store, BytesThatAreNoTextSurvive) {
  const TempRoot root;
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  root.write(chromium_file, bytes);
  const auto before = root.snapshot();
  apply_levels(root, {{"chromium", Level::force_proxy}});
  revert(root);
  EXPECT_EQ(root.snapshot(), before);
}

TEST(Store, NothingIsLeftBesideTheFiles) {
  const TempRoot root;
  apply_levels(root, {{"chromium", Level::force_proxy}, {"firefox", Level::force_proxy}});
  for (const auto& [name, text] : root.snapshot()) {
    EXPECT_EQ(name.find(".icelock-"), std::string::npos) << name;
  }
}

TEST(Store, SharedFileGetsTheStricterLevel) {
  const TempRoot root;
  const Wanted wanted = {{"chromium", Level::default_route_only}, {"vivaldi", Level::force_proxy}};
  const auto plan = Store(root.path()).plan(wanted);
  ASSERT_EQ(plan->changes.size(), 3U);
  EXPECT_THAT(plan->changes[0].notes, Contains(HasSubstr("Vivaldi reads the same file")));
  apply_levels(root, wanted);
  EXPECT_EQ(*Store(root.path()).installed(*find_browser("chromium")), Level::force_proxy);
  EXPECT_EQ(*Store(root.path()).installed(*find_browser("vivaldi")), Level::force_proxy);
  EXPECT_FALSE(Store(root.path()).plan(wanted)->pending());
}

TEST(Store, VivaldiIsBelievedOnlyWhenBothPlacesAgree) {
  const TempRoot root;
  apply_levels(root, {{"chromium", Level::force_proxy}});
  EXPECT_EQ(*Store(root.path()).installed(*find_browser("vivaldi")), std::nullopt);
}

// What policy locked, the extension of a running Firefox cannot tighten when the tunnel drops.
TEST(Store, OnlyTheServiceLeavesFirefoxsDefaultRouteToTheExtension) {
  const TempRoot root;
  const auto firefox_at = [&](Level level, bool service) {
    return Store(root.path())
        .plan({{"firefox", level}}, {.service = service, .again = false})
        ->changes.at(0)
        .after;
  };
  EXPECT_TRUE(firefox_leaves_to_extension(firefox_at(Level::default_route_only, true)));
  EXPECT_FALSE(firefox_leaves_to_extension(firefox_at(Level::default_route_only, false)));
  EXPECT_EQ(firefox_at(Level::force_proxy, true), firefox_at(Level::force_proxy, false));
  EXPECT_EQ(firefox_at(Level::force_proxy, true).find("\"default\""), std::string::npos);
}

}  // namespace
}  // namespace icelock::policy
