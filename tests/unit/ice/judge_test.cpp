// SPDX-License-Identifier: Apache-2.0
#include "ice/judge.h"

#include <gtest/gtest.h>

#include "../shared/networks.h"

namespace icelock::ice {
namespace {

using namespace test;
using enum BrowserFamily;
using enum Level;

/// The class, with "?" where the link is not known; "-" when it is nothing.
std::string verdict(const char* address, bool reflexive, const net::Network& network) {
  const auto exposure = judge({ip(address), reflexive}, network);
  if (!exposure) return "-";
  return std::string(name(exposure->exposure_class)) + (exposure->link.empty() ? "?" : "");
}

/// As a responder on the default routes' own addresses sees it.
net::Network with_own_responder(net::Network network) {
  network.ipv4.seen = network.ipv4.source;
  network.ipv6.seen = network.ipv6.source;
  return network;
}

TEST(Judge, OwnAddressesAreWhatTheirLinksAre) {
  const net::Network network = with_own_responder(vpn_ipv4_only());
  EXPECT_EQ(verdict("192.168.77.10", false, network), "lan");
  EXPECT_EQ(verdict("10.8.0.2", false, network), "tunnel");
  EXPECT_EQ(verdict("2a0e:77:0:1::10", false, network), "isp_v6");
  EXPECT_EQ(verdict("127.0.0.1", false, network), "-");
  EXPECT_EQ(verdict("::1", true, network), "-");
}

TEST(Judge, WhatTheResponderSeesIsTheOutsideOfTheRoute) {
  EXPECT_EQ(verdict("10.8.0.2", true, with_own_responder(vpn_ipv4_only())), "egress");
  EXPECT_EQ(verdict("192.168.77.10", true, with_own_responder(no_vpn())), "isp_v4");
  EXPECT_EQ(verdict("2a0e:77:0:1::10", true, with_own_responder(vpn_ipv4_only())), "isp_v6");
  EXPECT_EQ(verdict("10.7.0.2", true, with_own_responder(policy_ipsec())), "egress");
  // The address before NAT is not what is shown.
  EXPECT_EQ(judge({ip("10.8.0.2"), true}, with_own_responder(vpn_ipv4_only()))->address, "");
}

TEST(Judge, ARealServersWordDecidesForATunnel) {
  net::Network network = vpn_on_ipv4_machine();
  network.ipv4.seen = ip("44.2.2.2");
  EXPECT_EQ(verdict("44.2.2.2", true, network), "egress");
  EXPECT_EQ(verdict("44.1.1.1", true, network), "isp_v4?");
  EXPECT_EQ(judge({ip("44.2.2.2"), true}, network)->address, "44.2.2.2");
}

TEST(Judge, PartialIsNeverTheVpn) {
  net::Network network = vpn_on_ipv4_machine();
  network.ipv4.verdict = net::Verdict::partial;
  EXPECT_EQ(verdict("10.8.0.2", true, with_own_responder(network)), "isp_v4");
}

TEST(Judge, NobodyKnowsItIsNeverHarmless) {
  const net::Network network = with_own_responder(vpn_ipv4_only());
  EXPECT_EQ(verdict("203.0.114.9", true, network), "isp_v4?");
  EXPECT_EQ(verdict("203.0.114.9", false, network), "isp_v4?");
  EXPECT_EQ(verdict("2001:470::1", false, network), "isp_v6?");
  EXPECT_EQ(verdict("172.16.5.5", false, network), "lan?");
  EXPECT_EQ(verdict("fe80::1", false, network), "lan?");
}

Sight sight(std::vector<Shown> shown, bool names = false) {
  return {.api = true, .names = names, .shown = std::move(shown)};
}

std::string levels(BrowserFamily family, const Sight& without, const Sight& with,
                   const net::Network& network) {
  const LevelRange range = obeyed(family, without, with, network);
  std::string text(name(range.loosest));
  if (range.tightest != range.loosest) text += ".." + std::string(name(range.tightest));
  return text;
}

const Shown card{ip("192.168.77.10"), false};
const Shown tunnel{ip("10.8.0.2"), false};
const Shown tunnel_outside{ip("10.8.0.2"), true};
const Shown native{ip("2a0e:77:0:1::10"), false};

TEST(Obeyed, NothingAtAllIsTheLock) {
  for (const BrowserFamily family : {chromium, firefox}) {
    EXPECT_EQ(levels(family, sight({}), sight({}), vpn_ipv4_only()), "force_proxy");
    const Sight none{.api = false, .names = false, .shown = {}};
    EXPECT_EQ(levels(family, none, none, vpn_ipv4_only()), "disabled");
    EXPECT_EQ(levels(family, none, sight({}), vpn_ipv4_only()), "force_proxy");
  }
}

TEST(Obeyed, ChromiumListsAnythingOnlyWhenUnrestricted) {
  const net::Network network = vpn_ipv4_only();
  EXPECT_EQ(levels(chromium, sight({tunnel_outside}), sight({tunnel_outside}), network),
            "default_route_only");
  EXPECT_EQ(levels(chromium, sight({}, true), sight({}), network), "unrestricted");
  EXPECT_EQ(levels(chromium, sight({}), sight({card}), network), "unrestricted");
}

TEST(Obeyed, FirefoxIsToldByTheOtherLinks) {
  const Sight names = sight({tunnel_outside}, true);
  EXPECT_EQ(levels(firefox, names, sight({card, tunnel}), vpn_both_families()), "unrestricted");
  EXPECT_EQ(levels(firefox, names, sight({tunnel}), vpn_both_families()), "default_route_only");
  EXPECT_EQ(levels(firefox, names, sight({card, tunnel, native}), vpn_ipv4_only()), "unrestricted");
  EXPECT_EQ(levels(firefox, names, sight({tunnel}), vpn_ipv4_only()), "default_route_only");
  // One link: nothing tells the two apart.
  EXPECT_EQ(levels(firefox, names, sight({card, native}), no_vpn()),
            "unrestricted..default_route_only");
}

}  // namespace
}  // namespace icelock::ice
