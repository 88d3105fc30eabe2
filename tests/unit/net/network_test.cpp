// SPDX-License-Identifier: Apache-2.0
// Networks that need other links than a plain kernel has; the bytes are built by messages.h.
#include "net/network.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include "fake_kernel.h"

namespace icelock::net {
namespace {

using test::AddressSpec;
using test::describe;
using test::FakeKernel;

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
    routes.push_back({.destination = "0.0.0.0/1", .link = index});
    routes.push_back({.destination = "128.0.0.0/1", .link = index});
  }
};

TEST(Classify, DirectLaptop) {
  Laptop kernel;
  const Network network = kernel.network();
  EXPECT_EQ(describe(network), "ipv4 direct enp3s0 | ipv6 direct enp3s0");
  EXPECT_EQ(network.ipv4.source, parse_ip("192.168.77.10"));
  EXPECT_EQ(network.ipv6.source, parse_ip("2a0e:77:0:1::10"));
  ASSERT_EQ(network.addresses.size(), 2U);
  EXPECT_EQ(network.addresses[0].link_class, LinkClass::physical);
}

TEST(Classify, KernelWireguardWithFwmark) {
  Laptop kernel;
  kernel.add_tunnel(5, "wg0", "wireguard", no_hardware, "10.9.0.2");
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 5, .table = 51820});
  kernel.rules.push_back({.priority = 32765, .table = 51820, .fwmark = 51820, .inverted = true});
  kernel.rules.push_back({.priority = 32764, .table = 254, .suppress_prefix = 0});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel wg0 | ipv6 direct enp3s0 | wg0 wireguard full none");
  kernel.routes.push_back({.destination = "203.0.113.7/32", .link = 2, .gateway = "192.168.77.1"});
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel wg0 (excluded 203.0.113.7/32 over enp3s0) | ipv6 direct enp3s0 | wg0 wireguard "
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

TEST(Classify, PppWithAnUnderlayIsAVpn) {
  Laptop kernel;
  kernel.routes.erase(kernel.routes.begin());
  kernel.add_tunnel(7, "ppp0", "ppp", ppp_hardware, "10.11.0.2");
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 7});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel ppp0 | ipv6 direct enp3s0 | ppp0 ppp full none")
      << "the outer packets may go by IPv6";
  std::erase_if(kernel.routes, [](const auto& route) { return route.destination == "::/0"; });
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct ppp0 | ipv6 none");
  kernel.routes.push_back({.destination = "44.2.2.2/32", .link = 2, .gateway = "192.168.77.1"});
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
  kernel.routes.push_back({.destination = "203.0.113.0/24", .link = 7});
  EXPECT_EQ(
      describe(kernel.network()),
      "ipv4 tunnel tun0 (excluded 203.0.113.0/24 over ppp0) | ipv6 none | tun0 tun full none");
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
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "10.8.0.2");
  kernel.add_def1(5);
  ASSERT_EQ(kernel.network().ipv4.verdict, Verdict::tunnel);
  kernel.failing = {"8.8.8.8"};
  EXPECT_EQ(describe(kernel.network()), "ipv4 partial | ipv6 direct enp3s0 | tun0 tun split none");
}

TEST(Classify, AFailedIpv6QuestionBesideTunnelledOnesIsPartial) {
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "2a0e:99::2");
  kernel.routes.push_back({.destination = "2000::/3", .link = 5});
  ASSERT_EQ(kernel.network().ipv6.verdict, Verdict::tunnel);
  kernel.failing = {"2400:cb00::1"};
  EXPECT_EQ(kernel.network().ipv6.verdict, Verdict::partial);
}

TEST(Classify, AFailedQuestionIsNeverReadAsDirect) {
  Laptop kernel;
  kernel.failing = {"8.8.8.8"};
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::partial);
  kernel.failing = {"8.8.8.8", "1.1.1.1", "151.101.1.1", "198.41.0.4"};
  const auto snapshot = kernel.snapshot();
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().code, Code::probe_failed);
}

// ipv6.disable=1: the kernel refuses every IPv6 question and shows no IPv6 address.
TEST(Classify, AKernelWithoutIpv6HasNone) {
  FakeKernel kernel;
  kernel.links.push_back({.index = 2, .name = "enp3s0", .parent_device = "0000:03:00.0"});
  kernel.addresses = {{.link = 2, .ip = "192.168.77.10", .prefix = 24}};
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 2, .gateway = "192.168.77.1"});
  for (const Ip& ip : probe_addresses(Family::ipv6)) kernel.failing.insert(to_string(ip));
  EXPECT_EQ(describe(kernel.network()), "ipv4 direct enp3s0 | ipv6 none");
  kernel.addresses.push_back({.link = 1, .ip = "::1", .prefix = 128, .scope = 254});
  EXPECT_FALSE(kernel.snapshot());
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
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "10.8.0.2");
  kernel.add_def1(5);
  kernel.addresses.push_back({.link = 5, .ip = "2a0e:99::2", .prefix = 64});
  kernel.routes.push_back({.destination = "2000::/3", .link = 5});
  kernel.routes.push_back({.destination = "44.2.2.2/32", .link = 2, .gateway = "192.168.77.1"});
  kernel.routes.push_back({.destination = "2a0e:22::2/128", .link = 2, .gateway = "fe80::1"});
  const std::string clean = "ipv4 tunnel tun0 | ipv6 tunnel tun0 | tun0 tun full full";
  EXPECT_EQ(describe(kernel.network()), clean);
  kernel.routes.push_back({.destination = "2a0e:22::3/128", .link = 2, .gateway = "fe80::1"});
  EXPECT_EQ(describe(kernel.network()),
            "ipv4 tunnel tun0 | ipv6 tunnel tun0 (excluded 2a0e:22::2/128 over enp3s0) | tun0 tun "
            "full full");
  kernel.routes.pop_back();
  kernel.routes.push_back({.destination = "198.51.100.0/24", .link = 2, .gateway = "192.168.77.1"});
  const Snapshot snapshot = kernel.snapshot().value();
  ASSERT_EQ(snapshot.excluded.size(), 1U);
  EXPECT_EQ(snapshot.excluded[0], (ExcludedRoute{*parse_ip("198.51.100.0"), 24, 2}));
}

TEST(Excluded, CountsAGatewayOfTheOtherFamily) {
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "10.8.0.2");
  kernel.add_def1(5);
  kernel.routes.push_back({.destination = "198.51.100.0/24", .link = 2, .gateway = "fe80::1"});
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes);
  kernel.routes.back().gateway.clear();
  EXPECT_FALSE(kernel.network().ipv4.excluded_routes) << "neighbours only";
}

TEST(Excluded, ABlockWithAPrivateBaseCounts) {
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "10.8.0.2");
  kernel.add_def1(5);
  kernel.routes.push_back({.destination = "10.0.0.0/7", .link = 2, .gateway = "192.168.77.1"});
  kernel.routes.push_back({.destination = "10.0.0.0/8", .link = 5});
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes) << "11.0.0.0/8 leaves by the card";
}

TEST(Excluded, TooManyToCheck) {
  Laptop kernel;
  kernel.add_tunnel(5, "tun0", "tun", no_hardware, "10.8.0.2");
  kernel.add_def1(5);
  for (int i = 0; i < 100; ++i) {
    kernel.routes.push_back({.destination = "45.0." + std::to_string(i) + ".0/24",
                             .link = 2,
                             .gateway = "192.168.77.1"});
  }
  const Snapshot snapshot = kernel.snapshot().value();
  EXPECT_TRUE(snapshot.too_many_excluded);
  EXPECT_LE(snapshot.excluded.size(), 64U);
  EXPECT_TRUE(classify(snapshot).ipv4.excluded_routes);
  EXPECT_FALSE(classify(snapshot).ipv6.excluded_routes) << "IPv6 is not tunnelled at all";
}

struct FullTunnel : Laptop {
  FullTunnel() {
    add_tunnel(50, "tun0", "tun", no_hardware, "10.8.0.2");
    add_def1(50);
  }

  void add_blocks(int link) {
    for (int i = 0; i < 2000; ++i) {
      const std::string block = "45." + std::to_string(i / 250) + "." + std::to_string(i % 250);
      routes.push_back({.destination = block + ".0/24", .link = link, .gateway = "192.168.77.1"});
    }
  }
};

TEST(Excluded, FewRoutesAreReadByOneList) {
  Laptop direct;
  direct.network();
  FullTunnel kernel;
  EXPECT_FALSE(kernel.network().ipv4.excluded_routes);
  EXPECT_EQ(kernel.lists_read, direct.lists_read + 1);
}

TEST(Excluded, VeryManyRoutesOfTheTunnelsOwnDoNotHideOne) {
  FullTunnel kernel;
  kernel.add_blocks(50);
  EXPECT_FALSE(kernel.network().ipv4.excluded_routes);
  kernel.routes.push_back({.destination = "198.51.100.0/24", .link = 2, .gateway = "192.168.77.1"});
  EXPECT_EQ(kernel.network().ipv4.excluded_example, "198.51.100.0/24 over enp3s0");
}

TEST(Excluded, VeryManyRoutesBesideTheTunnel) {
  FullTunnel kernel;
  kernel.add_blocks(2);
  const Snapshot snapshot = kernel.snapshot().value();
  EXPECT_TRUE(snapshot.too_many_excluded);
  EXPECT_FALSE(classify(snapshot).ipv4.excluded_example.empty());
}

TEST(Excluded, SearchesTheLinkThatHasTheRoutesFirst) {
  FullTunnel kernel;
  kernel.links.push_back({.index = 3, .name = "enp4s0", .parent_device = "0000:04:00.0"});
  kernel.addresses.push_back({.link = 3, .ip = "192.168.88.10", .prefix = 24});
  kernel.lists_read = 0;
  ASSERT_FALSE(kernel.network().ipv4.excluded_routes);
  const std::size_t before = kernel.lists_read;
  kernel.add_blocks(3);
  kernel.lists_read = 0;
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes);
  EXPECT_EQ(kernel.lists_read, before + 1);
}

TEST(Excluded, VeryManyRoutesAndLinksAreNotSearched) {
  FullTunnel kernel;
  kernel.add_blocks(50);
  for (int i = 0; i < 20; ++i) {
    kernel.links.push_back({.index = 20 + i, .name = "br" + std::to_string(i), .kind = "bridge"});
    kernel.addresses.push_back(
        {.link = 20 + i, .ip = "172.20." + std::to_string(i) + ".1", .prefix = 24});
  }
  EXPECT_TRUE(kernel.network().ipv4.excluded_routes) << "cannot tell";
}

struct KeptSurvey : FullTunnel {
  bool changed = true;
  SnapshotTaker taker{
      [this](std::size_t) -> Result<std::unique_ptr<netlink::Wire>> { return wire(); }, 1000,
      [this](const Snapshot&) { return changed; }};

  /// Takes a snapshot and tells whether the routes were listed for it.
  bool lists_routes() {
    const std::size_t before = lists_read;
    const bool excluded = classify(taker.take().value()).ipv4.excluded_routes;
    EXPECT_EQ(excluded, routes.back().destination == "198.51.100.0/24");
    return lists_read - before > 3;  // links, addresses and rules are read each time
  }
};

TEST(Survey, IsKeptAsLongAsItHolds) {
  KeptSurvey kernel;
  EXPECT_TRUE(kernel.lists_routes());
  kernel.changed = false;
  EXPECT_FALSE(kernel.lists_routes());
  kernel.addresses.push_back({.link = 50, .ip = "10.8.0.3", .prefix = 24});
  EXPECT_TRUE(kernel.lists_routes()) << "an address came";
  EXPECT_FALSE(kernel.lists_routes());
  kernel.routes.push_back({.destination = "198.51.100.0/24", .link = 2, .gateway = "192.168.77.1"});
  kernel.changed = true;
  EXPECT_TRUE(kernel.lists_routes()) << "a route came";
  kernel.changed = false;
  EXPECT_FALSE(kernel.lists_routes());
}

TEST(Survey, IsNotKeptWhenTheListWasInterrupted) {
  KeptSurvey kernel;
  kernel.after_list = [&] { kernel.interrupted_lists = kernel.lists_read == 3 ? 1 : 0; };
  EXPECT_TRUE(kernel.lists_routes());
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
