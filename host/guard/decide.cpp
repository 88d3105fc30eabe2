// SPDX-License-Identifier: Apache-2.0
#include "guard/decide.h"

#include <algorithm>
#include <array>

namespace icelock::guard {
namespace {

using net::FamilyState;
using net::Network;
using net::Verdict;

bool in_vpn(Verdict verdict) {
  return verdict == Verdict::tunnel || verdict == Verdict::ipsec || verdict == Verdict::partial;
}

using Args = std::map<std::string, std::string>;

Reason reason(std::string code, std::string text, Args args = {}) {
  return {std::move(code), std::move(text), std::move(args)};
}

std::string tunnel_name(const Network& network) {
  for (const FamilyState* family : {&network.ipv4, &network.ipv6}) {
    if (family->verdict == Verdict::tunnel || family->verdict == Verdict::ipsec) {
      return family->link;
    }
  }
  return network.tunnels.empty() ? "?" : network.tunnels.front().link;
}

void explain_family(std::vector<Reason>& reasons, const Network& network, const FamilyState& family,
                    std::string_view word, std::string_view outside_code) {
  const std::string tunnel = tunnel_name(network);
  if (family.verdict == Verdict::direct) {
    reasons.push_back(reason(
        std::string(outside_code),
        "VPN " + tunnel + " carries no " + std::string(word) + "; " + family.link + " routes it.",
        {{"tunnel", tunnel}, {"link", family.link}}));
    reasons.push_back(reason("http_shows_too",
                             "Plain web traffic over " + family.link + " shows the same " +
                                 std::string(word) +
                                 " address; no WebRTC setting can hide it there.",
                             {{"link", family.link}}));
  }
  if (family.verdict == Verdict::partial) {
    reasons.push_back(
        reason("partial_tunnel",
               "Some " + std::string(word) + " traffic leaves the VPN aside" +
                   (family.link.empty() ? "" : ", over " + family.link) + ".",
               family.link.empty() ? Args{} : Args{{"tunnel", tunnel}, {"link", family.link}}));
  }
  if (in_vpn(family.verdict) && family.excluded_routes) {
    const std::string example =
        family.excluded_example.empty() ? "" : " (" + family.excluded_example + ")";
    reasons.push_back(reason("excluded_routes",
                             "Some public " + std::string(word) + " addresses leave VPN " + tunnel +
                                 " aside" + example + ".",
                             {{"tunnel", tunnel}, {"example", family.excluded_example}}));
  }
}

std::vector<Reason> explain(const Network& network) {
  std::vector<Reason> reasons;
  if (!protects(network)) {
    for (const net::Tunnel& tunnel : network.tunnels) {
      reasons.push_back(reason("split_tunnel",
                               "VPN " + tunnel.link + " is up, but web traffic does not use it.",
                               {{"tunnel", tunnel.link}}));
    }
    if (reasons.empty()) reasons.push_back(reason("no_tunnel", "No VPN carries web traffic."));
    return reasons;
  }
  if (!in_vpn(network.ipv4.verdict) && !in_vpn(network.ipv6.verdict)) {
    reasons.push_back(reason("blocked", "A kill switch refuses web traffic."));
    return reasons;
  }
  explain_family(reasons, network, network.ipv4, "IPv4", "ipv4_outside_tunnel");
  explain_family(reasons, network, network.ipv6, "IPv6", "ipv6_outside_tunnel");
  if (reasons.empty()) {
    const std::string tunnel = tunnel_name(network);
    reasons.push_back(
        reason("full_tunnel", "VPN " + tunnel + " carries all web traffic.", {{"tunnel", tunnel}}));
  }
  return reasons;
}

void protect(Decision& decision, const Network& network, const Protection& more) {
  decision.chromium = loosest_safe(BrowserFamily::chromium, network, more);
  decision.firefox = loosest_safe(BrowserFamily::firefox, network, more);
  if (decision.chromium == loosest_safe(BrowserFamily::chromium, network, {}) &&
      decision.firefox == loosest_safe(BrowserFamily::firefox, network, {})) {
    return;
  }
  decision.reasons.push_back(reason(
      "admin_protects", "Your administrator protects more addresses than a VPN is there to hide."));
}

// The level that the network calls for, before the person's and the admin's wishes.
Decision follow_network(const Network& network, const Settings& settings, Memory& memory,
                        Clock::time_point now) {
  Decision decision{.reasons = explain(network)};
  if (protects(network)) {
    // Without a tunnel in sight, "partial" is a question that failed: locked now, nothing to hold
    // later.
    memory.tunnel_was_up = !network.tunnels.empty() || network.ipv4.verdict != Verdict::partial;
    memory.held_until.reset();
    protect(decision, network, settings.protection);
    return decision;
  }
  if (memory.tunnel_was_up) {
    memory.tunnel_was_up = false;
    memory.held_until = now + settings.hold;
  }
  if (memory.held_until && now < *memory.held_until) {
    // The tunnel may be coming back: until then its addresses' protection must not depend on what
    // routes happen to be there at this moment.
    decision.held = std::chrono::ceil<std::chrono::seconds>(*memory.held_until - now);
    const std::string seconds = std::to_string(settings.hold.count());
    decision.reasons = {
        reason("hold_after_drop",
               "The VPN went away; the lock stays for " + seconds + " s in case it comes back.",
               {{"seconds", seconds}})};
    return decision;
  }
  memory.held_until.reset();
  protect(decision, network, settings.protection);
  return decision;
}

void raise(Decision& decision, Level level) {
  decision.chromium = std::max(decision.chromium, level);
  decision.firefox = std::max(decision.firefox, level);
}

void apply_mode(Decision& decision, const Settings& settings) {
  if (settings.mode == Mode::open) {
    decision.chromium = decision.firefox = Level::unrestricted;
    decision.held = std::chrono::seconds(0);
    decision.reasons.insert(decision.reasons.begin(),
                            reason("mode_open", "The lock is switched off."));
  }
  if (settings.mode == Mode::locked) {
    const std::string level(icelock::name(settings.mode_level));
    raise(decision, settings.mode_level);
    decision.reasons.insert(decision.reasons.begin(),
                            reason("mode_locked", "WebRTC is kept locked.", {{"level", level}}));
  }
  if (std::min(decision.chromium, decision.firefox) < settings.floor) {
    raise(decision, settings.floor);
    decision.reasons.insert(decision.reasons.begin(),
                            reason("floor", "Your administrator allows nothing looser.",
                                   {{"level", std::string(icelock::name(settings.floor))}}));
  }
  if (settings.problem) {
    decision.reasons.insert(
        decision.reasons.begin(),
        reason("settings_broken", "A settings file is wrong: " + to_string(*settings.problem) + ".",
               {{"error", to_string(*settings.problem)}}));
  }
}

}  // namespace

bool protects(const Network& network) {
  if (in_vpn(network.ipv4.verdict) || in_vpn(network.ipv6.verdict)) return true;
  if (network.ipv4.verdict == Verdict::blocked) return true;
  // Machines without IPv6 often carry an unreachable IPv6 route; next to direct IPv4 that is no
  // kill switch.
  return network.ipv6.verdict == Verdict::blocked && network.ipv4.verdict != Verdict::direct;
}

bool is_protected(const ice::Exposure& exposure, bool vpn, const Protection& more) {
  using enum ice::ExposureClass;
  if (exposure.http_shows_too) return false;
  switch (exposure.exposure_class) {
    case lan:
      return vpn || more.lan;
    case isp_v4:
    case isp_v6:
      return vpn;
    case tunnel:
      return more.tunnel;
    case egress:
      break;
  }
  return false;
}

Level loosest_safe(BrowserFamily family, const Network& network, const Protection& more) {
  const bool vpn = protects(network);
  for (const Level level : {Level::unrestricted, Level::default_route_only}) {
    const bool leaks = std::ranges::any_of(
        std::array{ice::Permission::none, ice::Permission::granted},
        [&](ice::Permission permission) {
          return std::ranges::any_of(
              ice::exposure(family, level, network, permission),
              [&](const ice::Exposure& exposure) { return is_protected(exposure, vpn, more); });
        });
    if (!leaks) return level;
  }
  return Level::force_proxy;
}

Decision decide(const Result<Network>& network, const Settings& settings, Memory& memory,
                Clock::time_point now) {
  Decision decision;  // as it starts out: locked
  if (network) {
    decision = follow_network(*network, settings, memory, now);
  } else {
    const std::string error = to_string(network.error());
    decision.reasons = {reason("probe_failed", "The network could not be read (" + error + ").",
                               {{"error", error}})};
  }
  apply_mode(decision, settings);
  return decision;
}

}  // namespace icelock::guard
