// SPDX-License-Identifier: Apache-2.0
#include "policy/render.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace icelock::policy {
namespace {

using nlohmann::json;

constexpr Level levels[] = {Level::unrestricted, Level::default_route_only, Level::force_proxy,
                            Level::disabled};

TEST(Render, EveryFirefoxLevelStatesTheSamePreferences) {
  for (const Level level : levels) {
    const auto prefs = firefox_prefs(level);
    ASSERT_EQ(prefs.size(), 6U);
    for (std::size_t i = 0; i < prefs.size(); ++i) {
      EXPECT_EQ(prefs[i].pref, firefox_prefs(Level::unrestricted)[i].pref);
    }
  }
}

TEST(Render, NoFirefoxLevelUsesWhatShowsAddressesInGetStats) {
  for (const Level level : levels) {
    for (const FirefoxPref& pref : firefox_prefs(level)) {
      if (pref.pref.ends_with(".no_host")) {
        EXPECT_FALSE(pref.value);
      }
      if (pref.pref.ends_with(".obfuscate_host_addresses")) {
        EXPECT_TRUE(pref.value);
      }
    }
  }
}

TEST(Render, LevelsReadBackFromWhatIsWritten) {
  for (const Level level : levels) {
    const Level in_chromium = std::min(level, Level::force_proxy);
    for (const Browser& browser : browsers()) {
      if (browser.family == BrowserFamily::firefox) continue;
      EXPECT_EQ(chromium_policy(browser, chromium_policy_file(browser, level))->level, in_chromium);
    }
    EXPECT_EQ(firefox_level(*firefox_policy_file("", level)), level);
  }
}

TEST(Render, ChromiumFileIsTheLevelAndForEdgeTheUrlListToo) {
  for (const Browser& browser : browsers()) {
    if (browser.family == BrowserFamily::firefox) continue;
    const json file = json::parse(chromium_policy_file(browser, Level::force_proxy));
    json expected = {{browser.level_key, "disable_non_proxied_udp"}};
    if (browser.id == "edge") {
      expected["WebRtcIPHandlingUrl"] = {{{"url", "*"}, {"handling", "disable_non_proxied_udp"}}};
    }
    EXPECT_EQ(file, expected);
  }
}

struct Case {
  const char* file;
  std::optional<Level> level;
};

TEST(Render, AFileOfOurOwnStatesALevelOrNone) {
  const Browser& chrome = *find_browser("chrome");
  for (const auto& [file, level] : {
           Case{R"({"WebRtcIPHandling": "disable_non_proxied_udp"})", Level::force_proxy},
           Case{R"({"WebRtcIPHandling": "disable_non_proxied_udp",})", Level::force_proxy},
           Case{R"({"WebRtcIPHandling": "default_public_and_private_interfaces"})", std::nullopt},
           Case{R"({"WebRtcIPHandling": "DisableNonProxiedUdp"})", std::nullopt},
           Case{R"({"WebRtcIPHandling": 4})", std::nullopt},
           Case{R"({"WebRtcIPHandlingPolicy": "disable_non_proxied_udp"})", std::nullopt},
           Case{R"({"WebRtcLocalhostIpHandling": "disable_non_proxied_udp"})", std::nullopt},
           Case{R"({"WebRtcIPHandling": "disable_non_proxied_udp")", std::nullopt},
           Case{"", std::nullopt},
           Case{"[]", std::nullopt},
       }) {
    const auto policy = chromium_policy(chrome, file);
    EXPECT_EQ(policy ? std::optional(policy->level) : std::nullopt, level) << file;
  }
}

std::string firefox_file(const char* preferences) {
  return std::string(R"({"policies": {"Preferences": )") + preferences + "}}";
}

TEST(Render, FirefoxLevelCountsOnlyWhatIsLocked) {
  const std::string none = R"("media.peerconnection.ice.no_host": false,
      "media.peerconnection.ice.obfuscate_host_addresses": {"Value": true, "Status": "locked"},)";
  for (const auto& [preferences, level] : {
           Case{R"({"media.peerconnection.enabled": false})", Level::disabled},
           Case{R"({"media.peerconnection.enabled": {"Value": 0, "Status": "locked"}})",
                Level::disabled},
           Case{R"({"media.peerconnection.enabled": {"Value": false, "Status": "default"}})",
                std::nullopt},
           Case{R"({"media.peerconnection.enabled": {"Value": false, "Status": "locked",
                    "Type": "string"}})",
                std::nullopt},
           Case{R"({"media.peerconnection.ice.proxy_only": true})", std::nullopt},
           Case{"{}", std::nullopt},
       }) {
    EXPECT_EQ(firefox_level(firefox_file(preferences)), level) << preferences;
  }
  const auto with = [&](const std::string& pref) {
    return firefox_level(firefox_file(("{" + none + pref + "}").c_str()));
  };
  EXPECT_EQ(with(R"("media.peerconnection.ice.proxy_only": true)"), Level::force_proxy);
  EXPECT_EQ(with(R"("media.peerconnection.ice.proxy_only": {"Value": true, "Status": "user"})"),
            std::nullopt);
  EXPECT_EQ(with(R"("media.peerconnection.ice.default_address_only": true)"),
            Level::default_route_only);
}

TEST(Render, FirefoxKeepsOthersSettingsAndReplacesIcelocksOwn) {
  const std::string before =
      "{\r\n\t\"policies\": {\r\n\t\t\"DisableTelemetry\": true,\r\n\t\t\"Preferences\": {\r\n"
      "\t\t\t\"media.peerconnection.ice.proxy_only\": {\"Value\":false, "
      "\"Status\":\"default\"},\r\n"
      "\t\t\t\"browser.x\": 1.50\r\n\t\t}\r\n\t}\r\n}";
  const auto after = firefox_policy_file(before, Level::force_proxy);
  ASSERT_TRUE(after);
  EXPECT_EQ(firefox_level(*after), Level::force_proxy);
  EXPECT_NE(after->find("\t\t\t\"browser.x\": 1.50,\r\n\t\t\t\"media.peerconnection.enabled\": "
                        "{\"Value\": true, \"Status\": \"locked\", \"Type\": \"boolean\"},\r\n"),
            std::string::npos)
      << *after;
  EXPECT_NE(after->find("\"DisableTelemetry\": true,\r\n"), std::string::npos);
  EXPECT_EQ(after->find("\"default\""), std::string::npos);
  EXPECT_EQ(*firefox_policy_file(*after, Level::force_proxy), *after);
}

// What is locked, the extension cannot tighten when the tunnel drops.
TEST(Render, FirefoxsDefaultRouteCanBeLeftToTheExtension) {
  const auto file = *firefox_policy_file("", Level::default_route_only, FirefoxHold::as_default);
  EXPECT_TRUE(firefox_leaves_to_extension(file));
  EXPECT_EQ(firefox_level(file), Level::default_route_only);
  for (const FirefoxPref& pref : firefox_prefs(Level::default_route_only)) {
    const bool extensions = !pref.pref.ends_with("obfuscate_host_addresses");
    const std::string entry =
        "\"" + std::string(pref.pref) + "\": " +
        firefox_pref_text(pref.value, extensions ? FirefoxHold::as_default : FirefoxHold::locked);
    EXPECT_NE(file.find(entry), std::string::npos) << entry;
  }
  EXPECT_EQ(*firefox_policy_file(file, Level::default_route_only, FirefoxHold::as_default), file);
  const auto tightened = *firefox_policy_file(file, Level::force_proxy);
  EXPECT_EQ(tightened.find("default\""), std::string::npos);
  EXPECT_EQ(firefox_level(tightened), Level::force_proxy);
  // Another's default binds nobody.
  const auto other = *firefox_policy_file("", Level::unrestricted, FirefoxHold::as_default);
  EXPECT_FALSE(firefox_leaves_to_extension(other));
  EXPECT_EQ(firefox_level(other), std::nullopt);
}

TEST(Render, FirefoxLeavesAValueThatIsRightAsItIsSpelt) {
  const std::string spelt = R"({ "Status" : "locked" , "Value" : true })";
  const auto after = firefox_policy_file(
      R"({"policies": {"Preferences": {"media.peerconnection.ice.proxy_only": )" + spelt + "}}}",
      Level::force_proxy);
  EXPECT_NE(after->find(spelt), std::string::npos);
}

// policies/handling.json is the same table as data; the extension is held to it too.
TEST(Render, HandlingJsonSaysTheSame) {
  std::ifstream file(ICELOCK_SOURCE_DIR "/policies/handling.json");
  const json data = json::parse(file);
  ASSERT_EQ(data.at("levels").size(), 4U);
  for (const Level level : levels) {
    const json& row = data.at("levels").at(std::string(name(level)));
    EXPECT_EQ(row.at("chromium").at("policy"), chromium_handling(level));
    json prefs = json::object();
    for (const FirefoxPref& pref : firefox_prefs(level)) prefs[std::string(pref.pref)] = pref.value;
    EXPECT_EQ(row.at("firefox").at("prefs"), prefs);
    EXPECT_EQ(row.at("chromium").at("api").at("webRTCIPHandlingPolicy"), chromium_handling(level));
    EXPECT_FALSE(row.at("chromium").at("api").contains("peerConnectionEnabled"));
    EXPECT_EQ(row.at("firefox").at("api").at("peerConnectionEnabled"), level != Level::disabled);
    for (const char* family : {"chromium", "firefox"}) {
      EXPECT_FALSE(row.at(family).at("source").get<std::string>().empty());
      EXPECT_FALSE(row.at(family).at("note").get<std::string>().empty());
    }
  }
}

// What Firefox's API values do to the preferences (ext-privacy.js), against the preferences of the
// level.
TEST(Render, FirefoxApiValueSetsThePreferencesOfItsLevel) {
  const std::map<std::string, std::set<std::string>> sets = {
      {"default", {}},
      {"default_public_and_private_interfaces", {"default_address_only"}},
      {"default_public_interface_only", {"default_address_only", "no_host"}},
      {"disable_non_proxied_udp",
       {"default_address_only", "no_host", "proxy_only_if_behind_proxy"}},
      {"proxy_only", {"proxy_only"}}};
  std::ifstream file(ICELOCK_SOURCE_DIR "/policies/handling.json");
  const json data = json::parse(file);
  for (const Level level : levels) {
    const json& api = data["levels"][std::string(name(level))]["firefox"]["api"];
    const auto& true_prefs = sets.at(api.at("webRTCIPHandlingPolicy").get<std::string>());
    for (const FirefoxPref& pref : firefox_prefs(level)) {
      const std::string last(pref.pref.substr(pref.pref.rfind('.') + 1));
      if (last == "enabled" || last == "obfuscate_host_addresses") continue;
      EXPECT_EQ(true_prefs.contains(last), pref.value) << name(level) << " " << pref.pref;
    }
  }
}

}  // namespace
}  // namespace icelock::policy
