// SPDX-License-Identifier: Apache-2.0
#include "guard/decide.h"

#include <algorithm>
#include <array>

namespace icelock::guard {
namespace {

using net::Network;
using net::Verdict;

void protect(Decision& decision, const Network& network, const Protection& more) {
  decision.chromium = loosest_safe(BrowserFamily::chromium, network, more);
  decision.firefox = loosest_safe(BrowserFamily::firefox, network, more);
  if (!more.lan && !more.tunnel) return;
  const Protection plain{.accept_isp_v6 = more.accept_isp_v6};
  if (decision.chromium == loosest_safe(BrowserFamily::chromium, network, plain) &&
      decision.firefox == loosest_safe(BrowserFamily::firefox, network, plain)) {
    return;
  }
  decision.reasons.push_back(reason(
      "admin_protects", "Your administrator protects more addresses than a VPN is there to hide."));
}

void raise(Decision& decision, Level level) {
  decision.chromium = std::max(decision.chromium, level);
  decision.firefox = std::max(decision.firefox, level);
}

bool is_tighter(const Decision& one, const Decision& other) {
  return one.chromium > other.chromium || one.firefox > other.firefox;
}

// The level that the network calls for, before the person's and the admin's wishes.
Decision follow_network(const Network& network, const Settings& settings, Memory& memory,
                        Clock::time_point now) {
  Decision decision{.reasons = explain(network, settings)};
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
  // The browser may be among the programs whose packets are marked. Then its UDP goes where its web
  // traffic goes, but what is beside must not be listed.
  const bool marked = !network.ipv4.marked_into.empty() || !network.ipv6.marked_into.empty();
  if (marked) raise(decision, Level::default_route_only);
  return decision;
}

// A person's own word for the role of a link may make the decision stricter, never looser.
Decision follow_both(const Result<Network>& network, const Network* by_user,
                     const Settings& settings, Memory& memory, Clock::time_point now) {
  Memory users = memory;
  Decision decision = follow_network(*network, settings, memory, now);
  if (!by_user || *by_user == *network) return decision;
  Decision theirs = follow_network(*by_user, settings, users, now);
  memory.tunnel_was_up = memory.tunnel_was_up || users.tunnel_was_up;
  memory.held_until = std::max(memory.held_until, users.held_until);
  if (!is_tighter(theirs, decision)) return decision;
  theirs.chromium = std::max(theirs.chromium, decision.chromium);
  theirs.firefox = std::max(theirs.firefox, decision.firefox);
  theirs.held = std::max(theirs.held, decision.held);
  theirs.reasons.push_back(reason("links_named", "Your settings name the role of a link."));
  return theirs;
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

bool is_protected(const ice::Exposure& exposure, bool vpn, const Protection& more) {
  using enum ice::ExposureClass;
  if (exposure.http_shows_too || (exposure.with_isp_v6 && more.accept_isp_v6)) return false;
  switch (exposure.exposure_class) {
    case lan:
      return vpn || more.lan;
    case isp_v4:
      return vpn;
    case isp_v6:
      return vpn && !more.accept_isp_v6;
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
                Clock::time_point now, const Network* by_user) {
  Decision decision;  // as it starts out: locked
  if (network) {
    decision = follow_both(network, by_user, settings, memory, now);
  } else {
    const std::string error = to_string(network.error());
    decision.reasons = {reason("probe_failed", "The network could not be read (" + error + ").",
                               {{"error", error}})};
  }
  apply_mode(decision, settings);
  return decision;
}

}  // namespace icelock::guard
