// SPDX-License-Identifier: Apache-2.0
// Networks that need other links than a plain kernel has; the bytes are built by messages.h.
#include "net/network.h"

#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "fake_kernel.h"
#include "laptop.h"

namespace icelock::net {
namespace {

using test::block;
using test::describe;
using test::FakeKernel;
using test::FullTunnel;
using test::Laptop;
using test::no_hardware;
using test::ppp_hardware;
using test::RouteSpec;
using test::RuleSpec;
using test::up;

TEST(Classify, DirectLaptop) {
  Laptop kernel;
  const Network network = kernel.network();
  EXPECT_EQ(describe(network), "ipv4 direct enp3s0 | ipv6 direct enp3s0");
  EXPECT_EQ(network.ipv4.source, parse_ip("192.168.77.10"));
  EXPECT_EQ(network.ipv6.source, parse_ip("2a0e:77:0:1::10"));
  ASSERT_EQ(network.addresses.size(), 2U);
  EXPECT_EQ(network.addresses[0].role, Role::uplink);
}

TEST(Classify, KernelWireguardWithFwmark) {
  Laptop kernel;
  kernel.add_tunnel(5, "wg0", "wireguard", no_hardware, "10.9.0.2");
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 5, .table = 51820});
  kernel.rules.push_back({.priority = 32765, .table = 51820, .fwmark = 51820, .inverted = true});
  kernel.rules.push_back({.priority = 32764, .table = 254, .suppress_prefix = 0});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel wg0 | ipv6 direct enp3s0 | wg0 wireguard full none");
  kernel.routes.push_back({.destination = "203.0.114.7/32", .link = 2, .gateway = "192.168.77.1"});
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel wg0 (excluded 203.0.114.7/32 over enp3s0) | ipv6 direct enp3s0 | wg0 wireguard "
      "full none");
}

// Kill switches of VPN clients: a dummy swallows everything, and survives a reboot.
TEST(Classify, DummyDefaultIsBlocked) {
  Laptop kernel;
  kernel.links.push_back({.index = 6, .name = "pvpnksintrf0", .kind = "dummy"});
  kernel.addresses.push_back({.link = 6, .ip = "100.85.0.1", .prefix = 24});
  kernel.add_def1(6);
  const Network network = kernel.network();
  EXPECT_EQ(describe(network), "ipv4 blocked pvpnksintrf0 | ipv6 direct enp3s0");
  EXPECT_TRUE(network.tunnels.empty());
}

TEST(Classify, DefaultIntoLoopbackIsBlocked) {
  Laptop kernel;
  kernel.add_def1(1);
  EXPECT_EQ(describe(kernel.network()), "ipv4 blocked lo | ipv6 direct enp3s0");
}

TEST(Classify, PppoeAsTheOnlyUplinkIsDirect) {
  FakeKernel kernel;
  kernel.links.push_back({.index = 2, .name = "enp3s0", .parent_device = "0000:03:00.0"});
  kernel.addresses.push_back(
      {.link = 2, .ip = "192.168.1.1", .prefix = 24});  // a router's LAN side
  kernel.links.push_back(
      {.index = 7, .name = "ppp0", .kind = "ppp", .hardware = ppp_hardware, .flags = up | 0x10});
  kernel.addresses.push_back({.link = 7, .ip = "44.5.6.7", .prefix = 32, .peer = "44.5.6.1"});
  kernel.routes.push_back({.destination = "44.5.6.1/32", .link = 7, .protocol = RTPROT_KERNEL});
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 7, .protocol = RTPROT_BOOT});
  const Network network = kernel.network();
  EXPECT_EQ(describe(network), "ipv4 direct ppp0 | ipv6 none");
  EXPECT_TRUE(network.tunnels.empty());
}

// That another card has IPv6 proves nothing: a dial-up line beside it has the same routes.
TEST(Classify, PppWithAnUnderlayIsAVpn) {
  Laptop kernel;
  kernel.routes.erase(kernel.routes.begin());
  kernel.add_tunnel(7, "ppp0", "ppp", ppp_hardware, "10.11.0.2");
  kernel.add(RouteSpec{.destination = "0.0.0.0/0", .link = 7});
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct ppp0 | ipv6 direct enp3s0");
  std::erase_if(kernel.routes, [](const auto& route) { return route.destination == "::/0"; });
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct ppp0 | ipv6 none");
  kernel.add(RouteSpec{.destination = "44.2.2.2/32", .link = 2, .gateway = "192.168.77.1"});
  EXPECT_EQ(describe(kernel.network()), "ipv4 tunnel ppp0 | ipv6 none | ppp0 ppp full none");
}

// The uplink below a VPN is a tunnel by its kind, and still what leaks.
TEST(Classify, SeesRoutesBesideAVpnOverPppoe) {
  FakeKernel kernel;
  kernel.links.push_back({.index = 7, .name = "ppp0", .kind = "ppp", .hardware = ppp_hardware});
  kernel.addresses.push_back({.link = 7, .ip = "44.5.6.7", .prefix = 32});
  kernel.links.push_back(
      {.index = 8, .name = "tun0", .kind = "tun", .hardware = no_hardware, .tun_type = 1});
  kernel.addresses.push_back({.link = 8, .ip = "10.8.0.2", .prefix = 24});
  kernel.routes = {{.destination = "0.0.0.0/0", .link = 7},
                   {.destination = "44.2.2.2/32", .link = 7},
                   {.destination = "0.0.0.0/1", .link = 8},
                   {.destination = "128.0.0.0/1", .link = 8}};
  EXPECT_EQ(describe(kernel.network()), "ipv4 tunnel tun0 | ipv6 none | tun0 tun full none");
  kernel.routes.push_back({.destination = "203.0.114.0/24", .link = 7});
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel tun0 (excluded 203.0.114.0/24 over ppp0) | ipv6 none | tun0 tun full none");
  kernel.routes.pop_back();
  std::erase_if(kernel.routes,
                [](const auto& route) { return route.destination == "128.0.0.0/1"; });
  EXPECT_EQ(describe(kernel.network()), "ipv4 partial ppp0 | ipv6 none | tun0 tun split none");
}

TEST(Classify, ModemWithParentDeviceIsPhysical) {
  FakeKernel kernel;
  kernel.links.push_back(
      {.index = 3, .name = "wwan0", .hardware = 519, .parent_device = "1-2:1.4"});
  kernel.addresses.push_back({.link = 3, .ip = "100.70.1.2", .prefix = 30});
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 3});
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct wwan0 | ipv6 none");
}

TEST(Classify, ModemWithoutParentDeviceAsTheOnlyUplinkIsDirect) {
  FakeKernel kernel;
  kernel.links.push_back({.index = 3, .name = "wwan0", .hardware = 519});
  kernel.addresses.push_back({.link = 3, .ip = "100.70.1.2", .prefix = 30});
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 3});
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct wwan0 | ipv6 none");
}

TEST(Classify, IpsecByTable220AndByXfrmLink) {
  Laptop kernel;
  kernel.rules.push_back({.priority = 220, .table = 220});
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct enp3s0 | ipv6 direct enp3s0")
      << "the rule stays when no tunnel is up";
  kernel.addresses.push_back({.link = 2, .ip = "10.7.0.2", .prefix = 32});
  kernel.routes.push_back({.destination = "0.0.0.0/0",
                           .link = 2,
                           .gateway = "192.168.77.1",
                           .source = "10.7.0.2",
                           .table = 220});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 ipsec enp3s0 | ipv6 direct enp3s0 | enp3s0 ipsec full none");
  kernel.routes.pop_back();
  kernel.add_tunnel(9, "ipsec1", "xfrm", no_hardware, "10.7.0.3");
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 9, .table = 220});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel ipsec1 | ipv6 direct enp3s0 | ipsec1 xfrm full none");
}

// A cloud machine whose only address is a /32, and a DHCPv6 /128: no IPsec.
TEST(Classify, HostPrefixAddressAloneIsNoIpsec) {
  Laptop kernel;
  kernel.addresses[2].prefix = 32;
  kernel.routes.push_back(
      {.destination = "0.0.0.0/0", .link = 2, .gateway = "192.168.77.1", .table = 220});
  kernel.rules.push_back({.priority = 220, .table = 220});
  kernel.addresses.push_back({.link = 2, .ip = "2a0e:77:0:1::99", .prefix = 128});
  kernel.routes[2].source = "2a0e:77:0:1::99";
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct enp3s0 | ipv6 direct enp3s0");
}

TEST(Classify, AFailedQuestionBesideTunnelledOnesIsPartial) {
  FullTunnel kernel;
  ASSERT_EQ(kernel.network().ipv4.verdict, Verdict::tunnel);
  kernel.failing = {kernel.asked(Family::ipv4).front()};
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 partial (unknown ways) (disputed 1.0.0.1/32) | ipv6 direct enp3s0 | tun0 tun split "
      "none");
}

TEST(Classify, AFailedIpv6QuestionBesideTunnelledOnesIsPartial) {
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "2a0e:99::2");
  kernel.add(RouteSpec{.destination = "2000::/3", .link = 5});
  ASSERT_EQ(kernel.network().ipv6.verdict, Verdict::tunnel);
  kernel.failing = {kernel.asked(Family::ipv6, 5).front()};
  EXPECT_EQ(kernel.network().ipv6.verdict, Verdict::partial);
}

TEST(Classify, AFailedQuestionIsNeverReadAsDirect) {
  Laptop kernel;
  const std::vector<std::string> asked = kernel.asked(Family::ipv4);
  kernel.failing = {asked.front()};
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::partial);
  kernel.failing.insert(asked.begin(), asked.end());
  const auto snapshot = kernel.snapshot();
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().code, Code::probe_failed);
}

// ipv6.disable=1: the kernel refuses every IPv6 question and shows no IPv6 address.
TEST(Classify, AKernelWithoutIpv6HasNone) {
  Laptop kernel;
  std::erase_if(kernel.routes, [](const auto& route) { return route.destination.contains(':'); });
  const std::vector<std::string> asked = kernel.asked(Family::ipv6);
  ASSERT_FALSE(asked.empty());
  kernel.failing.insert(asked.begin(), asked.end());
  EXPECT_FALSE(kernel.snapshot());
  std::erase_if(kernel.addresses, [](const auto& address) { return address.ip.contains(':'); });
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct enp3s0 | ipv6 none");
}

TEST(Classify, ContainerAndHypervisorLinksAreNoTunnels) {
  Laptop kernel;
  kernel.links.push_back({.index = 10, .name = "docker0", .kind = "bridge"});
  kernel.links.push_back(
      {.index = 11, .name = "veth1", .kind = "veth", .master = 10, .slave_kind = "bridge"});
  kernel.links.push_back({.index = 12,
                          .name = "vnet0",
                          .kind = "tun",
                          .tun_type = 2,
                          .master = 10,
                          .slave_kind = "bridge"});
  kernel.addresses.push_back({.link = 10, .ip = "172.17.0.1", .prefix = 16});
  const Network network = kernel.network();
  EXPECT_TRUE(network.tunnels.empty());
  EXPECT_EQ(network.addresses.size(), 3U);
}

TEST(Classify, LeavesOutAddressesThatABrowserDoesNotList) {
  Laptop kernel;
  kernel.addresses.push_back(
      {.link = 2, .ip = "2a0e:77:0:1::20", .prefix = 64, .flags = IFA_F_DEPRECATED});
  kernel.addresses.push_back({.link = 2, .ip = "2a0e:77:0:1:211:22ff:fe33:4455", .prefix = 64});
  kernel.addresses.push_back({.link = 2, .ip = "2a0e:77:0:1:11:22ff:fe33:4455", .prefix = 64});
  kernel.links.push_back({.index = 4, .name = "wlan0", .flags = 0x1});
  kernel.addresses.push_back({.link = 4, .ip = "192.168.5.5", .prefix = 24});
  const Network network = kernel.network();
  ASSERT_EQ(network.addresses.size(), 4U);
  EXPECT_FALSE(network.addresses[1].mac_based);
  EXPECT_TRUE(network.addresses[2].mac_based);
  EXPECT_FALSE(network.addresses[3].mac_based) << "a random MAC; Chromium shows such an address";
}

TEST(Excluded, OneServerRouteForEachFamily) {
  FullTunnel kernel;
  kernel.addresses.push_back({.link = 50, .ip = "2a0e:99::2", .prefix = 64});
  kernel.add(RouteSpec{.destination = "2000::/3", .link = 50});
  kernel.add_beside("44.2.2.2/32");
  kernel.add_beside("2a0e:22::2/128");
  const std::string clean = "ipv4 tunnel tun0 | ipv6 tunnel tun0 | tun0 tun full full";
  EXPECT_EQ(describe(kernel.network()), clean);
  kernel.add_beside("2a0e:22::3/128");
  kernel.add_beside("44.2.2.9/32");
  EXPECT_EQ(describe(kernel.network()), clean) << "hosts of one block are one VPN's servers";
  kernel.add_beside("2a0e:23::3/128");
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel tun0 | ipv6 tunnel tun0 (excluded 2a0e:22::2/127, 2a0e:23::3/128 over "
            "enp3s0) | tun0 tun full full");
  kernel.routes.pop_back();
  kernel.add_beside("44.2.3.2/32");
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel tun0 (excluded 44.2.2.2/32, 44.2.2.9/32, 44.2.3.2/32 over enp3s0) | ipv6 "
            "tunnel tun0 | tun0 tun full full");
}

TEST(Excluded, AHostThatAProtocolToldOfIsNoServer) {
  FullTunnel kernel;
  kernel.add(RouteSpec{
      .destination = "44.2.2.2/32", .link = 2, .gateway = "192.168.77.1", .protocol = RTPROT_DHCP});
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes);
}

TEST(Excluded, CountsAGatewayOfTheOtherFamily) {
  FullTunnel kernel;
  kernel.add(RouteSpec{.destination = "45.200.0.0/24", .link = 2, .gateway = "fe80::1"});
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes);
}

TEST(Excluded, NeighboursAreNamedAndLeakNothing) {
  FullTunnel kernel;
  kernel.addresses.push_back({.link = 2, .ip = "45.200.0.9", .prefix = 24});
  kernel.add(RouteSpec{.destination = "45.200.0.0/24", .link = 2, .protocol = RTPROT_KERNEL});
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel tun0 (neighbours 45.200.0.0/24 over enp3s0) | ipv6 direct enp3s0 | tun0 tun "
      "full none");
  kernel.routes.back().destination = "45.200.0.8/31";
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none")
      << "a line between two";
  kernel.routes.back() = {.destination = "45.201.0.0/24", .link = 2};
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes) << "nobody of this block is known to be near";
}

// Whoever gives out addresses could name half of the internet a neighbour.
TEST(Excluded, ABlockOnALinkIsNoneOfNeighboursWhenItIsTooLarge) {
  FullTunnel kernel;
  kernel.addresses.push_back({.link = 2, .ip = "45.0.0.9", .prefix = 8});
  kernel.add(RouteSpec{.destination = "45.0.0.0/8", .link = 2, .protocol = RTPROT_KERNEL});
  EXPECT_FALSE(kernel.network().ipv4.excluded_routes);
  kernel.addresses.back().prefix = 7;
  kernel.routes.back().destination = "44.0.0.0/7";
  EXPECT_EQ(kernel.network().ipv4.excluded, std::vector{block("44.0.0.0/7")});
}

TEST(Excluded, ABlockWithAPrivateBaseCounts) {
  FullTunnel kernel;
  kernel.add_beside("10.0.0.0/7");
  kernel.add(RouteSpec{.destination = "10.0.0.0/8", .link = 50});
  EXPECT_EQ(kernel.network().ipv4.excluded, std::vector{block("11.0.0.0/8")});
}

TEST(Excluded, WhatIsNotPublicIsNoLeak) {
  FullTunnel kernel;
  for (const auto* destination :
       {"10.20.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4"}) {
    kernel.add_beside(destination);
  }
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none");
}

TEST(Excluded, WhatIsRefusedIsNoLeak) {
  FullTunnel kernel;
  const std::string clean = "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none";
  for (const std::uint8_t type : {RTN_UNREACHABLE, RTN_PROHIBIT, RTN_BLACKHOLE}) {
    kernel.add(RouteSpec{.destination = "45.200.0.0/24", .type = type});
    EXPECT_EQ(describe(kernel.network()), clean) << int{type};
    kernel.routes.pop_back();
  }
  kernel.add(RuleSpec{.priority = 9, .action = FR_ACT_PROHIBIT, .to = "45.200.0.0/16"});
  EXPECT_EQ(describe(kernel.network()), clean);
}

TEST(Excluded, AreASingleListWithoutRepeats) {
  FullTunnel kernel;
  for (int i = 0; i < 100; ++i) kernel.add_beside("45.0." + std::to_string(i) + ".0/24");
  const Network network = kernel.network();
  EXPECT_EQ(network.ipv4.excluded,
            (std::vector{block("45.0.0.0/18"), block("45.0.64.0/19"), block("45.0.96.0/22")}));
  EXPECT_FALSE(network.ipv6.excluded_routes) << "IPv6 is not tunnelled at all";
}

TEST(Excluded, OverSeveralLinksNamesNone) {
  FullTunnel kernel;
  kernel.links.push_back({.index = 3, .name = "enp4s0", .parent_device = "0000:04:00.0"});
  kernel.addresses.push_back({.link = 3, .ip = "192.168.88.10", .prefix = 24});
  kernel.add_beside("45.200.0.0/24");
  kernel.add(RouteSpec{.destination = "46.200.0.0/24", .link = 3, .gateway = "192.168.88.1"});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel tun0 (excluded 45.200.0.0/24, 46.200.0.0/24) | ipv6 direct enp3s0 | tun0 "
            "tun full none");
}

TEST(Excluded, VeryManyRoutesOfTheTunnelsOwnDoNotHideOne) {
  FullTunnel kernel;
  kernel.add_blocks(50);
  EXPECT_FALSE(kernel.network().ipv4.excluded_routes);
  kernel.add_beside("45.200.0.0/24");
  EXPECT_EQ(kernel.network().ipv4.excluded, std::vector{block("45.200.0.0/24")});
}

TEST(Excluded, VeryManyRoutesBesideTheTunnel) {
  FullTunnel kernel;
  kernel.add_blocks(2);
  const Network network = kernel.network();
  EXPECT_EQ(network.ipv4.verdict, Verdict::tunnel);
  EXPECT_EQ(network.ipv4.excluded.size(), 8U * 6) << "0-249 of each is /17 and five smaller ones";
}

TEST(Excluded, MoreRoutesThanAreReadAreNotJudged) {
  FullTunnel kernel;
  kernel.only_answer = 50;
  for (int i = 0; i <= 200'000; ++i) {
    kernel.add(RouteSpec{.destination = std::to_string(100 + i / 65536) + "." +
                                        std::to_string(i / 256 % 256) + "." +
                                        std::to_string(i % 256) + ".0/24",
                         .link = 50});
  }
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::partial);
  EXPECT_TRUE(kernel.network().ipv4.unknown_ways);
}

TEST(Verdict, FollowsTheShareOfWhatIsInside) {
  struct Case {
    const char* inside;
    const char* expected;
  };
  for (const auto& [inside, expected] : {
           Case{"45.0.0.0/8", "ipv4 direct enp3s0 | ipv6 direct enp3s0 | tun0 tun split none"},
           Case{"32.0.0.0/5", "ipv4 direct enp3s0 | ipv6 direct enp3s0 | tun0 tun split none"},
           Case{"32.0.0.0/4", "ipv4 partial enp3s0 | ipv6 direct enp3s0 | tun0 tun split none"},
           Case{"0.0.0.0/1", "ipv4 partial enp3s0 | ipv6 direct enp3s0 | tun0 tun split none"},
           Case{"0.0.0.0/0", "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none"},
       }) {
    Laptop kernel;
    kernel.routes.front().metric = 100;
    kernel.add_tunnel(5, "tun0", "tun", no_hardware, "10.8.0.2");
    kernel.add(RouteSpec{.destination = inside, .link = 5});
    EXPECT_EQ(describe(kernel.network()), expected) << inside;
  }
}

TEST(Verdict, FollowsTheShareOfWhatIsOutside) {
  FullTunnel kernel;
  kernel.add_beside("32.0.0.0/3");
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel tun0 (excluded 32.0.0.0/3 over enp3s0) | ipv6 direct enp3s0 | tun0 tun full "
      "none");
  kernel.routes.back().destination = "64.0.0.0/2";
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 partial enp3s0 | ipv6 direct enp3s0 | tun0 tun split none");
}

TEST(Verdict, BlockedAndNone) {
  Laptop kernel;
  kernel.add(RouteSpec{.destination = "0.0.0.0/1", .type = RTN_UNREACHABLE});
  kernel.add(RouteSpec{.destination = "128.0.0.0/1", .type = RTN_UNREACHABLE});
  EXPECT_EQ(describe(kernel.network()), "ipv4 blocked | ipv6 direct enp3s0");
  kernel.add_beside("44.2.2.2/32");
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::blocked) << "the way to a server stays open";
  kernel.add_beside("45.200.0.0/24");
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::partial);
  kernel.routes.clear();
  EXPECT_EQ(describe(kernel.network()), "ipv4 none | ipv6 none");
}

TEST(Verdict, ADownTunnelLeadsNowhere) {
  FullTunnel kernel;
  kernel.links.back().flags = 0x1;
  EXPECT_EQ(describe(kernel.network()), "ipv4 blocked tun0 | ipv6 direct enp3s0");
}

}  // namespace
}  // namespace icelock::net
