// SPDX-License-Identifier: Apache-2.0
#include "net/roles.h"

#include <gtest/gtest.h>
#include <net/if_arp.h>

#include "fake_kernel.h"

namespace icelock::net {
namespace {

struct Case {
  LinkNature nature;
  LinkClass expected;
};

TEST(LinkClass, FollowsKindHardwareAndParent) {
  using enum LinkClass;
  const Case cases[] = {
      {{"", ARPHRD_LOOPBACK, true, false, false, {}}, loopback},
      {{"", ARPHRD_ETHER, false, true, false, {}}, physical},
      {{"", ARPHRD_ETHER, false, false, false, {}}, physical},
      {{"tun", ARPHRD_NONE, false, false, false, 1}, tunnel},
      {{"tun", ARPHRD_ETHER, false, false, false, 2}, tunnel},
      {{"tun", ARPHRD_ETHER, false, false, true, 2}, virtual_link},
      {{"tun", ARPHRD_NONE, false, false, true, 1}, tunnel},
      {{"tun", ARPHRD_NONE, false, false, false, {}}, tunnel},
      {{"tun", ARPHRD_ETHER, false, false, true, {}}, virtual_link},
      {{"wireguard", ARPHRD_NONE, false, false, false, {}}, tunnel},
      {{"ovpn", ARPHRD_NONE, false, false, false, {}}, tunnel},
      {{"ppp", ARPHRD_PPP, false, false, false, {}}, tunnel},
      {{"xfrm", ARPHRD_NONE, false, false, false, {}}, tunnel},
      {{"sit", ARPHRD_SIT, false, false, false, {}}, tunnel},
      {{"dummy", ARPHRD_ETHER, false, false, false, {}}, sink},
      {{"bridge", ARPHRD_ETHER, false, false, false, {}}, virtual_link},
      {{"veth", ARPHRD_ETHER, false, false, true, {}}, virtual_link},
      {{"vxlan", ARPHRD_ETHER, false, false, false, {}}, virtual_link},
      {{"gretap", ARPHRD_ETHER, false, false, false, {}}, virtual_link},
      {{"wwan", ARPHRD_RAWIP, false, false, false, {}}, physical},
      {{"", ARPHRD_RAWIP, false, true, false, {}}, physical},
      {{"", ARPHRD_RAWIP, false, false, false, {}}, tunnel},
      {{"", ARPHRD_PPP, false, false, false, {}}, tunnel},
      {{"new-vpn", ARPHRD_NONE, false, false, false, {}}, tunnel},
      {{"new-card", ARPHRD_ETHER, false, false, false, {}}, physical},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(name(link_class(one.nature)), name(one.expected))
        << one.nature.kind << " hardware " << one.nature.hardware;
  }
}

TEST(LinkClass, ATapIsNoBridgesPort) {
  EXPECT_TRUE(is_tap({"tun", ARPHRD_ETHER, false, false, false, 2}));
  EXPECT_FALSE(is_tap({"tun", ARPHRD_ETHER, false, false, true, 2}));
  EXPECT_FALSE(is_tap({"tun", ARPHRD_NONE, false, false, false, 1}));
}

/// A card eth0 (2) that leads out, and what stands beside it.
struct Links : test::FakeKernel {
  Links() {
    links.push_back({.index = 2, .name = "eth0", .parent_device = "0000:03:00.0"});
    addresses.push_back({.link = 2, .ip = "192.168.77.10", .prefix = 24});
    way("0.0.0.0/0", 2);
  }

  void link(int index, const std::string& kind, const std::string& address = {},
            const std::string& peer = {}) {
    const bool tap = kind == "tap";
    const bool ethernet = tap || kind == "bridge" || kind == "dummy" || kind == "veth";
    links.push_back({.index = index,
                     .name = kind + std::to_string(index),
                     .kind = tap             ? "tun"
                             : kind == "raw" ? ""
                                             : kind,
                     .hardware = static_cast<std::uint16_t>(ethernet        ? ARPHRD_ETHER
                                                            : kind == "ppp" ? ARPHRD_PPP
                                                                            : ARPHRD_RAWIP),
                     .tun_type = tap             ? 2
                                 : kind == "tun" ? 1
                                                 : 0});
    if (address.empty()) return;
    const int prefix = address.contains(':') ? 64 : 24;
    addresses.push_back({.link = index, .ip = address, .prefix = prefix, .peer = peer});
  }

  void way(const std::string& to, int over, std::uint8_t protocol = 4, std::uint32_t table = 254) {
    routes.push_back({.destination = to,
                      .link = over,
                      .gateway = over == 2 ? "192.168.77.1" : "",
                      .table = table,
                      .protocol = protocol});
  }

  std::string role(int index) {
    return std::string(name(roles_of(snapshot().value(), {}).at(index)));
  }
};

TEST(Roles, OfWhatIsNoTunnel) {
  Links kernel;
  kernel.link(3, "bridge", "172.17.0.1");
  kernel.link(4, "dummy");
  EXPECT_EQ(kernel.role(1), "sink");
  EXPECT_EQ(kernel.role(2), "uplink");
  EXPECT_EQ(kernel.role(3), "virtual");
  EXPECT_EQ(kernel.role(4), "sink");
  kernel.way("45.0.0.0/8", 3);
  EXPECT_EQ(kernel.role(3), "uplink");
  kernel.routes.back().destination = "10.0.0.0/8";
  EXPECT_EQ(kernel.role(3), "virtual") << "a way to private networks only";
}

TEST(Roles, SitAndIp6tnlAreAccess) {
  for (const auto* kind : {"sit", "ip6tnl"}) {
    Links kernel;
    kernel.link(5, kind, "10.1.1.1");
    kernel.way("0.0.0.0/1", 5);
    kernel.way("128.0.0.0/1", 5);
    EXPECT_EQ(kernel.role(5), "uplink") << kind;
  }
}

TEST(Roles, IpipAndGreAreAccessByEvidence) {
  for (const auto* kind : {"ipip", "gre"}) {
    Links kernel;
    kernel.link(5, kind, "10.1.1.1");
    kernel.way("0.0.0.0/1", 5);
    EXPECT_EQ(kernel.role(5), "vpn") << kind << ": another way is overridden";
    kernel.addresses.back().ip = "45.1.1.1";
    EXPECT_EQ(kernel.role(5), "uplink") << kind << ": it bears a public address";
    kernel.addresses.back().ip = "10.1.1.1";
    std::erase_if(kernel.routes, [](const auto& route) { return route.link == 2; });
    EXPECT_EQ(kernel.role(5), "uplink") << kind << ": there is no other way";
  }
}

TEST(Roles, DialledLinesAreVpnsByAnUnderlay) {
  for (const auto* kind : {"ppp", "raw"}) {
    Links kernel;
    kernel.link(5, kind, "10.1.1.1");
    kernel.way("0.0.0.0/0", 5);
    EXPECT_EQ(kernel.role(5), "uplink") << kind;
    kernel.way("44.2.2.2/32", 2);
    EXPECT_EQ(kernel.role(5), "vpn") << kind << ": a host route to its far end";
    kernel.routes.back().protocol = 16;
    EXPECT_EQ(kernel.role(5), "uplink") << kind << ": DHCP told of that host";
    kernel.routes.back() = {.destination = "192.168.77.1/32", .link = 2};
    EXPECT_EQ(kernel.role(5), "uplink") << kind << ": that is the router itself";
    kernel.routes.back() = {.destination = "128.0.0.0/1", .link = 5};
    EXPECT_EQ(kernel.role(5), "vpn") << kind << ": half-default routes override the card's";
  }
}

// The far ends of other VPNs are not this one's.
TEST(Roles, AnotherVpnsServerIsNoUnderlay) {
  Links kernel;
  kernel.link(5, "ppp", "10.1.1.1");
  kernel.link(6, "wireguard", "10.9.0.2");
  kernel.way("0.0.0.0/0", 5);
  kernel.way("0.0.0.0/0", 6, 4, 51820);
  kernel.way("44.2.2.2/32", 2);
  EXPECT_EQ(kernel.role(5), "uplink");
  kernel.way("44.3.3.3/32", 2);
  EXPECT_EQ(kernel.role(5), "vpn");
}

TEST(Roles, APublicAddressAndAPrivateFarEndAreAccess) {
  Links kernel;
  kernel.link(5, "ppp", "45.1.1.1");
  kernel.way("0.0.0.0/0", 5);
  kernel.way("10.250.0.1/32", 2);
  EXPECT_EQ(kernel.role(5), "uplink") << "a provider's L2TP";
  kernel.addresses.back().ip = "10.1.1.1";
  EXPECT_EQ(kernel.role(5), "vpn");
  kernel.addresses.back().ip = "45.1.1.1";
  kernel.routes.back().destination = "44.2.2.2/32";
  EXPECT_EQ(kernel.role(5), "vpn") << "a far end in the internet";
}

TEST(Roles, ClatBearsAnAddressOfItsOwnBlock) {
  for (const auto& [address, expected] :
       {std::pair{"192.0.0.1", "clat"}, {"192.0.0.7", "clat"}, {"192.0.0.8", "vpn"}}) {
    Links kernel;
    kernel.link(5, "tun", address);
    kernel.way("0.0.0.0/1", 5);
    EXPECT_EQ(kernel.role(5), expected) << address;
  }
}

TEST(Roles, TunAndItsKinAreVpnsOrMeshes) {
  for (const auto* kind : {"tun", "wireguard", "ovpn", "xfrm", "vti"}) {
    Links kernel;
    kernel.link(5, kind, "100.64.1.2");
    EXPECT_EQ(kernel.role(5), "mesh") << kind;
    kernel.way("100.64.0.0/10", 5);
    EXPECT_EQ(kernel.role(5), "mesh") << kind;
    kernel.way("45.0.0.0/24", 5, 4, 77);
    EXPECT_EQ(kernel.role(5), "vpn") << kind << ", in whatever table";
  }
}

TEST(Roles, ATapIsAVpnByItsRouter) {
  Links kernel;
  kernel.link(5, "tap", "10.8.0.2");
  EXPECT_EQ(kernel.role(5), "virtual");
  kernel.way("0.0.0.0/1", 5);
  EXPECT_EQ(kernel.role(5), "vpn");
}

/// Nothing but tunnels leads out.
struct TunnelsOnly : Links {
  TunnelsOnly() {
    links.pop_back();
    addresses.pop_back();
    routes.clear();
  }
};

TEST(Lowest, ALoneTunnelInAContainerIsItsUplink) {
  TunnelsOnly kernel;
  kernel.link(5, "tun", "10.0.2.100");
  kernel.way("0.0.0.0/0", 5);
  EXPECT_EQ(kernel.role(5), "uplink");
  kernel.link(2, "veth", "192.168.77.10");
  EXPECT_EQ(kernel.role(5), "vpn") << "it outlived the card's routes";
}

TEST(Lowest, IsTheOneThatCarriesTheOthers) {
  TunnelsOnly kernel;
  kernel.link(5, "wireguard", "10.1.1.1");
  kernel.link(6, "wireguard", "10.2.2.2");
  kernel.way("0.0.0.0/0", 6);
  kernel.way("0.0.0.0/0", 5, 4, 51820);
  EXPECT_EQ(kernel.role(6), "uplink") << "its default stands in the main table";
  kernel.way("44.2.2.2/32", 5);
  EXPECT_EQ(kernel.role(5), "uplink") << "a host route";
  EXPECT_EQ(kernel.role(6), "vpn");
}

TEST(Lowest, IsTheOneWhoseDefaultIsOverridden) {
  TunnelsOnly kernel;
  kernel.link(5, "tun", "10.1.1.1");
  kernel.link(6, "tun", "10.2.2.2");
  kernel.way("0.0.0.0/0", 5);
  kernel.way("0.0.0.0/1", 6);
  kernel.way("128.0.0.0/1", 6);
  EXPECT_EQ(kernel.role(5), "uplink");
  EXPECT_EQ(kernel.role(6), "vpn");
  kernel.routes = {{.destination = "0.0.0.0/0", .link = 5},
                   {.destination = "0.0.0.0/0", .link = 6}};
  kernel.routes.back().metric = 50;
  EXPECT_EQ(kernel.role(6), "uplink") << "the larger metric";
  kernel.routes.back().metric = 0;
  EXPECT_EQ(kernel.role(5), "vpn") << "two that are as low";
  EXPECT_EQ(kernel.role(6), "vpn");
}

TEST(NamedRoles, AreByNameOrItsBeginning) {
  Links kernel;
  kernel.link(5, "wireguard");
  const Snapshot snapshot = kernel.snapshot().value();
  const auto role = [&](const std::string& pattern) {
    return roles_of(snapshot, {{pattern, Role::vpn}}).at(5);
  };
  EXPECT_EQ(role("wireguard5"), Role::vpn);
  EXPECT_EQ(role("wire*"), Role::vpn);
  EXPECT_EQ(role("*"), Role::vpn);
  EXPECT_EQ(role("wireguard"), Role::mesh);
  EXPECT_EQ(role("guard*"), Role::mesh);
}

TEST(NamedRoles, AreTheWordsOfTheSettings) {
  for (const Role role :
       {Role::uplink, Role::vpn, Role::mesh, Role::clat, Role::sink, Role::virtual_link}) {
    EXPECT_EQ(parse_role(name(role)), role);
  }
  EXPECT_EQ(parse_role("virtual"), Role::virtual_link);
  EXPECT_FALSE(parse_role("tunnel"));
}

}  // namespace
}  // namespace icelock::net
