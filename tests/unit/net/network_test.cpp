// SPDX-License-Identifier: Apache-2.0
// Networks that need other links than a plain kernel has; the bytes are built by messages.h.
#include "net/network.h"

#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "fake_kernel.h"

namespace icelock::net {
namespace {

using test::AddressSpec;
using test::block;
using test::describe;
using test::FakeKernel;
using test::RouteSpec;
using test::RuleSpec;

constexpr std::uint16_t no_hardware = 0xFFFE;
constexpr std::uint16_t ppp_hardware = 512;
constexpr unsigned up = 0x1 | 0x40;

/// A card enp3s0 (2) with IPv4 and IPv6, as a laptop has it.
struct Laptop : FakeKernel {
  Laptop() {
    links.push_back({.index = 2, .name = "enp3s0", .parent_device = "0000:03:00.0"});
    addresses.push_back({.link = 2, .ip = "192.168.77.10", .prefix = 24});
    addresses.push_back({.link = 2, .ip = "2a0e:77:0:1::10", .prefix = 64});
    addresses.push_back({.link = 2, .ip = "fe80::10", .prefix = 64, .scope = 253});
    routes.push_back({.destination = "0.0.0.0/0", .link = 2, .gateway = "192.168.77.1"});
    routes.push_back({.destination = "192.168.77.0/24", .link = 2, .protocol = RTPROT_KERNEL});
    routes.push_back(
        {.destination = "::/0", .link = 2, .gateway = "fe80::1", .protocol = RTPROT_RA});
    routes.push_back({.destination = "2a0e:77:0:1::/64", .link = 2, .protocol = RTPROT_RA});
  }

  void add_tunnel(int index, const std::string& name, const std::string& kind,
                  std::uint16_t hardware, const std::string& address) {
    links.push_back({.index = index,
                     .name = name,
                     .kind = kind,
                     .hardware = hardware,
                     .flags = up | 0x10,
                     .tun_type = kind == "tun" ? 1 : 0});
    const bool is_ipv6 = address.find(':') != std::string::npos;
    addresses.push_back({.link = index, .ip = address, .prefix = is_ipv6 ? 128 : 32});
  }

  void add_def1(int index) {
    add(RouteSpec{.destination = "0.0.0.0/1", .link = index});
    add(RouteSpec{.destination = "128.0.0.0/1", .link = index});
  }

  /// A route of the main table by the card's router.
  void add_beside(const std::string& destination) {
    const bool ipv6 = destination.contains(':');
    add(RouteSpec{
        .destination = destination, .link = 2, .gateway = ipv6 ? "fe80::1" : "192.168.77.1"});
  }

  /// For which addresses the kernel is asked, of those that go by this link.
  std::vector<std::string> asked(Family family, int link = 0) {
    std::vector<std::string> result;
    const Snapshot taken = snapshot().value();
    for (const Part& part : taken.parts) {
      for (const Check& check : part.checks) {
        if (link != 0 && check.answer.link != link) continue;
        if (part.family == family) result.push_back(to_string(check.question.destination));
      }
    }
    return result;
  }
};

/// OpenVPN for IPv4 beside native IPv6.
struct FullTunnel : Laptop {
  FullTunnel() {
    add_tunnel(50, "tun0", "tun", no_hardware, "10.8.0.2");
    add_def1(50);
  }

  void add_blocks(int link) {
    for (int i = 0; i < 2000; ++i) {
      const std::string base = "45." + std::to_string(i / 250) + "." + std::to_string(i % 250);
      routes.push_back({.destination = base + ".0/24", .link = link, .gateway = "192.168.77.1"});
    }
  }
};

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

struct Marked : Laptop {
  Marked() {
    add_tunnel(5, "wg0", "wireguard", no_hardware, "10.9.0.2");
    add(RouteSpec{.destination = "0.0.0.0/0", .link = 5, .table = 51820});
  }
};

TEST(Verdict, PortsOfTheWebThatDifferArePartial) {
  Marked kernel;
  kernel.add(
      RuleSpec{.priority = 90, .table = 51820, .protocol = 6, .destination_ports = {{443, 443}}});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 partial enp3s0 | ipv6 direct enp3s0 | wg0 wireguard split none");
}

TEST(Datagrams, OutsideTheTunnelOfTheWebAreNamed) {
  Marked kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 51820, .protocol = 6});
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel wg0 (datagrams over enp3s0) | ipv6 direct enp3s0 | wg0 wireguard full none");
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes);
}

// Any code point and any port count, however few packets have it.
TEST(Datagrams, APartOfThemOutsideIsNamed) {
  for (const RuleSpec& rule :
       {RuleSpec{.priority = 80, .table = 254, .dscp = 46},
        RuleSpec{.priority = 80, .table = 254, .source_ports = {{5000, 5000}}},
        RuleSpec{
            .priority = 80, .table = 254, .protocol = 17, .destination_ports = {{3478, 3478}}}}) {
    Marked kernel;
    kernel.add(RuleSpec{.priority = 90, .table = 51820});
    kernel.add(rule);
    if (rule.source_ports) {
      EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::partial);
      continue;
    }
    EXPECT_EQ(describe(kernel.network()),
              "ipv4 tunnel wg0 (datagrams over enp3s0) | ipv6 direct enp3s0 | wg0 wireguard full "
              "none");
  }
}

TEST(Datagrams, InATunnelThatTheWebDoesNotUseTakeNothingBack) {
  Marked kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 51820, .protocol = 17});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 direct enp3s0 | ipv6 direct enp3s0 | wg0 wireguard split none");
}

TEST(Unknown, ARuleThatIsNotUnderstoodCountsAsOutside) {
  Marked kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 51820, .inverted = true, .another = 77});
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::partial);
  EXPECT_TRUE(kernel.network().ipv4.unknown_ways);
}

TEST(Unknown, AnUnknownPartIsExcluded) {
  FullTunnel kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 77, .to = "45.200.0.0/24", .another = 77});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel tun0 (excluded 45.200.0.0/24) (unknown ways) | ipv6 direct enp3s0 | tun0 "
            "tun full none");
}

// No VPN's server is somewhere that cannot be told.
TEST(Unknown, ASingleHostIsNoServer) {
  FullTunnel kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 77, .to = "45.200.0.1/32", .another = 77});
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes);
}

// The stricter of both counts, whichever it is: and "no VPN" is the loosest there is.
TEST(Disputed, TheKernelsAnswerOverrulesALooserReading) {
  FullTunnel kernel;
  kernel.otherwise[kernel.asked(Family::ipv4).front()] = 2;
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 partial (unknown ways) (disputed 1.0.0.1/32) | ipv6 direct enp3s0 | tun0 tun split "
      "none");
}

TEST(Disputed, AVpnThatOnlyTheKernelSeesIsProtected) {
  Laptop kernel;
  kernel.add_tunnel(50, "tun0", "tun", no_hardware, "10.8.0.2");
  kernel.add(RouteSpec{.destination = "45.0.0.0/24", .link = 50});
  kernel.otherwise[kernel.asked(Family::ipv4, 2).front()] = 50;
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 partial (unknown ways) (disputed 1.0.0.1/32) | ipv6 direct enp3s0 | tun0 tun split "
      "none");
}

TEST(Disputed, AKillSwitchThatTheKernelDoesNotSeeIsNotOpen) {
  Laptop kernel;
  kernel.add(RouteSpec{.destination = "0.0.0.0/1", .type = RTN_UNREACHABLE});
  kernel.add(RouteSpec{.destination = "128.0.0.0/1", .type = RTN_UNREACHABLE});
  for (const std::string& ip : kernel.asked(Family::ipv4)) kernel.otherwise[ip] = 2;
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::partial);
}

// What never was a VPN's is not locked by it.
TEST(Disputed, WithoutAVpnThereIsNothingToProtect) {
  Laptop kernel;
  for (const std::string& ip : kernel.asked(Family::ipv4)) kernel.otherwise[ip] = 0;
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::direct);
  EXPECT_TRUE(kernel.network().ipv4.disputed);
}

TEST(Disputed, AnExcludedBlockStaysSo) {
  FullTunnel kernel;
  kernel.add_beside("45.200.0.0/24");
  kernel.otherwise["45.200.0.1"] = 50;
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel tun0 (excluded 45.200.0.0/24) (unknown ways) (disputed 45.200.0.1/32) | ipv6 "
      "direct enp3s0 | tun0 tun full none");
}

TEST(Disputed, ARefusedBlockThatTheKernelRoutesIsExcluded) {
  FullTunnel kernel;
  kernel.add(RouteSpec{.destination = "45.200.0.0/24", .type = RTN_UNREACHABLE});
  ASSERT_FALSE(kernel.network().ipv4.excluded_routes);
  kernel.otherwise["45.200.0.1"] = 2;
  const FamilyState state = kernel.network().ipv4;
  EXPECT_TRUE(state.excluded_routes);
  EXPECT_EQ(state.disputed, block("45.200.0.1/32"));
}

TEST(Marks, IntoATunnelWhileTheRestGoesBeside) {
  Marked kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 51820, .fwmark = 7});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 direct enp3s0 (marked into wg0) | ipv6 direct enp3s0 | wg0 wireguard split none");
}

TEST(Marks, OutOfATunnelAreNamedUnlessTheyAreItsOwn) {
  Marked kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 51820, .fwmark = 51820, .inverted = true});
  const std::string clean = "ipv4 tunnel wg0 | ipv6 direct enp3s0 | wg0 wireguard full none";
  EXPECT_EQ(describe(kernel.network()), clean);
  kernel.add(RuleSpec{.priority = 80, .table = 254, .fwmark = 9});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel wg0 (marked beside) | ipv6 direct enp3s0 | wg0 wireguard full none");
}

// connect(2) looks again with the source that it chose; a socket that is bound to nothing does not.
TEST(SecondLook, IsForTheWebOnly) {
  Marked kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 51820, .from = "192.168.77.0/24"});
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel wg0 (datagrams over enp3s0) | ipv6 direct enp3s0 | wg0 wireguard full none");
  kernel.rules.back().from = "10.9.0.2/32";
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 direct enp3s0 | ipv6 direct enp3s0 | wg0 wireguard split none")
      << "for what answers inside the tunnel";
}

// Rented servers: the router is told by a host route, and is nobody's VPN server.
TEST(Collect, ARouterWithARouteOfItsOwnIsANeighbour) {
  FullTunnel kernel;
  kernel.add(RouteSpec{.destination = "45.9.9.1/32", .link = 2});
  kernel.add(RouteSpec{.destination = "44.2.2.2/32", .link = 2, .gateway = "45.9.9.1"});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none");
}

// RFC 7084, L-3: a home's own block by way of its own router.
TEST(Collect, TheHomesOwnBlockIsOfNeighbours) {
  Laptop kernel;
  kernel.add_tunnel(6, "wg0", "wireguard", no_hardware, "2a0e:99::2");
  kernel.add(RouteSpec{.destination = "2000::/3", .link = 6});
  kernel.add(RouteSpec{
      .destination = "2a0e:77::/56", .link = 2, .gateway = "fe80::1", .protocol = RTPROT_RA});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 direct enp3s0 | ipv6 tunnel wg0 (neighbours 2a0e:77::/56 over enp3s0) | wg0 "
            "wireguard none full");
  kernel.routes.back().destination = "2a0e:77::/47";
  EXPECT_TRUE(kernel.network().ipv6.excluded_routes) << "no home has so much";
  kernel.routes.back() = {
      .destination = "2a0e:78::/56", .link = 2, .gateway = "fe80::1", .protocol = RTPROT_RA};
  EXPECT_TRUE(kernel.network().ipv6.excluded_routes) << "somebody else's";
}

TEST(Users, OfDirectoriesCountWhereRulesNameThem) {
  Marked kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 51820, .uids = {{100000, 100010}}});
  EXPECT_EQ(kernel.network(0).ipv4.verdict, Verdict::partial);
  kernel.rules.back().uids = {{101, 120}};
  EXPECT_EQ(kernel.network(0).ipv4.verdict, Verdict::direct) << "those of services";
}

// RFC 6877: what a CLAT takes goes on as IPv6.
TEST(Clat, IsNoVpnAndGoesWhereNat64Goes) {
  Laptop kernel;
  std::erase_if(kernel.routes, [](const auto& route) { return !route.destination.contains(':'); });
  kernel.add_tunnel(5, "clat", "tun", no_hardware, "192.0.0.1");
  kernel.add(RouteSpec{.destination = "0.0.0.0/0", .link = 5});
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct clat | ipv6 direct enp3s0");
  kernel.add_tunnel(6, "wg0", "wireguard", no_hardware, "2a0e:99::2");
  kernel.add(RouteSpec{.destination = "2000::/3", .link = 6});
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 direct clat | ipv6 tunnel wg0 (excluded 64:ff9b::/96 over enp3s0) | wg0 wireguard "
      "none full");
  kernel.add(RouteSpec{.destination = "64:ff9b::/96", .link = 6});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel wg0 | ipv6 tunnel wg0 | wg0 wireguard none full");
}

TEST(Nat64, CountsOnlyWhereThereIsEvidence) {
  Laptop kernel;
  kernel.add_tunnel(6, "wg0", "wireguard", no_hardware, "2a0e:99::2");
  kernel.add(RouteSpec{.destination = "2000::/3", .link = 6});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 direct enp3s0 | ipv6 tunnel wg0 | wg0 wireguard none full");
  kernel.add_beside("64:ff9b::/96");
  EXPECT_TRUE(kernel.network().ipv6.excluded_routes);
  kernel.routes.pop_back();
  kernel.routes.erase(kernel.routes.begin());  // no way out for IPv4
  EXPECT_TRUE(kernel.network().ipv6.excluded_routes);
}

TEST(NamedRoles, OverruleTheEvidence) {
  FullTunnel kernel;
  const Snapshot snapshot = kernel.snapshot().value();
  EXPECT_EQ(describe(classify(snapshot, {{"tun*", Role::uplink}})),
            "ipv4 direct tun0 | ipv6 direct enp3s0");
  EXPECT_EQ(
      describe(classify(snapshot, {{"enp3s0", Role::vpn}})),
      "ipv4 tunnel tun0 | ipv6 tunnel enp3s0 | enp3s0 unknown split full | tun0 tun full none");
  EXPECT_EQ(classify(snapshot, {{"tun0", Role::uplink}, {"tun*", Role::vpn}}), classify(snapshot))
      << "the last word counts";
}

TEST(Nexthops, AreFollowedThroughTheirGroups) {
  FullTunnel kernel;
  kernel.nexthops = {{.id = 7, .link = 2, .gateway = "192.168.77.1"}, {.id = 8, .group = {7}}};
  kernel.add(RouteSpec{.destination = "45.200.0.0/24", .nexthop_id = 8});
  EXPECT_EQ(kernel.network().ipv4.excluded_link, "enp3s0");
  kernel.nexthops = {{.id = 8}};
  EXPECT_FALSE(kernel.network().ipv4.excluded_routes) << "one that swallows";
  kernel.nexthops.clear();
  EXPECT_TRUE(kernel.network().ipv4.unknown_ways) << "one that is not told";
}

struct KeptWays : FullTunnel {
  bool changed = true;
  SnapshotTaker taker{
      [this](std::size_t) -> Result<std::unique_ptr<netlink::Wire>> { return wire(); }, 1000,
      [this] { return changed; }};

  /// Takes a snapshot and tells whether the routes were listed for it.
  bool lists_routes() {
    const std::size_t before = lists_read;
    const bool excluded = classify(taker.take().value()).ipv4.excluded_routes;
    EXPECT_EQ(excluded, routes.back().destination == "45.200.0.0/24");
    return lists_read - before > 3;  // links, addresses and rules are read each time
  }
};

TEST(Ways, AreKeptAsLongAsTheyHold) {
  KeptWays kernel;
  EXPECT_TRUE(kernel.lists_routes());
  EXPECT_EQ(kernel.lists_read, 5U) << "each list is read once";
  kernel.changed = false;
  EXPECT_FALSE(kernel.lists_routes());
  kernel.addresses.push_back({.link = 50, .ip = "10.8.0.3", .prefix = 24});
  EXPECT_TRUE(kernel.lists_routes()) << "an address came";
  EXPECT_FALSE(kernel.lists_routes());
  kernel.add_beside("45.200.0.0/24");
  kernel.changed = true;
  EXPECT_TRUE(kernel.lists_routes()) << "a route came";
  kernel.changed = false;
  EXPECT_FALSE(kernel.lists_routes());
  kernel.add(RuleSpec{.priority = 5, .table = 99});
  EXPECT_TRUE(kernel.lists_routes()) << "a rule came";
}

// What the kernel answers is never kept.
TEST(Ways, AreHeldAgainstTheKernelEachTime) {
  KeptWays kernel;
  const std::string asked = kernel.asked(Family::ipv4).front();
  EXPECT_FALSE(classify(kernel.taker.take().value()).ipv4.disputed);
  kernel.changed = false;
  kernel.otherwise[asked] = 2;
  EXPECT_TRUE(classify(kernel.taker.take().value()).ipv4.disputed);
  kernel.otherwise.clear();
  EXPECT_FALSE(classify(kernel.taker.take().value()).ipv4.disputed);
}

TEST(Ways, AreNotKeptWhenTheListWasInterrupted) {
  KeptWays kernel;
  kernel.after_list = [&] { kernel.interrupted_lists = kernel.lists_read == 3 ? 1 : 0; };
  const Network cut = classify(kernel.taker.take().value());
  EXPECT_EQ(cut.ipv4.verdict, Verdict::partial);
  EXPECT_TRUE(cut.ipv4.unknown_ways);
  kernel.changed = false;
  EXPECT_TRUE(kernel.lists_routes());
  EXPECT_FALSE(kernel.lists_routes());
}

TEST(Users, RootAsksForAnOrdinaryUser) {
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "10.8.0.2");
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 5, .table = 100});
  kernel.rules.push_back({.priority = 100, .table = 100, .uids = {{1000, 60000}}});
  EXPECT_EQ(kernel.network(0).ipv4.verdict, Verdict::tunnel);
  EXPECT_EQ(kernel.network(1000).ipv4.verdict, Verdict::tunnel);
  EXPECT_EQ(kernel.network(33).ipv4.verdict, Verdict::direct);
}

TEST(Users, RootSeesThatUsersDiffer) {
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "10.8.0.2");
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 5, .table = 100});
  kernel.rules.push_back({.priority = 100, .table = 100, .uids = {{1000, 1000}}});
  EXPECT_EQ(describe(kernel.network(0)),
            "ipv4 partial enp3s0 | ipv6 direct enp3s0 | tun0 tun split none");
  EXPECT_EQ(kernel.network(1000).ipv4.verdict, Verdict::tunnel);
  EXPECT_EQ(kernel.network(1001).ipv4.verdict, Verdict::direct);
}

TEST(Names, AreTheOnesOfTheProtocol) {
  EXPECT_EQ(name(Verdict::direct), "direct");
  EXPECT_EQ(name(Verdict::tunnel), "tunnel");
  EXPECT_EQ(name(Verdict::partial), "partial");
  EXPECT_EQ(name(Verdict::ipsec), "ipsec");
  EXPECT_EQ(name(Verdict::blocked), "blocked");
  EXPECT_EQ(name(Verdict::none), "none");
  EXPECT_EQ(name(Coverage::full), "full");
  EXPECT_EQ(name(Coverage::split), "split");
  EXPECT_EQ(name(Coverage::none), "none");
  EXPECT_EQ(name(LinkClass::sink), "sink");
  EXPECT_EQ(name(LinkClass::virtual_link), "virtual_link");
}

}  // namespace
}  // namespace icelock::net
