// SPDX-License-Identifier: Apache-2.0
#include "ice/exposure.h"

#include <gtest/gtest.h>

#include <set>

#include "../shared/networks.h"

namespace icelock::ice {
namespace {

using namespace test;
using enum Level;
using enum BrowserFamily;
using enum Permission;

// What the tables of measured cells call an address: "lan", "egress", ... A trailing "*" marks what
// the page's own connections show too, "~" what only a server on the wire sees.
std::set<std::string> shown(BrowserFamily family, Level level, const net::Network& network,
                            Permission permission) {
  std::set<std::string> classes;
  for (const Exposure& exposure : ice::exposure(family, level, network, permission)) {
    classes.insert(std::string(name(exposure.exposure_class)) +
                   (exposure.http_shows_too ? "*" : "") +
                   (exposure.channel == Channel::wire ? "~" : ""));
  }
  return classes;
}

using Set = std::set<std::string>;

TEST(Exposure, ChromiumWithoutPermissionShowsThePublicSideOfEachDefaultRoute) {
  for (const Level level : {unrestricted, default_route_only}) {
    EXPECT_EQ(shown(chromium, level, no_vpn_ipv4_only(), none), Set{"isp_v4"});
    EXPECT_EQ(shown(chromium, level, no_vpn(), none), (Set{"isp_v4", "isp_v6"}));
    EXPECT_EQ(shown(chromium, level, vpn_on_ipv4_machine(), none), Set{"egress"});
    EXPECT_EQ(shown(chromium, level, vpn_ipv4_only(), none), (Set{"egress", "isp_v6"}));
    EXPECT_EQ(shown(chromium, level, vpn_both_families(), none), Set{"egress"});
    EXPECT_EQ(shown(chromium, level, split_tunnel(), none), (Set{"isp_v4", "isp_v6"}));
    EXPECT_EQ(shown(chromium, level, policy_ipsec(), none), Set{"egress"});
  }
}

TEST(Exposure, ChromiumWithPermissionShowsEveryLinkWhenUnrestricted) {
  EXPECT_EQ(shown(chromium, unrestricted, no_vpn_ipv4_only(), granted), (Set{"lan", "isp_v4"}));
  EXPECT_EQ(shown(chromium, unrestricted, vpn_both_families(), granted),
            (Set{"lan", "tunnel", "egress", "isp_v6"}));
  EXPECT_EQ(shown(chromium, unrestricted, policy_ipsec(), granted),
            (Set{"lan", "tunnel", "egress", "isp_v4"}));
  // Only the loosest level depends on permission.
  EXPECT_EQ(shown(chromium, default_route_only, vpn_both_families(), granted), Set{"egress"});
}

TEST(Exposure, ChromiumProxyOnlyLeavesWhatTcpShows) {
  EXPECT_EQ(shown(chromium, force_proxy, vpn_ipv4_only(), granted), (Set{"egress*", "isp_v6*"}));
  EXPECT_EQ(shown(chromium, disabled, vpn_both_families(), none), Set{"egress*"});
}

TEST(Exposure, FirefoxWithoutPermissionShowsTheSideTowardsThePage) {
  for (const Level level : {unrestricted, default_route_only}) {
    EXPECT_EQ(shown(firefox, level, no_vpn(), none), (Set{"isp_v4", "isp_v6"}));
    EXPECT_EQ(shown(firefox, level, vpn_on_ipv4_machine(), none), Set{"egress"});
    EXPECT_EQ(shown(firefox, level, vpn_both_families(), none), Set{"egress"});
    EXPECT_EQ(shown(firefox, level, policy_ipsec(), none), Set{"egress"});
    // A page over IPv4 gets the VPN's side; one over IPv6 knows the ISP address already.
    EXPECT_EQ(shown(firefox, level, vpn_ipv4_only(), none), (Set{"egress", "isp_v6*"}));
  }
}

// A rule sends all UDP past the tunnel (tests/lab/scenarios/udp_beside.mjs, measured on Firefox ESR
// 153).
TEST(Exposure, FirefoxWhoseDatagramsGoBesideTheTunnel) {
  net::Network network = vpn_both_families();
  network.ipv4.datagrams_link = network.ipv6.datagrams_link = "enp3s0";
  network.ipv4.datagrams_source = ip("192.168.77.10");
  network.ipv6.datagrams_source = ip("2a0e:77:0:1::10");
  for (const Level level : {unrestricted, default_route_only}) {
    EXPECT_EQ(shown(firefox, level, network, none), (Set{"isp_v4", "isp_v6"}));
  }
  // With permission TURN over TCP is asked from the tunnel's own address, too.
  EXPECT_EQ(shown(firefox, unrestricted, network, granted),
            (Set{"lan", "tunnel", "isp_v4", "isp_v6", "egress~"}));
  EXPECT_EQ(shown(firefox, default_route_only, network, granted),
            (Set{"lan", "tunnel", "isp_v4", "isp_v6"}));
  EXPECT_EQ(shown(firefox, force_proxy, network, granted), Set{});
}

TEST(Exposure, FirefoxWithPermission) {
  EXPECT_EQ(shown(firefox, unrestricted, vpn_both_families(), granted),
            (Set{"lan", "tunnel", "egress", "isp_v6"}));
  EXPECT_EQ(shown(firefox, default_route_only, no_vpn(), granted),
            (Set{"lan", "isp_v4", "isp_v6"}));
  EXPECT_EQ(shown(firefox, default_route_only, vpn_ipv4_only(), granted),
            (Set{"lan", "tunnel", "egress", "isp_v6*"}));  // lan: a page that came over IPv6
  EXPECT_EQ(shown(firefox, default_route_only, vpn_both_families(), granted),
            (Set{"tunnel", "egress"}));
  EXPECT_EQ(shown(firefox, default_route_only, policy_ipsec(), granted), (Set{"tunnel", "egress"}));
}

TEST(Exposure, FirefoxShowsASplitTunnelToAPageInsideIt) {
  EXPECT_EQ(shown(firefox, default_route_only, split_tunnel(), none), (Set{"isp_v4", "isp_v6"}));
  EXPECT_EQ(shown(firefox, default_route_only, split_tunnel(), granted),
            (Set{"lan", "isp_v4", "isp_v6", "tunnel"}));
}

TEST(Exposure, FirefoxProxyOnlyShowsNothing) {
  for (const Level level : {force_proxy, disabled}) {
    EXPECT_EQ(shown(firefox, level, vpn_ipv4_only(), granted), Set{});
  }
}

TEST(Exposure, AnExcludedRouteLeaksBelowForceProxy) {
  const net::Network network = with_excluded_route(vpn_both_families());
  EXPECT_EQ(shown(chromium, default_route_only, network, none), (Set{"egress", "isp_v4"}));
  EXPECT_EQ(shown(chromium, force_proxy, network, none), (Set{"egress*", "isp_v4*"}));
  // In Firefox a STUN server on that route sees it, and a page that came by that route; the latter
  // gets the card's other addresses too once it holds permission.
  EXPECT_EQ(shown(firefox, default_route_only, network, none),
            (Set{"egress", "isp_v4~", "isp_v4*"}));
  EXPECT_EQ(shown(firefox, default_route_only, network, granted),
            (Set{"egress", "isp_v4~", "isp_v4*", "tunnel", "lan", "isp_v6"}));
  EXPECT_EQ(shown(firefox, force_proxy, network, none), Set{});
}

TEST(Exposure, ChromiumLeavesMacBasedAndHypervisorLinksOut) {
  net::Network network = no_vpn_ipv4_only();
  network.addresses = {local("2a0e:77:0:1:0200:00ff:fe00:1", "enp3s0", net::Role::uplink),
                       local("172.16.9.1", "vmnet1", net::Role::virtual_link)};
  network.addresses[0].mac_based = true;
  EXPECT_EQ(shown(chromium, unrestricted, network, granted), Set{"isp_v4"});
  EXPECT_EQ(shown(firefox, unrestricted, network, granted), (Set{"lan", "isp_v4", "isp_v6"}));
}

TEST(Exposure, AnAddressIsWhatItsLinkIsFor) {
  using enum net::Role;
  const net::Network network = vpn_both_families();
  const auto class_on = [&](const char* address, net::Role role) {
    return std::string(name(class_of(local(address, "link0", role), network)));
  };
  for (const net::Role role : {uplink, clat, sink, virtual_link}) {
    EXPECT_EQ(class_on("45.1.1.1", role), "isp_v4") << net::name(role);
    EXPECT_EQ(class_on("2a0e:45::1", role), "isp_v6") << net::name(role);
    EXPECT_EQ(class_on("10.1.1.1", role), "lan") << net::name(role);
    EXPECT_EQ(class_on("192.0.2.1", role), "lan") << "documentation is nobody's public address";
  }
  EXPECT_EQ(class_on("45.1.1.1", vpn), "tunnel");
  EXPECT_EQ(class_on("10.1.1.1", vpn), "tunnel");
  EXPECT_EQ(class_on("45.1.1.1", mesh), "lan") << "a mesh numbers its hosts as it likes";
}

TEST(Exposure, AMeshShowsItselfToItsOwnPages) {
  net::Network network = no_vpn_ipv4_only();
  network.addresses.push_back(local("100.64.1.2", "tailscale0", net::Role::mesh));
  EXPECT_EQ(shown(firefox, default_route_only, network, granted), (Set{"lan", "lan*", "isp_v4"}));
  EXPECT_EQ(shown(firefox, default_route_only, network, none), Set{"isp_v4"});
}

// Beside a VPN for IPv4 only a page that came over IPv6 gets the card's addresses.
TEST(Exposure, TellsWhatOnlyAPageOverIspV6Learns) {
  std::set<std::string> with;
  for (const Exposure& found : exposure(firefox, default_route_only, vpn_ipv4_only(), granted)) {
    if (found.with_isp_v6) with.insert(found.address);
  }
  EXPECT_EQ(with, (std::set<std::string>{"192.168.77.10", "2a0e:77:0:1::10"}));
  for (const auto& network : {no_vpn(), vpn_both_families(), policy_ipsec()}) {
    for (const Exposure& found : exposure(firefox, default_route_only, network, granted)) {
      EXPECT_FALSE(found.with_isp_v6);
    }
  }
}

TEST(Exposure, AddressesAreNamedWhereTheyAreKnown) {
  const auto found = exposure(chromium, default_route_only, vpn_ipv4_only(), none);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].exposure_class, ExposureClass::egress);
  EXPECT_EQ(found[0].address, "");  // behind the VPN's NAT
  EXPECT_EQ(found[1].address, "2a0e:77:0:1::10");
  EXPECT_EQ(found[1].link, "enp3s0");
}

TEST(Exposure, NothingWithoutARoute) {
  EXPECT_EQ(shown(chromium, unrestricted, {}, none), Set{});
  EXPECT_EQ(shown(firefox, unrestricted, {}, none), Set{});
}

}  // namespace
}  // namespace icelock::ice
