// SPDX-License-Identifier: Apache-2.0
#include "guard/decide.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "../shared/networks.h"
#include "ice/exposure.h"

namespace icelock::guard {
namespace {

using namespace std::chrono_literals;
using namespace test;
using enum Level;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Clock::time_point start{1000s};

Decision decided(const net::Network& network, const Settings& settings = {}) {
  Memory memory;
  return decide(network, settings, memory, start);
}

std::vector<std::string> codes(const Decision& decision) {
  std::vector<std::string> result;
  for (const Reason& reason : decision.reasons) result.push_back(reason.code);
  return result;
}

struct Case {
  const char* name;
  net::Network network;
  Level chromium;
  Level firefox;
};

class LoosestLevel : public testing::TestWithParam<Case> {};

// The loosest level per network that showed no LAN or ISP address in the measured tables: Chromium
// and Firefox, with and without stored permission.
TEST_P(LoosestLevel, IsTheOneThatShowedNothingProtected) {
  const Decision decision = decided(GetParam().network);
  EXPECT_EQ(decision.chromium, GetParam().chromium);
  EXPECT_EQ(decision.firefox, GetParam().firefox);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, LoosestLevel,
    testing::Values(
        Case{"no_vpn", no_vpn(), unrestricted, unrestricted},
        Case{"no_network", {}, unrestricted, unrestricted},
        Case{"split_tunnel", split_tunnel(), unrestricted, unrestricted},
        Case{"vpn_on_ipv4_machine", vpn_on_ipv4_machine(), default_route_only, default_route_only},
        Case{"vpn_ipv4_only", vpn_ipv4_only(), force_proxy, force_proxy},
        Case{"vpn_both_families", vpn_both_families(), default_route_only, default_route_only},
        Case{"policy_ipsec", policy_ipsec(), default_route_only, default_route_only},
        Case{"excluded_route", with_excluded_route(vpn_both_families()), force_proxy, force_proxy},
        Case{"kill_switch", kill_switch(), default_route_only, default_route_only}),
    [](const auto& row) { return row.param.name; });

TEST(Decide, AnAdminProtectsMore) {
  Settings settings;
  settings.protection.lan = true;
  // With permission Firefox shows the default route's own address at default_route_only.
  const Decision without_vpn = decided(no_vpn(), settings);
  EXPECT_EQ(without_vpn.chromium, default_route_only);
  EXPECT_EQ(without_vpn.firefox, force_proxy);
  EXPECT_THAT(codes(without_vpn), ElementsAre("no_tunnel", "admin_protects"));
  // A VPN hides these anyway.
  EXPECT_EQ(decided(vpn_both_families(), settings), decided(vpn_both_families()));
  EXPECT_EQ(decided({}, settings), decided({}));

  settings.protection = {.lan = false, .tunnel = true};
  const Decision with_vpn = decided(vpn_both_families(), settings);
  EXPECT_EQ(with_vpn.chromium, default_route_only);
  EXPECT_EQ(with_vpn.firefox, force_proxy);
  EXPECT_THAT(codes(with_vpn), Contains("admin_protects"));
  EXPECT_EQ(decided(no_vpn(), settings), decided(no_vpn()));
}

TEST(Decide, NoLooserLevelWouldHaveDone) {
  for (const auto& network : {vpn_ipv4_only(), vpn_both_families(), policy_ipsec()}) {
    for (const auto family : {BrowserFamily::chromium, BrowserFamily::firefox}) {
      const Level level = loosest_safe(family, network, {});
      if (level == unrestricted) continue;
      const auto looser = static_cast<Level>(static_cast<int>(level) - 1);
      const auto shown = ice::exposure(family, looser, network, ice::Permission::granted);
      EXPECT_TRUE(std::ranges::any_of(shown, [](const ice::Exposure& exposure) {
        return exposure.exposure_class == ice::ExposureClass::lan ||
               (!exposure.http_shows_too &&
                (exposure.exposure_class == ice::ExposureClass::isp_v4 ||
                 exposure.exposure_class == ice::ExposureClass::isp_v6));
      }));
    }
  }
}

TEST(Decide, SaysWhyInWords) {
  const Decision decision = decided(vpn_ipv4_only());
  EXPECT_THAT(codes(decision),
              ElementsAre("ipv6_outside_tunnel", "may_accept_isp_v6", "http_shows_too"));
  EXPECT_EQ(decision.reasons[0].text, "VPN tun0 carries no IPv6; enp3s0 routes it.");
  EXPECT_EQ(decision.reasons[0].args.at("link"), "enp3s0");
  EXPECT_THAT(codes(decided(no_vpn())), ElementsAre("no_tunnel"));
  EXPECT_THAT(codes(decided(split_tunnel())), ElementsAre("split_tunnel"));
  EXPECT_THAT(codes(decided(kill_switch())), ElementsAre("blocked"));
  const Decision excluded = decided(with_excluded_route(vpn_both_families()));
  EXPECT_THAT(codes(excluded), ElementsAre("excluded_routes"));
  EXPECT_THAT(excluded.reasons[0].text, HasSubstr("45.2.0.0/24 over enp3s0"));
}

TEST(Decide, UnreachableIpv6BesideDirectIpv4IsNoKillSwitch) {
  net::Network network = no_vpn_ipv4_only();
  network.ipv6 = family(net::Verdict::blocked, "lo", "");
  EXPECT_FALSE(protects(network));
  network.ipv4 = family(net::Verdict::none, "", "");
  EXPECT_TRUE(protects(network));
}

TEST(Decide, APartOutsideTheTunnelForcesProxy) {
  net::Network network = vpn_on_ipv4_machine();
  network.ipv4.verdict = net::Verdict::partial;
  network.ipv4.link = "enp3s0";
  const Decision decision = decided(network);
  EXPECT_EQ(decision.chromium, force_proxy);
  EXPECT_EQ(decision.firefox, force_proxy);
  EXPECT_THAT(codes(decision), Contains("partial_tunnel"));
}

TEST(Decide, AFailedQuestionWithoutATunnelLocksAndHoldsNothing) {
  net::Network network = no_vpn_ipv4_only();
  network.ipv4 = family(net::Verdict::partial, "", "");
  Memory memory;
  EXPECT_EQ(decide(network, {}, memory, start).chromium, force_proxy);
  EXPECT_EQ(decide(network, {}, memory, start).firefox, force_proxy);
  EXPECT_EQ(decide(no_vpn_ipv4_only(), {}, memory, start + 1s).held, 0s);
}

TEST(Decide, HoldsTheLockAfterADropAndThenLetsGo) {
  Memory memory;
  const Settings settings;  // 60 s
  decide(vpn_both_families(), settings, memory, start);
  const Decision dropped = decide(no_vpn(), settings, memory, start + 1s);
  EXPECT_EQ(dropped.chromium, force_proxy);
  EXPECT_EQ(dropped.firefox, force_proxy);
  EXPECT_EQ(dropped.held, 60s);
  EXPECT_THAT(codes(dropped), ElementsAre("hold_after_drop"));
  EXPECT_EQ(decide(no_vpn(), settings, memory, start + 60s).chromium, force_proxy);
  EXPECT_EQ(decide(no_vpn(), settings, memory, start + 61s).chromium, unrestricted);
  EXPECT_EQ(decide(no_vpn(), settings, memory, start + 62s).held, 0s);
}

TEST(Decide, ATunnelThatComesBackEndsTheHold) {
  Memory memory;
  const Settings settings;
  decide(vpn_both_families(), settings, memory, start);
  decide(no_vpn(), settings, memory, start + 1s);
  EXPECT_EQ(decide(vpn_both_families(), settings, memory, start + 2s).chromium, default_route_only);
  // A second drop starts a hold of its own.
  EXPECT_EQ(decide(no_vpn(), settings, memory, start + 50s).held, 60s);
}

TEST(Decide, AHoldOfNothingIsPossible) {
  Memory memory;
  Settings settings;
  settings.hold = 0s;
  decide(vpn_both_families(), settings, memory, start);
  EXPECT_EQ(decide(no_vpn(), settings, memory, start + 1s).chromium, unrestricted);
}

TEST(Decide, AFailedProbeIsLockedAndForgetsNoHold) {
  Memory memory;
  const Settings settings;
  const Result<net::Network> failed = fail(Code::probe_failed, "no answer");
  const Decision decision = decide(failed, settings, memory, start);
  EXPECT_EQ(decision.chromium, force_proxy);
  EXPECT_EQ(decision.firefox, force_proxy);
  EXPECT_THAT(codes(decision), ElementsAre("probe_failed"));

  decide(vpn_both_families(), settings, memory, start);
  decide(failed, settings, memory, start + 1s);
  EXPECT_EQ(decide(no_vpn(), settings, memory, start + 2s).held, 60s);
}

TEST(Decide, LockedKeepsAtLeastItsLevel) {
  Settings settings;
  settings.mode = Mode::locked;
  settings.mode_level = default_route_only;
  EXPECT_EQ(decided(no_vpn(), settings).chromium, default_route_only);
  EXPECT_EQ(decided(vpn_ipv4_only(), settings).chromium, force_proxy);
  settings.mode_level = disabled;
  EXPECT_EQ(decided(no_vpn(), settings).firefox, disabled);
}

TEST(Decide, OpenIsAsLooseAsTheFloor) {
  Settings settings;
  settings.mode = Mode::open;
  EXPECT_EQ(decided(vpn_ipv4_only(), settings).chromium, unrestricted);
  settings.floor = default_route_only;
  const Decision decision = decided(vpn_ipv4_only(), settings);
  EXPECT_EQ(decision.chromium, default_route_only);
  EXPECT_THAT(codes(decision), Contains("floor"));
}

TEST(Decide, TheFloorHoldsWithoutAVpn) {
  Settings settings;
  settings.floor = force_proxy;
  EXPECT_EQ(decided(no_vpn(), settings).chromium, force_proxy);
}

TEST(Decide, ABrokenSettingsFileIsNamed) {
  Settings settings;
  settings.problem = Error{Code::bad_settings, "unknown key \"flor\"", "icelock.json"};
  const Decision decision = decided(no_vpn(), settings);
  EXPECT_EQ(decision.reasons.front().code, "settings_broken");
  EXPECT_THAT(decision.reasons.front().text, HasSubstr("flor"));
}

// Who accepts it has calls again: what a page over IPv6 learns, its server knows.
TEST(Decide, AnAcceptedIspV6BringsCallsBack) {
  Settings settings;
  settings.protection.accept_isp_v6 = true;
  const Decision decision = decided(vpn_ipv4_only(), settings);
  EXPECT_EQ(decision.chromium, default_route_only);
  EXPECT_EQ(decision.firefox, default_route_only);
  EXPECT_THAT(codes(decision), ElementsAre("ipv6_outside_tunnel", "isp_v6_accepted"));
  // Nothing else is accepted with it.
  net::Network excluded = with_excluded_route(vpn_ipv4_only());
  EXPECT_EQ(decided(excluded, settings).chromium, force_proxy);
  EXPECT_EQ(decided(excluded, settings).firefox, force_proxy);
  net::Network ipv4_outside = vpn_both_families();
  ipv4_outside.ipv4 = family(net::Verdict::direct, "enp3s0", "192.168.77.10");
  EXPECT_EQ(decided(ipv4_outside, settings).chromium, force_proxy);
  for (const auto& network : {no_vpn(), vpn_both_families(), policy_ipsec(), kill_switch()}) {
    EXPECT_EQ(decided(network, settings), decided(network));
  }
}

TEST(Decide, AMarkIntoATunnelHidesWhatIsBesideIt) {
  net::Network network = split_tunnel();
  network.ipv4.marked_into = "tun0";
  const Decision decision = decided(network);
  EXPECT_EQ(decision.chromium, default_route_only);
  EXPECT_EQ(decision.firefox, default_route_only);
  EXPECT_THAT(codes(decision), ElementsAre("marked_into_tunnel"));
  Settings settings;
  settings.floor = force_proxy;
  EXPECT_EQ(decided(network, settings).chromium, force_proxy);
}

TEST(Decide, AMarkOutOfATunnelChangesNoLevel) {
  net::Network network = vpn_both_families();
  network.ipv4.marked_beside = true;
  EXPECT_EQ(decided(network).chromium, decided(vpn_both_families()).chromium);
  EXPECT_EQ(decided(network).firefox, decided(vpn_both_families()).firefox);
  network.ipv4.neighbours = {{ip("45.0.0.0"), 24}};
  EXPECT_EQ(decided(network).chromium, decided(vpn_both_families()).chromium);
}

Decision decided_by_user(const net::Network& network, const net::Network& by_user) {
  Memory memory;
  return decide(network, {}, memory, start, &by_user);
}

TEST(Decide, AUsersWordForALinkTightens) {
  const Decision decision = decided_by_user(no_vpn(), vpn_both_families());
  EXPECT_EQ(decision.chromium, default_route_only);
  EXPECT_EQ(decision.firefox, default_route_only);
  EXPECT_THAT(codes(decision), ElementsAre("full_tunnel", "links_named"));
}

TEST(Decide, AUsersWordForALinkLoosensNothing) {
  for (const auto& network :
       {vpn_both_families(), vpn_ipv4_only(), policy_ipsec(), kill_switch()}) {
    EXPECT_EQ(decided_by_user(network, no_vpn()), decided(network));
  }
  EXPECT_EQ(decided_by_user(no_vpn(), no_vpn()), decided(no_vpn()));
  // Stricter for one browser and looser for another: the stricter for each.
  net::Network lan_only = vpn_ipv4_only();
  const Decision both = decided_by_user(vpn_both_families(), lan_only);
  EXPECT_EQ(both.chromium, force_proxy);
  EXPECT_EQ(both.firefox, force_proxy);
}

// A VPN that only a user's word makes one is held after its drop like any other.
TEST(Decide, AUsersWordIsHeldToo) {
  Memory memory;
  const net::Network by_user = vpn_both_families();
  decide(no_vpn(), {}, memory, start, &by_user);
  const Decision dropped = decide(no_vpn(), {}, memory, start + 1s);
  EXPECT_EQ(dropped.held, 60s);
  EXPECT_EQ(dropped.chromium, force_proxy);
}

TEST(Decide, AFailedProbeHearsNoUser) {
  Memory memory;
  const net::Network by_user = no_vpn();
  const Result<net::Network> failed = fail(Code::probe_failed, "no answer");
  EXPECT_EQ(decide(failed, {}, memory, start, &by_user).chromium, force_proxy);
}

}  // namespace
}  // namespace icelock::guard
