// SPDX-License-Identifier: Apache-2.0
#include "check/check_report.h"

#include <algorithm>
#include <ostream>

#include "app/print.h"
#include "app/state_json.h"
#include "guard/decide.h"

namespace icelock::app {
namespace {

using ice::Permission;
using ipc::Json;

void add_finding(BrowserCheck& check, const Candidate& candidate, Permission permission,
                 const net::Network& network, const guard::Protection& more) {
  // One candidate at a time, so that its sources stay with it.
  const ice::Sight sight = sight_of({.api = true, .error = "", .candidates = {candidate}});
  if (sight.shown.empty()) return;
  const auto exposure = ice::judge(sight.shown.front(), network);
  if (!exposure) return;
  auto found = std::ranges::find(check.findings, *exposure, &Finding::exposure);
  if (found == check.findings.end()) {
    const bool leak = guard::is_protected(*exposure, guard::protects(network), more);
    check.findings.push_back({*exposure, permission, {}, leak});
    found = check.findings.end() - 1;
  }
  for (const std::string& source : candidate.sources) {
    if (std::ranges::find(found->sources, source) == found->sources.end()) {
      found->sources.push_back(source);
    }
  }
}

void advise(BrowserCheck& check, const net::Network& network, const guard::Protection& more) {
  if (!check.leaks()) return;
  const std::string id(check.browser->id);
  const Level least = guard::loosest_safe(check.browser->family, network, more);
  const std::string needed(name(least));
  const std::string apply = "sudo icelock apply --yes --browser " + id + " --level " + needed;
  if (check.policy && *check.policy >= least) {
    check.advice.push_back("The policy says " + std::string(name(*check.policy)) +
                           ", and the browser does not do it: see what is wrong with "
                           "`icelock status`, and whether this browser reads policy at all.");
    return;
  }
  check.advice.push_back("Lock it for all users: " + apply);
  check.advice.push_back(
      "Or use the extension; this test starts without it, so it cannot show "
      "what it does.");
}

Json finding_json(const Finding& finding) {
  return {{"class", ice::name(finding.exposure.exposure_class)},
          {"address", finding.exposure.address},
          {"link", finding.exposure.link},
          {"permission", ice::name(finding.permission)},
          {"sources", finding.sources},
          {"protected", finding.leak}};
}

Json browser_json(const BrowserCheck& check) {
  Json json = {{"id", check.browser->id},
               {"name", check.browser->name},
               {"program", check.program.string()},
               {"milliseconds", check.took.count()}};
  if (check.error) {
    json["error"] = {{"code", info(check.error->code).name},
                     {"what", check.error->what},
                     {"object", check.error->object}};
    return json;
  }
  Json shown = Json::array();
  for (const Finding& finding : check.findings) shown.push_back(finding_json(finding));
  json["level"] = name(check.level);
  json["policy"] = check.policy ? Json(name(*check.policy)) : Json(nullptr);
  json["leak"] = check.leaks();
  json["shown"] = shown;
  json["advice"] = check.advice;
  return json;
}

void print_check(const BrowserCheck& check, const Output& output) {
  std::ostream& out = output.out;
  const Paint paint = output.paint();
  out << '\n' << check.browser->name << ": ";
  if (check.error) {
    out << paint.red("not checked") << '\n' << "  " << to_string(*check.error) << '\n';
    return;
  }
  out << (check.leaks() ? paint.red("LEAK") : paint.green("no leak")) << ", obeys "
      << name(check.level);
  out << (check.policy ? " (policy: " + std::string(name(*check.policy)) + ")" : " (no policy)");
  const auto tenths = check.took.count() / 100;
  out << ", " << tenths / 10 << '.' << tenths % 10 << " s\n";
  for (const Finding& finding : check.findings) {
    out << "  " << (finding.leak ? paint.red("LEAK") + "  " : "") << in_words(finding.exposure)
        << (finding.permission == Permission::none ? ", to any page"
                                                   : ", to a page with microphone permission")
        << '\n';
  }
  if (check.findings.empty()) out << "  A page learns no address.\n";
  for (const std::string& line : check.advice) out << "  " << line << '\n';
}

}  // namespace

bool BrowserCheck::leaks() const {
  return std::ranges::any_of(findings, &Finding::leak);
}

int CheckReport::exit_code() const {
  if (std::ranges::any_of(browsers, &BrowserCheck::leaks)) return 3;
  const auto failed = [](const BrowserCheck& check) { return check.error.has_value(); };
  return std::ranges::any_of(browsers, failed) ? 1 : 0;
}

void judge_answers(BrowserCheck& check, const Answers& answers, const net::Network& network,
                   const guard::Protection& more) {
  for (const PageAnswer& answer : answers) {
    if (answer.error.empty()) continue;
    check.error = Error{Code::unavailable, "the check page stumbled", answer.error};
    return;
  }
  for (const Permission permission : {Permission::none, Permission::granted}) {
    for (const Candidate& candidate : answers[static_cast<std::size_t>(permission)].candidates) {
      add_finding(check, candidate, permission, network, more);
    }
  }
  std::ranges::sort(check.findings, {}, &Finding::exposure);
  const auto range =
      ice::obeyed(check.browser->family, sight_of(answers[0]), sight_of(answers[1]), network);
  // What the network cannot tell apart, the policy may.
  check.level = range.loosest;
  if (check.policy && *check.policy >= range.loosest && *check.policy <= range.tightest) {
    check.level = *check.policy;
  }
  advise(check, network, more);
}

Json report_json(const CheckReport& report) {
  Json rows = Json::array();
  for (const BrowserCheck& check : report.browsers) rows.push_back(browser_json(check));
  return {{"v", ipc::protocol_version},
          {"network", network_json(report.network)},
          {"vpn", guard::protects(report.network)},
          {"leak", report.exit_code() == 3},
          {"stun", report.servers},
          {"browsers", rows}};
}

void print_report(const CheckReport& report, const Output& output) {
  print_network(output.out, report.network);
  for (const BrowserCheck& check : report.browsers) print_check(check, output);
  output.out << '\n';
  if (!guard::protects(report.network)) {
    output.out << "No VPN is up, so nothing of this is hidden elsewhere: it is what pages see.\n";
  }
  output.out << (report.servers.empty()
                     ? "No server outside was asked; --stun HOST shows public addresses too.\n"
                     : "Public addresses are as the STUN server named them.\n");
}

}  // namespace icelock::app
