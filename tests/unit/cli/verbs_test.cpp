// SPDX-License-Identifier: Apache-2.0
#include "cli/policy_verbs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "app/paint.h"
#include "temp_root.h"

namespace icelock::app {
namespace {

using nlohmann::json;
using policy::TempRoot;
using testing::HasSubstr;
using testing::Not;
using Verb = int (*)(const PolicyOptions&, std::ostream&, std::ostream&);

struct Ran {
  int code = -1;
  std::string out;
  std::string err;
  json parsed() const { return json::parse(out); }
};

Ran run(Verb verb, const PolicyOptions& options) {
  std::ostringstream out;
  std::ostringstream err;
  Ran result;
  {
    const PlainText filter(out);
    result.code = verb(options, out, err);
  }
  result.out = out.str();
  result.err = err.str();
  return result;
}

class Verbs : public testing::Test {
 protected:
  Verbs() {
    root_.write("usr/bin/chromium", "");
    root_.write("usr/bin/firefox-esr", "");
    options_.root = root_.path();
    options_.home = root_.path();
    options_.host_program = "/usr/lib/icelock/icelock-host";
    options_.unplanned = true;
  }
  TempRoot root_;
  PolicyOptions options_;
};

TEST_F(Verbs, PlanApplyPlanRevert) {
  const auto before = root_.snapshot();
  const Ran plan = run(run_plan, options_);
  EXPECT_EQ(plan.code, 2);
  EXPECT_THAT(plan.out,
              HasSubstr("+++ " + (root_ / "etc/firefox/policies/policies.json").string()));
  EXPECT_THAT(plan.out, HasSubstr("--- /dev/null"));
  EXPECT_THAT(plan.out, HasSubstr("WebRtcIPHandling: not set -> \"disable_non_proxied_udp\""));
  EXPECT_THAT(plan.out, Not(HasSubstr("Brave")));
  EXPECT_THAT(plan.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(root_.snapshot(), before);

  EXPECT_EQ(run(run_apply, options_).code, 0);
  EXPECT_EQ(run(run_plan, options_).code, 0);
  EXPECT_EQ(run(run_apply, options_).code, 0);
  const Ran revert = run(run_revert, options_);
  EXPECT_EQ(revert.code, 0);
  EXPECT_THAT(revert.out, HasSubstr("+++ /dev/null"));
  std::filesystem::remove_all(root_ / "var/lib/icelock");  // the history, which stays
  EXPECT_EQ(root_.snapshot(), before);
  EXPECT_THAT(run(run_revert, options_).out, HasSubstr("Nothing to do"));
}

TEST_F(Verbs, ApplyWritesNothingThatWasNotPlanned) {
  options_.unplanned = false;
  options_.browsers = {"chromium"};
  options_.level = Level::disabled;
  options_.reason = "it's time";
  const auto before = root_.snapshot();
  const Ran dry = run(run_apply, options_);
  EXPECT_EQ(dry.code, 2);
  EXPECT_EQ(dry.out, run(run_plan, options_).out);
  EXPECT_EQ(root_.snapshot(), before);
  const std::string command = "  icelock apply --plan ";
  const std::size_t at = dry.out.find(command);
  ASSERT_NE(at, std::string::npos) << dry.out;
  EXPECT_EQ(dry.out.substr(at + command.size() + 16),
            " --level disabled --browser chromium --root " + root_.path().string() +
                " --reason 'it'\\''s time'\n");
  options_.fingerprint = "0123456789abcdef";
  options_.json = true;
  EXPECT_EQ(run(run_apply, options_).parsed()["code"], "changed");
  EXPECT_EQ(root_.snapshot(), before);
  options_.fingerprint = dry.out.substr(at + command.size(), 16);
  EXPECT_EQ(run(run_apply, options_).parsed()["done"], true);
  EXPECT_NE(root_.snapshot(), before);
  // The same once more, as after an answer that was lost.
  EXPECT_EQ(run(run_apply, options_).parsed()["ok"], true);
  options_.fingerprint.clear();
  options_.level = Level::unrestricted;
  EXPECT_EQ(run(run_apply, options_).parsed()["done"], false);
}

TEST_F(Verbs, ColourOnlyWhenAskedFor) {
  options_.colour = true;
  EXPECT_THAT(run(run_plan, options_).out, HasSubstr("\x1b[32m+"));
  options_.json = true;
  EXPECT_THAT(run(run_plan, options_).out, Not(HasSubstr("\x1b")));
}

TEST_F(Verbs, DiffShowsOnlyTheNeighbourhood) {
  root_.write("etc/firefox/policies/policies.json",
              "{\n  \"policies\": {\n    \"A\": 1,\n    \"B\": 2,\n    \"C\": 3,\n    \"D\": 4,\n"
              "    \"E\": \"\x7f[2J\"\n  }\n}\n");
  options_.browsers = {"firefox"};
  const std::string out = run(run_plan, options_).out;
  EXPECT_THAT(out,
              HasSubstr("@@ -4,6 +4,14 @@\n     \"B\": 2,\n     \"C\": 3,\n     \"D\": 4,\n"
                        "-    \"E\": \"?[2J\"\n+    \"E\": \"?[2J\",\n+    \"Preferences\": {\n"))
      << out;
  EXPECT_THAT(out, HasSubstr("+    }\n   }\n }\n"));
}

TEST_F(Verbs, JsonIsOneObjectWithTheFacts) {
  options_.json = true;
  const Ran plan = run(run_plan, options_);
  EXPECT_EQ(plan.code, 2);
  const json value = plan.parsed();
  EXPECT_EQ(value["v"], 1);
  EXPECT_EQ(value["ok"], true);
  EXPECT_EQ(value["pending"], true);
  ASSERT_EQ(value["changes"].size(), 2U);
  const json& chromium = value["changes"][0];
  EXPECT_EQ(chromium["browser"], "chromium");
  EXPECT_EQ(chromium["kind"], "create");
  EXPECT_EQ(chromium["keys"][0]["before"], nullptr);
  EXPECT_EQ(chromium["keys"][0]["after"], "disable_non_proxied_udp");
  EXPECT_EQ(chromium["keys"].size(), 1U);
  const json done = run(run_apply, options_).parsed();
  EXPECT_EQ(done["done"], true);
  EXPECT_EQ(done["pending"], false);
  EXPECT_EQ(done["problems"], json::array());
}

TEST_F(Verbs, ApplySaysWhenSomebodyElseWins) {
  root_.write("etc/chromium/policies/managed/zzz.json", R"({"WebRtcIPHandling": "default",
      "WebRtcIPHandlingUrl": [{"url": "*", "handling": "default"}]})");
  options_.browsers = {"chromium"};
  const Ran apply = run(run_apply, options_);
  EXPECT_EQ(apply.code, 4);
  EXPECT_THAT(apply.err, HasSubstr("Chromium obeys only unrestricted"));
}

TEST_F(Verbs, FailuresHaveOneShape) {
  root_.write("etc/firefox/policies/policies.json", "{");
  const std::string file = (root_ / "etc/firefox/policies/policies.json").string();
  for (const Verb verb : {run_plan, run_apply}) {
    options_.json = false;
    const Ran text = run(verb, options_);
    EXPECT_EQ(text.code, 6);
    EXPECT_EQ(text.err, "icelock: not valid JSON: " + file + " [bad_policy_file]\n");
    EXPECT_EQ(text.out, "");
    options_.json = true;
    const Ran value = run(verb, options_);
    EXPECT_EQ(value.code, 6);
    EXPECT_EQ(value.err, "");
    EXPECT_EQ(value.parsed(), json({{"v", 1},
                                    {"ok", false},
                                    {"code", "bad_policy_file"},
                                    {"what", "not valid JSON"},
                                    {"object", file}}));
  }
  options_.browsers = {"netscape"};
  for (const Verb verb : {run_plan, run_apply, run_revert, run_setup, run_unsetup}) {
    EXPECT_EQ(run(verb, options_).parsed()["code"], "not_found");
  }
}

TEST_F(Verbs, NoBrowserIsAnError) {
  const TempRoot empty;
  options_.root = empty.path();
  EXPECT_EQ(run(run_plan, options_).code, 1);
}

TEST_F(Verbs, SetupAndUnsetup) {
  const auto before = root_.snapshot();
  for (const policy::Scope scope : {policy::Scope::user, policy::Scope::system}) {
    options_.scope = scope;
    options_.json = false;
    const Ran setup = run(run_setup, options_);
    EXPECT_EQ(setup.code, 0) << setup.err;
    EXPECT_THAT(setup.out, HasSubstr("icelock.host.json (create)"));
    EXPECT_THAT(setup.out, HasSubstr("about:debugging"));
    options_.json = true;
    const json removed = run(run_unsetup, options_).parsed();
    ASSERT_EQ(removed["changes"].size(), 2U);
    EXPECT_EQ(removed["changes"][0]["kind"], "remove");
    for (const auto& [name, text] : root_.snapshot()) {
      EXPECT_EQ(name.find("icelock"), std::string::npos) << name;
    }
  }
}

}  // namespace
}  // namespace icelock::app
