// SPDX-License-Identifier: Apache-2.0
#include "policy/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "policy/audit_rules.h"
#include "temp_root.h"

namespace icelock::policy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string managed = "etc/chromium/policies/managed/";
const std::string firefox_file = "etc/firefox/policies/policies.json";

class AuditTest : public testing::Test {
 protected:
  /// "rule" of each finding but information, in order of discovery.
  std::vector<std::string> found(Severity least = Severity::warning) {
    audit_ = audit(root_.path(), wanted_).value();
    std::vector<std::string> rules;
    for (const Finding& finding : audit_.findings) {
      if (finding.rule->severity >= least) rules.emplace_back(finding.rule->id);
    }
    return rules;
  }
  void chromium(const std::string& name, const std::string& text) {
    root_.write(managed + name, text);
  }
  void firefox(const std::string& preferences) {
    root_.write(firefox_file, R"({"policies":{"Preferences":{)" + preferences + "}}}");
  }
  const Finding& first(std::string_view rule) {
    return *std::ranges::find_if(audit_.findings,
                                 [&](const Finding& each) { return each.rule->id == rule; });
  }
  TempRoot root_;
  std::optional<Wanted> wanted_ = Wanted{};  ///< a service that asks for nothing
  Audit audit_;
};

TEST_F(AuditTest, AMachineWithoutBrowsersIsAsIntended) {
  EXPECT_THAT(found(Severity::info), IsEmpty());
  EXPECT_TRUE(audit_.clean());
  EXPECT_THAT(audit_.browsers, IsEmpty());
}

TEST_F(AuditTest, WithoutServiceAndLedgerNothingIsIntended) {
  wanted_.reset();
  EXPECT_THAT(found(), ElementsAre("not_compared"));
  EXPECT_FALSE(audit_.compared);
  EXPECT_FALSE(audit_.clean());
  EXPECT_FALSE(audit_.drift());
}

TEST_F(AuditTest, SaysWhoWinsAndWhatIsInForce) {
  chromium("10-corp.json", R"({"WebRtcIPHandling":"default"})");
  chromium("20-lock.json", R"({"WebRtcIPHandling":"disable_non_proxied_udp"})");
  EXPECT_THAT(found(Severity::info), ElementsAre("key_conflict"));
  ASSERT_EQ(audit_.browsers.size(), 1U);
  const BrowserAudit& row = audit_.browsers[0];
  EXPECT_EQ(row.level, Level::force_proxy);
  ASSERT_EQ(row.in_force.size(), 1U);
  EXPECT_EQ(row.in_force[0].value, "\"disable_non_proxied_udp\"");
  EXPECT_EQ(row.in_force[0].file, (root_ / (managed + "20-lock.json")).string());
  EXPECT_TRUE(audit_.clean());
}

TEST_F(AuditTest, NamesWhatFailsOpen) {
  chromium("a.json", R"({"WebRtcIPHandling":"disable_non_proxied_udp")");
  chromium("b.json", "[1]");
  EXPECT_THAT(found(), ElementsAre("file_broken", "file_broken"));
  EXPECT_FALSE(audit_.clean());
  EXPECT_FALSE(audit_.drift());
}

TEST_F(AuditTest, NamesFilesAndFoldersClosedToOthers) {
  chromium("a.json", "{}");
  ::chmod((root_ / (managed + "a.json")).c_str(), 0600);
  EXPECT_THAT(found(), ElementsAre("file_unreadable"));
  ::chmod((root_ / "etc/chromium/policies").c_str(), 0700);
  EXPECT_THAT(found(), Contains("folder_closed"));
  ::chmod((root_ / "etc/chromium/policies").c_str(), 0777);
  EXPECT_THAT(found(), Contains("folder_unsafe"));
}

struct KeyCase {
  const char* folder;
  const char* key;
  const char* rule;
  const char* right;
};

TEST_F(AuditTest, NamesWrongKeysAndTheRightOnes) {
  const KeyCase cases[] = {
      {"etc/chromium/policies/managed", "WebRtcIPHandlingPolicy", "key_unknown",
       "WebRtcIPHandling."},
      {"etc/opt/chrome/policies/managed", "DefaultWebRtcIPHandlingPolicy", "key_unknown",
       "WebRtcIPHandling."},
      {"etc/opt/chrome/policies/managed", "WebRtcLocalhostIpHandling", "key_of_another_browser",
       "WebRtcIPHandling."},
      {"etc/opt/edge/policies/managed", "WebRtcIPHandling", "key_of_another_browser",
       "WebRtcLocalhostIpHandling."},
      {"etc/brave/policies/managed", "webrtciphandling", "key_unknown", "WebRtcIPHandling."},
      {"etc/brave/policies/managed", "WebRtcIpHandlingUrl", "key_unknown", "WebRtcIPHandlingUrl."},
  };
  for (const KeyCase& each : cases) {
    TempRoot root;
    root.write(std::string(each.folder) + "/x.json",
               std::string("{\"") + each.key + "\":\"disable_non_proxied_udp\"}");
    const auto result = audit(root.path()).value();
    const auto finding = std::ranges::find_if(
        result.findings, [&](const Finding& one) { return one.rule->id == each.rule; });
    ASSERT_NE(finding, result.findings.end()) << each.key;
    EXPECT_THAT(finding->fix, HasSubstr(each.right)) << each.key;
    EXPECT_EQ(finding->key, each.key);
  }
}

TEST_F(AuditTest, NamesWrongValuesAndTheRightOnes) {
  const std::pair<const char*, const char*> cases[] = {
      {"AllowAllInterfaces", "Write default."},
      {"AllowPublicAndPrivateInterfaces", "Write default_public_and_private_interfaces."},
      {"AllowPublicInterfaceOnly", "Write default_public_interface_only."},
      {"DisableNonProxiedUdp", "Write disable_non_proxied_udp."},
      {"proxy_only", "Write disable_non_proxied_udp."},
      {"force_proxy", "Write disable_non_proxied_udp."},
      {"nonsense", "Use default_public_interface_only or disable_non_proxied_udp."},
  };
  for (const auto& [wrong, right] : cases) {
    chromium("x.json", std::string("{\"WebRtcIPHandling\":\"") + wrong + "\"}");
    EXPECT_THAT(found(), ElementsAre("value_unknown")) << wrong;
    EXPECT_EQ(first("value_unknown").fix, right);
  }
  chromium("x.json", R"({"WebRtcIPHandling":3})");
  EXPECT_THAT(found(), ElementsAre("value_type"));
  chromium("x.json", R"({"WebRtcIPHandling":"default_public_and_private_interfaces"})");
  EXPECT_THAT(found(), ElementsAre("value_shows_local"));
}

TEST_F(AuditTest, JudgesEachSiteEntry) {
  chromium("x.json", R"({"WebRtcIPHandling":"disable_non_proxied_udp","WebRtcIPHandlingUrl":[
      {"url":"https://meet.example","handling":"default"},
      {"url":"https://*.example.com","handling":"disable_non_proxied_udp"},
      {"url":"https://[*.]example.com","handling":"disable_non_proxied_udp"},
      {"url":"https://a.example"},
      {"url":"https://b.example","handling":"DisableNonProxiedUdp"},
      {"url":"*","handling":"disable_non_proxied_udp"},
      {"url":"https://late.example","handling":"default"}]})");
  EXPECT_THAT(found(),
              ElementsAre("url_undoes_level", "url_pattern_bad", "url_entry_bad", "value_unknown",
                          "url_undoes_level", "url_unreachable", "url_catch_all"));
  chromium("x.json", R"({"WebRtcIPHandlingUrl":"https://meet.example"})");
  EXPECT_THAT(found(), ElementsAre("value_type"));
}

TEST_F(AuditTest, EdgeNeedsItsCatchAll) {
  root_.write("etc/opt/edge/policies/managed/x.json",
              R"({"WebRtcLocalhostIpHandling":"disable_non_proxied_udp","WebRtcIPHandlingUrl":[
                 {"url":"*","handling":"disable_non_proxied_udp"}]})");
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_THAT(found(Severity::info), ElementsAre("edge_limits"));
}

TEST_F(AuditTest, NamesWhatElseLoosensOrHinders) {
  chromium("x.json", R"({"WebRtcLocalIpsAllowedUrls":["https://a.example"],
                         "NativeMessagingBlocklist":["*"]})");
  EXPECT_THAT(found(), ElementsAre("local_ips_allowed", "host_blocked"));
  chromium("y.json", R"({"NativeMessagingAllowlist":["icelock.host"],
                         "WebRtcLocalIpsAllowedUrls":[]})");
  EXPECT_THAT(found(), IsEmpty());
  chromium("y.json", R"({"WebRtcIPHandling":"default","WebRtcIPHandling":"default"})");
  EXPECT_THAT(found(), Contains("key_twice"));
}

TEST_F(AuditTest, FindsLeftoversAndFilesThatNobodyReads) {
  chromium("policy.json.bak", "{}");
  chromium("policy.json~", "{}");
  chromium("fine.conf", "{}");
  EXPECT_THAT(found(), ElementsAre("leftover", "leftover"));
  root_.write("etc/brave/policies/lock.json", "{}");
  std::filesystem::create_directories(root_ / "etc/brave/policies/managed");
  EXPECT_THAT(found(), Contains("not_read"));
  root_.write("etc/brave/policies/recommended/r.json", R"({"WebRtcIPHandling":"default"})");
  EXPECT_THAT(found(Severity::info), Contains("recommended"));
}

TEST_F(AuditTest, JudgesFirefoxPreferences) {
  firefox(R"("media.peerconnection.ice.proxy_only":{"Value":true,"Status":"user"})");
  EXPECT_THAT(found(), ElementsAre("firefox_status_user"));
  firefox(R"("media.peerconnection.ice.proxy_only":{"Value":true,"Status":"default"})");
  EXPECT_THAT(found(), ElementsAre("firefox_not_locked"));
  firefox(R"("media.peerconnection.ice.no_host":true)");
  EXPECT_THAT(found(), ElementsAre("firefox_no_host"));
  firefox(R"("media.peerconnection.ice.obfuscate_host_addresses":false)");
  EXPECT_THAT(found(), ElementsAre("firefox_mdns_off"));
  firefox(R"("media.peerconnection.ice.obfuscate_host_addresses.blocklist":"a.example")");
  EXPECT_THAT(found(), ElementsAre("local_ips_allowed"));
  firefox(R"("media.peerconnection.ice.proxy_only":{"Value":"true","Status":"locked"})");
  EXPECT_THAT(found(), ElementsAre("value_type"));
}

TEST_F(AuditTest, NamesKeysThatStandTwiceInFirefoxsFileAtAnyDepth) {
  firefox(R"("media.peerconnection.ice.proxy_only":{"Value":true,"Status":"locked",
                                                    "Value":false})");
  ASSERT_THAT(found(), Contains("key_twice"));
  EXPECT_EQ(first("key_twice").key, "Value");
  root_.write(firefox_file, R"({"policies":{"Preferences":{},"Preferences":{}}})");
  ASSERT_THAT(found(), ElementsAre("key_twice"));
  EXPECT_EQ(first("key_twice").key, "Preferences");
}

TEST_F(AuditTest, NamesFirefoxFilesThatSetNothing) {
  root_.write(firefox_file, R"({"policies":{},})");
  EXPECT_THAT(found(), ElementsAre("file_broken"));
  root_.write(firefox_file, R"({"Preferences":{}})");
  EXPECT_THAT(found(), ElementsAre("firefox_no_policies"));
  root_.write(firefox_file, R"({"policies":{"WebRtcIPHandling":"default"}})");
  EXPECT_THAT(found(), ElementsAre("key_of_another_browser"));
  root_.write("usr/lib/firefox/distribution/policies.json",
              R"({"policies":{"DisableTelemetry":true}})");
  EXPECT_THAT(found(), Contains("firefox_distribution_ignored"));
  EXPECT_THAT(first("firefox_distribution_ignored").text, HasSubstr("DisableTelemetry"));
  root_.write(firefox_file, R"({"policies":{"DisableTelemetry":false}})");
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(AuditTest, NamesSandboxedBrowsers) {
  std::filesystem::create_directories(root_ / "var/lib/flatpak/app/org.mozilla.firefox");
  std::filesystem::create_directories(root_ / "snap/chromium");
  EXPECT_THAT(found(Severity::info), ElementsAre("sandboxed", "sandboxed"));
}

TEST_F(AuditTest, HoldsFilesAgainstTheLedger) {
  wanted_.reset();
  Store store(root_.path());
  const auto apply = [&] {
    ASSERT_TRUE(store.apply(
        store.plan({{"chromium", Level::force_proxy}, {"firefox", Level::force_proxy}}).value()));
  };
  apply();
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_EQ(audit_.browsers[0].wanted->level, Level::force_proxy);

  chromium("zz-icelock.json", R"({"WebRtcIPHandling":"default"})");
  EXPECT_THAT(found(), ElementsAre("own_file_changed", "level_loose"));
  EXPECT_THAT(audit_.problems_of("chromium"), Not(IsEmpty()));
  EXPECT_THAT(audit_.problems_of("firefox"), IsEmpty());
  EXPECT_TRUE(audit_.drift());

  apply();
  std::filesystem::remove(root_ / firefox_file);
  EXPECT_THAT(found(), ElementsAre("own_file_missing", "level_loose"));

  apply();
  chromium("zzz.json", R"({"WebRtcIPHandling":"default"})");
  EXPECT_THAT(found(), ElementsAre("level_overridden", "level_loose"));
}

TEST_F(AuditTest, TakesExceptionsThatIcelockWroteForIntended) {
  wanted_.reset();
  const std::vector<SiteException> sites = {{"https://meet.example", Level::default_route_only}};
  Store store(root_.path());
  const Wanted asked = {{"chromium", {Level::force_proxy, sites}}};
  ASSERT_TRUE(store.apply(store.plan(asked).value()));
  EXPECT_THAT(found(Severity::info), ElementsAre("site_exception"));
  EXPECT_EQ(audit_.browsers[0].level, Level::force_proxy);
  EXPECT_EQ(audit_.browsers[0].wanted->sites, sites);

  std::string text = root_.read(managed + "zz-icelock.json");
  text.replace(text.find("meet.example"), 4, "evil");
  chromium("zz-icelock.json", text);
  EXPECT_THAT(found(), ElementsAre("own_file_changed", "level_loose", "exception_missing"));
}

TEST_F(AuditTest, JudgesOnlyTheBrowsersThatAreDecided) {
  Store store(root_.path());
  ASSERT_TRUE(store.apply(store.plan({{"firefox", {Level::force_proxy, {}}}}).value()));
  std::filesystem::remove(root_ / firefox_file);
  EXPECT_TRUE(audit(root_.path())->drift());
  EXPECT_FALSE(audit(root_.path(), Wanted{})->drift()) << "left from when it was managed";
}

TEST_F(AuditTest, NamesAListThatReplacesIcelocks) {
  wanted_.reset();
  Store store(root_.path());
  const Wanted asked = {
      {"chromium", {Level::force_proxy, {{"https://meet.example", Level::default_route_only}}}}};
  ASSERT_TRUE(store.apply(store.plan(asked).value()));
  chromium("zzz.json", R"({"WebRtcIPHandlingUrl":[]})");
  EXPECT_THAT(found(), ElementsAre("sites_overridden", "exception_missing"));
}

TEST_F(AuditTest, HoldsTheExtensionThatAnAdminAppliedBesideWhatTheServiceDecides) {
  WantedPolicy asked(Level::force_proxy);
  asked.extension = {.id = std::string(chromium_extension_id),
                     .url = "https://x.example/u.xml",
                     .settings = R"({"mode":"locked"})",
                     .beside = {}};
  Store store(root_.path());
  ASSERT_TRUE(store.apply(store.plan({{"chromium", asked}}).value()));
  wanted_ = Wanted{{"chromium", Level::force_proxy}};
  EXPECT_THAT(found(), IsEmpty());
  chromium("zzz.json", R"({"ExtensionSettings":{}})");
  EXPECT_THAT(found(), ElementsAre("extension_missing"));
}

TEST_F(AuditTest, HoldsLevelsAgainstTheService) {
  chromium("x.json", R"({"WebRtcIPHandling":"default_public_interface_only"})");
  wanted_ = Wanted{{"chromium", Level::force_proxy}};
  EXPECT_THAT(found(), ElementsAre("level_loose"));
  wanted_ = Wanted{{"chromium", Level::default_route_only}};
  EXPECT_THAT(found(), IsEmpty());
}

TEST(AuditRules, AreUniqueAndSayWhatToDo) {
  std::set<std::string_view> ids;
  for (const Rule& rule : audit_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_FALSE(rule.title.empty()) << rule.id;
  }
}

TEST(AuditRules, KnowPatterns) {
  for (const char* fine : {"*", "https://a.example", "[*.]a.example", "https://[*.]a.example:8443",
                           "*://a.example:*", "https://[2001:db8::1]", "https://*"}) {
    EXPECT_FALSE(lint_pattern(fine)) << fine;
  }
  for (const char* bad : {"", "*.a.example", "https://*.a.example", "https://a.*.example",
                          "https://a .example", "https://meet*"}) {
    EXPECT_TRUE(lint_pattern(bad)) << bad;
  }
}

}  // namespace
}  // namespace icelock::policy
