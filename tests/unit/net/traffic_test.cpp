// SPDX-License-Identifier: Apache-2.0
// Parts of the traffic that go other ways, what is not known, and what the kernel disputes.
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
using test::FullTunnel;
using test::Laptop;
using test::no_hardware;
using test::RouteSpec;
using test::RuleSpec;

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

TEST(Datagrams, OfManyPortsAreEachToldApart) {
  FullTunnel kernel;
  kernel.add(
      RouteSpec{.destination = "0.0.0.0/0", .link = 2, .gateway = "192.168.77.1", .table = 100});
  for (std::uint32_t i = 0; i < 150; ++i) {
    kernel.add(RuleSpec{.priority = 10 + i,
                        .table = 100,
                        .protocol = 17,
                        .destination_ports = {{5000 + i, 5000 + i}},
                        .to = "45.200." + std::to_string(i) + ".0/25"});
  }
  const FamilyState state = kernel.network().ipv4;
  EXPECT_EQ(state.verdict, Verdict::tunnel);
  EXPECT_EQ(state.excluded.size(), 150U);
  EXPECT_EQ(state.excluded_link, "enp3s0");
  EXPECT_FALSE(state.unknown_ways);
  EXPECT_FALSE(state.disputed);
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

TEST(Marks, TooManyCannotBeTold) {
  FullTunnel kernel;
  for (std::uint32_t mark = 1; mark <= 300; ++mark) {
    kernel.add(RuleSpec{.priority = 1000 + mark, .table = 51820, .fwmark = mark});
  }
  EXPECT_TRUE(kernel.network().ipv4.unknown_ways);
  EXPECT_EQ(kernel.network().ipv4.verdict, Verdict::partial);
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

// Whether the first look takes such a route is not known, and so neither what the second begins
// with.
TEST(SecondLook, AfterARouteForSomePacketsCannotBeTold) {
  Laptop kernel;
  kernel.add(
      RouteSpec{.destination = "45.200.0.0/24", .link = 2, .gateway = "192.168.77.1", .tos = 0x08});
  kernel.add(RuleSpec{.priority = 90, .to = "45.200.0.0/24", .from = "192.168.77.0/24"});
  kernel.rules.back().action = FR_ACT_PROHIBIT;
  EXPECT_TRUE(kernel.network().ipv4.unknown_ways);
  kernel.routes.pop_back();
  EXPECT_FALSE(kernel.network().ipv4.unknown_ways);
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

// Directories give numbers up to the largest there is, and login.defs may say any.
TEST(Users, OfDirectoriesCountWhereRulesNameThem) {
  for (const auto& uids :
       {std::pair{60001U, 60513U}, std::pair{60600U, 60600U}, std::pair{65000U, 65535U},
        std::pair{100000U, 100010U}, std::pair{4294967294U, 4294967294U}}) {
    Marked kernel;
    kernel.add(RuleSpec{.priority = 90, .table = 51820, .uids = uids});
    EXPECT_EQ(kernel.network(0).ipv4.verdict, Verdict::partial) << uids.first;
    EXPECT_EQ(kernel.network(1000).ipv4.verdict, Verdict::direct) << "asks for itself";
    kernel.rules.back().fwmark = 7;
    EXPECT_EQ(kernel.network(0).ipv4.marked_into, "wg0") << uids.first;
  }
  Marked kernel;
  kernel.add(RuleSpec{.priority = 90, .table = 51820, .uids = {{101, 120}}});
  EXPECT_EQ(kernel.network(0).ipv4.verdict, Verdict::direct) << "those of services";
}

// However many: one that leaves the VPN aside is seen, and of too many none can be told.
TEST(Users, AreAllLookedAt) {
  for (const std::uint32_t first : {1001U, 200001U}) {
    for (const std::uint32_t count : {9U, 2000U}) {
      Marked kernel;
      kernel.add(RuleSpec{.priority = 30000, .table = 51820});
      for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t uid = first + 2 * i;
        const std::uint32_t table = i + 1 == count ? 254 : 51820;
        kernel.add(RuleSpec{.priority = 90 + i, .table = table, .uids = {{uid, uid}}});
      }
      EXPECT_EQ(kernel.network(0).ipv4.verdict, Verdict::partial) << first << ": " << count;
    }
  }
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
            "ipv4 tunnel wg0 | ipv6 tunnel wg0 | wg0 wireguard full full");
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
