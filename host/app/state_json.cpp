// SPDX-License-Identifier: Apache-2.0
#include "app/state_json.h"

#include <algorithm>

#include "policy/browsers.h"
#include "policy/manifest.h"
#include "policy/store.h"

namespace icelock::app {
namespace {

using ipc::Json;

// Chromium cannot switch WebRTC off.
Level reachable(BrowserFamily family, Level level) {
  return family == BrowserFamily::chromium ? std::min(level, Level::force_proxy) : level;
}

void take_report(BrowserStatus& status, const Report& report, const guard::State& state,
                 bool on_its_way) {
  status.installed = true;
  status.controlled_by = controlled_by(report.level_of_control);
  status.level = report.level;
  if (!report.level) {
    status.problems.push_back("WebRTC is set to \"" + report.value +
                              "\", which is no level of icelock");
    return;
  }
  const Level wanted = reachable(status.family, state.decision.of(status.family));
  if (*report.level < wanted && !on_its_way) {
    status.problems.push_back("obeys " + std::string(name(*report.level)) + ", looser than " +
                              std::string(name(wanted)));
  }
}

void take_policy(BrowserStatus& status, const Result<std::optional<Level>>& installed,
                 const guard::State& state) {
  if (!installed) {
    status.problems.push_back(to_string(installed.error()));
    return;
  }
  const std::optional<Level>& level = *installed;
  if (!level) return;
  const Level wanted = reachable(status.family, state.decision.of(status.family));
  if (*level < wanted) {
    status.problems.push_back("policy sets " + std::string(name(*level)) + ", looser than " +
                              std::string(name(wanted)));
  }
  status.level = level;
  status.controlled_by = "policy";
}

Json family_json(const std::optional<net::Network>& network,
                 net::FamilyState net::Network::* family) {
  if (!network) return {{"verdict", "none"}, {"link", ""}, {"excluded_routes", false}};
  const net::FamilyState& state = (*network).*family;
  return {{"verdict", name(state.verdict)},
          {"link", state.link},
          {"excluded_routes", state.excluded_routes}};
}

}  // namespace

std::vector<BrowserFiles> read_browser_files(const std::filesystem::path& root,
                                             const std::vector<policy::SiteException>& sites) {
  const policy::Store store(root);
  std::vector<BrowserFiles> files;
  for (const policy::Browser& browser : policy::browsers()) {
    files.push_back(
        {&browser, policy::is_installed(browser, root), store.installed(browser, sites)});
  }
  return files;
}

std::vector<BrowserStatus> browser_statuses(const std::vector<BrowserFiles>& files,
                                            const guard::State& state,
                                            const std::vector<Report>& reports,
                                            bool reports_are_ours) {
  std::vector<BrowserStatus> statuses;
  for (const auto& [browser, installed, level] : files) {
    BrowserStatus status{.id = std::string(browser->id),
                         .name = std::string(browser->name),
                         .family = browser->family,
                         .installed = installed,
                         .level = {},
                         .controlled_by = "unknown",
                         .problems = {}};
    take_policy(status, level, state);
    // The loosest of several running profiles is what counts; a browser's own word beats a file.
    const Report* loosest = nullptr;
    for (const Report& report : reports) {
      if (report.browser != browser->id) continue;
      if (loosest == nullptr || !report.level ||
          (loosest->level && *report.level < *loosest->level)) {
        loosest = &report;
      }
    }
    if (loosest != nullptr) {
      // Our own browser's report answers one of our states; one that answers an older state is
      // being replaced.
      const bool on_its_way = reports_are_ours && loosest->serial < state.serial;
      take_report(status, *loosest, state, on_its_way);
    }
    statuses.push_back(std::move(status));
  }
  return statuses;
}

Json network_json(const std::optional<net::Network>& network) {
  return {{"ipv4", family_json(network, &net::Network::ipv4)},
          {"ipv6", family_json(network, &net::Network::ipv6)}};
}

Json reasons_json(const std::vector<guard::Reason>& reasons) {
  Json rows = Json::array();
  for (const guard::Reason& reason : reasons) {
    rows.push_back({{"code", reason.code}, {"text", reason.text}, {"args", reason.args}});
  }
  return rows;
}

Json browsers_json(const std::vector<BrowserStatus>& browsers) {
  Json rows = Json::array();
  for (const BrowserStatus& browser : browsers) {
    rows.push_back({{"id", browser.id},
                    {"installed", browser.installed},
                    {"level", browser.level ? Json(name(*browser.level)) : Json(nullptr)},
                    {"controlled_by", browser.controlled_by},
                    {"problems", browser.problems}});
  }
  return rows;
}

Json state_json(const guard::State& state) {
  Json tunnels = Json::array();
  if (state.network) {
    for (const net::Tunnel& tunnel : state.network->tunnels) {
      tunnels.push_back({{"link", tunnel.link},
                         {"kind", tunnel.kind},
                         {"ipv4", name(tunnel.ipv4)},
                         {"ipv6", name(tunnel.ipv6)}});
    }
  }
  Json modes = Json::array();
  for (const guard::Mode mode : {guard::Mode::automatic, guard::Mode::locked, guard::Mode::open}) {
    if (guard::may_choose(state.settings, mode)) modes.push_back(guard::name(mode));
  }
  return {
      {"v", ipc::protocol_version},
      {"network", network_json(state.network)},
      {"tunnels", tunnels},
      {"mode", guard::name(state.settings.mode)},
      {"mode_level", name(state.settings.mode_level)},
      {"mode_fixed", state.settings.mode_fixed},
      {"modes", modes},
      {"floor", name(state.settings.floor)},
      {"decision",
       {{"chromium", name(state.decision.chromium)}, {"firefox", name(state.decision.firefox)}}},
      {"held_seconds", state.decision.held.count()},
      {"reasons", reasons_json(state.decision.reasons)}};
}

}  // namespace icelock::app
