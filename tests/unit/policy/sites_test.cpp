// SPDX-License-Identifier: Apache-2.0
#include "policy/sites.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/render.h"
#include "policy/store.h"
#include "temp_root.h"

namespace icelock::policy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

const std::string managed = "etc/opt/chrome/policies/managed/";
const SiteException meet = {"https://meet.example", Level::default_route_only};
const SiteException call = {"https://call.example", Level::unrestricted};

TEST(Sites, PatternsHaveOneSpelling) {
  for (const auto& [text, pattern] : std::vector<std::pair<const char*, const char*>>{
           {"meet.example", "https://meet.example"},
           {"https://Meet.Example/", "https://meet.example"},
           {"HTTP://meet.example", "http://meet.example"},
           {"[*.]zoom.us", "https://[*.]zoom.us"},
           {"https://[*.]zoom.us:8443", "https://[*.]zoom.us:8443"},
           {"http://localhost:8377", "http://localhost:8377"},
           {"localhost", "https://localhost"},
           {"192.0.2.1:08377", "https://192.0.2.1:8377"},
           {"xn--bcher-kva.example", "https://xn--bcher-kva.example"},
           {"a-1.b.example", "https://a-1.b.example"},
       }) {
    const auto normal = normal_pattern(text);
    ASSERT_TRUE(normal) << text << ": " << to_string(normal.error());
    EXPECT_EQ(*normal, pattern);
    EXPECT_EQ(normal_pattern(*normal), *normal) << "it stays what it is";
  }
}

TEST(Sites, WhateverCouldBeReadAnotherWayIsRefused) {
  const std::string label(64, 'a');
  std::string long_host;
  for (int i = 0; i < 64; ++i) long_host += "abc.";
  for (const std::string& text : {std::string(),
                                  std::string("*"),
                                  std::string("https://*"),
                                  std::string("*://meet.example"),
                                  std::string("*.example.com"),
                                  std::string("meet.*"),
                                  std::string("[*.]"),
                                  std::string("[*.]com"),
                                  std::string("com"),
                                  std::string("[*.]localhost"),
                                  std::string("[*.][*.]meet.example"),
                                  std::string("meet.example/room"),
                                  std::string("meet.example//"),
                                  std::string("meet.example?x"),
                                  std::string("meet.example#x"),
                                  std::string("meet.example\\x"),
                                  std::string("me@meet.example"),
                                  std::string("https://me:pw@meet.example"),
                                  std::string("ftp://meet.example"),
                                  std::string("file:///x"),
                                  std::string("chrome-extension://abc"),
                                  std::string("https://"),
                                  std::string("https://https://meet.example"),
                                  std::string("meet.example:"),
                                  std::string("meet.example:0"),
                                  std::string("meet.example:65536"),
                                  std::string("meet.example:+1"),
                                  std::string("meet.example:80:80"),
                                  std::string("meet.example:*"),
                                  std::string("meet..example"),
                                  std::string(".meet.example"),
                                  std::string("meet.example."),
                                  std::string("-meet.example"),
                                  std::string("meet-.example"),
                                  std::string("meet_x.example"),
                                  std::string("meet example.com"),
                                  std::string("meet.example\n"),
                                  std::string("meet\".example"),
                                  std::string("m\xc3\xa9.example"),
                                  std::string("1.2.3"),
                                  std::string("1.2.3.400"),
                                  std::string("0x7f.1"),
                                  std::string("a.example.1"),
                                  std::string("[*.]192.0.2.1"),
                                  std::string("[::1]"),
                                  std::string("meet\0.example", 13),
                                  label + ".example",
                                  long_host + "example"}) {
    const auto normal = normal_pattern(text);
    ASSERT_FALSE(normal) << text << " became " << *normal;
    EXPECT_EQ(normal.error().code, Code::bad_request) << text;
    EXPECT_EQ(normal.error().object, "pattern") << text;
    EXPECT_FALSE(normal.error().what.empty());
  }
  EXPECT_THAT(normal_pattern("*.example.com").error().what, HasSubstr("[*.]example.com"));
}

TEST(Sites, AnExceptionIsLooserThanTheStrictestLevel) {
  EXPECT_TRUE(check_exception_level(Level::unrestricted));
  EXPECT_TRUE(check_exception_level(Level::default_route_only));
  for (const Level level : {Level::force_proxy, Level::disabled}) {
    EXPECT_EQ(check_exception_level(level).error(),
              (Error{Code::bad_request, check_exception_level(level).error().what, "level"}));
  }
}

TEST(Sites, OnlyWhatLoosensIsRenderedTheMoreSpecificFirst) {
  const Browser& chrome = *find_browser("chrome");
  const std::vector<SiteException> all = {{"https://[*.]a.example", Level::unrestricted},
                                          {"https://[*.]b.a.example", Level::default_route_only},
                                          {"https://a.example", Level::default_route_only},
                                          {"https://a.example", Level::unrestricted}};
  EXPECT_THAT(effective_sites(chrome, Level::disabled, all),
              ElementsAre(SiteException{"https://a.example", Level::unrestricted}, all[1], all[0]));
  EXPECT_THAT(effective_sites(chrome, Level::default_route_only, all),
              ElementsAre(SiteException{"https://a.example", Level::unrestricted}, all[0]));
  EXPECT_THAT(effective_sites(chrome, Level::unrestricted, all), IsEmpty());
  EXPECT_THAT(effective_sites(*find_browser("firefox"), Level::disabled, all), IsEmpty());
}

// An open tab keeps what it has seen, so an entry for every page would keep later locks from it.
TEST(Sites, ThereIsNoEntryForEveryPageButInEdge) {
  for (const Browser& browser : browsers()) {
    if (browser.family == BrowserFamily::firefox) continue;
    const std::string file = chromium_policy_file(browser, {Level::force_proxy, {meet}});
    EXPECT_EQ(file.contains("\"*\""), browser.id == "edge") << file;
  }
}

TEST(Sites, WhatIsGrantedIsNoProblemAndNothingElse) {
  const TempRoot root;
  Store store(root.path());
  const Browser& chrome = *find_browser("chrome");
  ASSERT_TRUE(store.apply(*store.plan({{"chrome", {Level::force_proxy, {meet, call}}}})));
  EXPECT_EQ(*store.installed(chrome), Level::unrestricted) << "nothing granted";
  EXPECT_EQ(*store.installed(chrome, {meet}), Level::unrestricted);
  EXPECT_EQ(*store.installed(chrome, {call}), Level::default_route_only);
  EXPECT_EQ(*store.installed(chrome, {meet, call}), Level::force_proxy);
  EXPECT_EQ(*store.installed(chrome, {meet, {call.pattern, Level::default_route_only}}),
            Level::unrestricted)
      << "looser than granted";
  EXPECT_THAT(*store.sites_in_force(chrome, Level::force_proxy, {meet, call}),
              UnorderedElementsAre(meet, call));
  EXPECT_THAT(*store.sites_in_force(chrome, Level::force_proxy, {{"https://new.example", {}}}),
              IsEmpty());
  root.write(managed + "zzz.json", R"({"WebRtcIPHandlingUrl": [
      {"url": "https://meet.example", "handling": "default_public_interface_only"},
      {"url": "https://other.example", "handling": "default_public_interface_only"}]})");
  EXPECT_EQ(*store.installed(chrome, {meet, call}), Level::default_route_only) << "others' entry";
  EXPECT_THAT(*store.sites_in_force(chrome, Level::force_proxy, {meet, call}), ElementsAre(meet));
}

TEST(Sites, WhatIsNotGrantedCanBeTakenOutOfAFile) {
  const TempRoot root;
  Store store(root.path());
  for (const char* id : {"chrome", "edge", "vivaldi"}) {
    const Browser& browser = *find_browser(id);
    EXPECT_EQ(*store.without_other_sites(browser, {}), std::nullopt) << "no file";
    ASSERT_TRUE(store.apply(*store.plan({{id, {Level::force_proxy, {meet, call}}}})));
    EXPECT_EQ(*store.without_other_sites(browser, {}), std::nullopt) << "an admin applied it";
    ASSERT_TRUE(store.apply(
        *store.plan({{id, {Level::force_proxy, {meet, call}}}}, {.service = true, .again = true})));
    EXPECT_EQ(*store.without_other_sites(browser, {call, meet}), std::nullopt);
    const auto kept = *store.without_other_sites(browser, {meet});
    ASSERT_TRUE(kept);
    ASSERT_TRUE(store.apply(*store.plan({{id, *kept}}, {.service = true})));
    EXPECT_EQ(*store.installed(browser, {meet}), Level::force_proxy);
    EXPECT_EQ(*store.without_other_sites(browser, {meet}), std::nullopt);
    EXPECT_TRUE(*store.without_other_sites(browser, {}));
  }
}

TEST(Sites, AnotherFilesListIsNotReplaced) {
  const TempRoot root;
  root.write(managed + "admin.json", R"({"WebRtcIPHandlingUrl": [
      {"url": "https://bank.example", "handling": "disable_non_proxied_udp"}]})");
  const auto plan = Store(root.path()).plan({{"chrome", {Level::default_route_only, {call}}}});
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->changes.front().after, Not(HasSubstr("WebRtcIPHandlingUrl")));
  EXPECT_THAT(plan->changes.front().notes, Contains(HasSubstr("would replace another file's")));
}

TEST(Sites, FirefoxHasNoneAndThePlanSaysSo) {
  const TempRoot root;
  const Store store(root.path());
  const auto with = store.plan({{"firefox", {Level::force_proxy, {meet}}}});
  const auto without = store.plan({{"firefox", Level::force_proxy}});
  EXPECT_EQ(with->changes.front().after, without->changes.front().after);
  EXPECT_THAT(with->changes.front().notes, Contains(HasSubstr("Firefox has no setting per site")));
  EXPECT_THAT(without->changes.front().notes, Not(Contains(HasSubstr("per site"))));
}

TEST(Sites, BrowsersThatShareAFileShareWhatBothAreToHave) {
  const TempRoot root;
  const auto plan = Store(root.path())
                        .plan({{"chromium", {Level::force_proxy, {meet, call}}},
                               {"vivaldi", {Level::force_proxy, {meet}}}});
  ASSERT_TRUE(plan);
  for (const Change& change : plan->changes) {
    EXPECT_THAT(change.after, HasSubstr("meet.example")) << change.path;
    EXPECT_THAT(change.after, Not(HasSubstr("call.example"))) << change.path;
  }
  EXPECT_THAT(
      plan->changes.front().notes,
      Contains(HasSubstr("exceptions are left out that Vivaldi, which reads the same file")));
}

TEST(Sites, ABrowserWithoutALevelTakesNoneFromTheFileThatItShares) {
  const TempRoot root;
  const WantedPolicy nothing;
  for (const auto& [with, without] : {std::pair("chromium", "vivaldi"), {"vivaldi", "chromium"}}) {
    const auto plan =
        Store(root.path()).plan({{with, {Level::force_proxy, {meet}}}, {without, nothing}});
    ASSERT_TRUE(plan);
    const auto shared = std::ranges::find_if(plan->changes, [](const Change& change) {
      return change.kind != Change::Kind::none &&
             change.path.string().find("/chromium/") != std::string::npos;
    });
    ASSERT_NE(shared, plan->changes.end());
    EXPECT_THAT(shared->after, HasSubstr("meet.example")) << with;
  }
}

}  // namespace
}  // namespace icelock::policy
