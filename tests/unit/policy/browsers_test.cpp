// SPDX-License-Identifier: Apache-2.0
#include "policy/browsers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace icelock::policy {
namespace {

TEST(Browsers, AreTheOnesThatIcelockPromises) {
  std::vector<std::string_view> ids;
  for (const Browser& browser : browsers()) ids.push_back(browser.id);
  EXPECT_THAT(ids,
              testing::ElementsAre("chrome", "chromium", "edge", "brave", "vivaldi", "firefox"));
}

TEST(Browsers, HaveCompleteRows) {
  for (const Browser& browser : browsers()) {
    EXPECT_EQ(find_browser(browser.id), &browser);
    EXPECT_FALSE(browser.programs.empty()) << browser.id;
    EXPECT_EQ(browser.level_key.empty(), browser.family == BrowserFamily::firefox) << browser.id;
    std::vector<std::string_view> paths(browser.programs.begin(), browser.programs.end());
    paths.insert(paths.end(),
                 {browser.policy_path, browser.system_manifests, browser.user_manifests});
    for (const std::string_view path : paths) {
      EXPECT_FALSE(path.empty()) << browser.id;
      EXPECT_NE(path.front(), '/') << path;
      EXPECT_NE(path.back(), '/') << path;
    }
  }
}

TEST(Browsers, EdgeHasItsOwnNameForTheLevel) {
  EXPECT_EQ(find_browser("edge")->level_key, "WebRtcLocalhostIpHandling");
  EXPECT_EQ(find_browser("chrome")->level_key, "WebRtcIPHandling");
}

TEST(Browsers, AreKnownByTheirProgramsAndTheFoldersThatAreTheirOwn) {
  const auto id = [](const char* program) {
    const Browser* browser = browser_of_program(program);
    return browser == nullptr ? "" : browser->id;
  };
  for (const Browser& browser : browsers()) {
    for (const std::string_view program : browser.programs) {
      EXPECT_EQ(browser_of_program("/" + std::string(program)), &browser) << program;
    }
  }
  EXPECT_EQ(id("/opt/vivaldi/vivaldi-bin"), "vivaldi");
  EXPECT_EQ(id("/opt/google/chrome/chrome_crashpad_handler"), "chrome");
  EXPECT_EQ(id("/usr/lib/firefox-esr/firefox-esr"), "firefox");
  EXPECT_EQ(id("/usr/lib/chromium/chrome-sandbox"), "chromium");
  for (const char* other :
       {"/usr/bin/vivaldi-bin", "/home/x/opt/vivaldi/vivaldi-bin", "/opt/x", ""}) {
    EXPECT_EQ(id(other), "") << other;
  }
}

TEST(Browsers, UnknownIdIsNone) {
  EXPECT_EQ(find_browser("netscape"), nullptr);
}

}  // namespace
}  // namespace icelock::policy
