// SPDX-License-Identifier: Apache-2.0
// Every reason that the network gives, with its words and values.
#include "guard/explain.h"

#include <gmock/gmock.h>

#include "../shared/networks.h"

namespace icelock::guard {
namespace {

using namespace test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Args = std::map<std::string, std::string>;

net::Prefix block(const char* base, int length) {
  return {ip(base), static_cast<std::uint8_t>(length)};
}

std::vector<std::string> codes_of(const net::Network& network, const Settings& settings = {}) {
  std::vector<std::string> codes;
  for (const Reason& reason : explain(network, settings)) codes.push_back(reason.code);
  return codes;
}

/// The one reason of this code.
Reason said(const std::string& code, const net::Network& network, const Settings& settings = {}) {
  std::vector<Reason> found = explain(network, settings);
  std::erase_if(found, [&](const Reason& reason) { return reason.code != code; });
  return found.size() == 1 ? found.front() : Reason{};
}

net::Network excluding(std::vector<net::Prefix> blocks, const char* link = "enp3s0") {
  net::Network network = vpn_both_families();
  network.ipv4.excluded_routes = true;
  network.ipv4.excluded = std::move(blocks);
  network.ipv4.excluded_link = link;
  return network;
}

TEST(Explain, WithoutAVpn) {
  EXPECT_EQ(explain(no_vpn(), {}), std::vector{reason("no_tunnel", "No VPN carries web traffic.")});
  EXPECT_EQ(
      explain(split_tunnel(), {}),
      std::vector{reason("split_tunnel", "VPN tun0 is up, but the web's traffic goes beside it.",
                         {{"tunnel", "tun0"}})});
  EXPECT_EQ(explain(kill_switch(), {}),
            std::vector{reason("blocked", "A kill switch refuses web traffic.")});
}

TEST(Explain, AMarkLeadsIntoOneTunnelOfTwo) {
  net::Network network = split_tunnel();
  network.tunnels.push_back({"wg0", "wireguard", net::Coverage::split, net::Coverage::none});
  network.ipv4.marked_into = "wg0";
  EXPECT_THAT(codes_of(network), ElementsAre("split_tunnel", "marked_into_tunnel"));
  const Reason reason = said("marked_into_tunnel", network);
  EXPECT_EQ(reason.args, (Args{{"tunnel", "wg0"}}));
  EXPECT_THAT(reason.text, HasSubstr("VPN wg0 by a firewall mark"));
  network.ipv4.marked_into.clear();
  network.ipv6.marked_into = "tun0";
  EXPECT_THAT(codes_of(network), ElementsAre("marked_into_tunnel", "split_tunnel"));
}

TEST(Explain, AFullTunnel) {
  EXPECT_EQ(explain(vpn_both_families(), {}),
            std::vector{
                reason("full_tunnel", "VPN tun0 carries all web traffic.", {{"tunnel", "tun0"}})});
  EXPECT_THAT(codes_of(policy_ipsec()), ElementsAre("full_tunnel"));
  for (const bool ipv4 : {false, true}) {
    net::Network network = vpn_both_families();
    (ipv4 ? network.ipv4 : network.ipv6).marked_beside = true;
    EXPECT_THAT(codes_of(network), ElementsAre("full_tunnel_unmarked"));
    EXPECT_EQ(said("full_tunnel_unmarked", network).args, (Args{{"tunnel", "tun0"}}));
  }
}

TEST(Explain, AFamilyOutside) {
  const net::Network network = vpn_ipv4_only();
  EXPECT_THAT(codes_of(network),
              ElementsAre("ipv6_outside_tunnel", "may_accept_isp_v6", "http_shows_too"));
  EXPECT_EQ(said("ipv6_outside_tunnel", network).args,
            (Args{{"tunnel", "tun0"}, {"link", "enp3s0"}}));
  EXPECT_EQ(said("http_shows_too", network).args, (Args{{"link", "enp3s0"}}));
  EXPECT_THAT(said("may_accept_isp_v6", network).text, HasSubstr(R"("accept": ["isp_v6"])"));

  net::Network other = vpn_both_families();
  other.ipv4 = family(net::Verdict::direct, "enp3s0", "192.168.77.10");
  EXPECT_THAT(codes_of(other), ElementsAre("ipv4_outside_tunnel", "http_shows_too"));
  EXPECT_EQ(said("ipv4_outside_tunnel", other).text, "VPN tun0 carries no IPv4; enp3s0 routes it.");
}

TEST(Explain, AnAcceptedFamilyIsToldAsSuch) {
  Settings settings;
  settings.protection.accept_isp_v6 = true;
  EXPECT_THAT(codes_of(vpn_ipv4_only(), settings),
              ElementsAre("ipv6_outside_tunnel", "isp_v6_accepted"));
  EXPECT_EQ(said("isp_v6_accepted", vpn_ipv4_only(), settings).args, (Args{{"link", "enp3s0"}}));
  net::Network ipv4_outside = vpn_both_families();
  ipv4_outside.ipv4 = family(net::Verdict::direct, "enp3s0", "192.168.77.10");
  EXPECT_THAT(codes_of(ipv4_outside, settings),
              ElementsAre("ipv4_outside_tunnel", "http_shows_too"));
}

// What a person may not do is not proposed.
TEST(Explain, ProposesAcceptingToWhoMay) {
  Settings fixed;
  fixed.accept_fixed = true;
  Settings floored;
  floored.floor = Level::default_route_only;
  Settings kept;
  kept.modes = {Mode::automatic, Mode::locked};
  for (const Settings& settings : {fixed, floored, kept}) {
    EXPECT_THAT(codes_of(vpn_ipv4_only(), settings),
                ElementsAre("ipv6_outside_tunnel", "http_shows_too"));
  }
}

TEST(Explain, APartOutside) {
  net::Network network = vpn_on_ipv4_machine();
  network.ipv4.verdict = net::Verdict::partial;
  network.ipv4.link = "enp3s0";
  EXPECT_EQ(
      explain(network, {}),
      std::vector{reason("partial_tunnel", "Some IPv4 traffic leaves the VPN aside, over enp3s0.",
                         {{"tunnel", "tun0"}, {"link", "enp3s0"}})});
  network.ipv4.link.clear();
  EXPECT_EQ(explain(network, {}),
            std::vector{reason("partial_tunnel", "Some IPv4 traffic leaves the VPN aside.")});
}

TEST(Explain, DatagramsOutside) {
  net::Network network = vpn_both_families();
  network.ipv6.datagrams_link = "enp3s0";
  network.ipv6.excluded_routes = true;
  EXPECT_THAT(codes_of(network), ElementsAre("udp_outside_tunnel"));
  const Reason reason = said("udp_outside_tunnel", network);
  EXPECT_EQ(reason.args, (Args{{"tunnel", "tun0"}, {"link", "enp3s0"}}));
  EXPECT_THAT(reason.text, HasSubstr("leaves it aside, over enp3s0"));
}

TEST(Explain, NamesThreeBlocksAtMostTheWidestFirst) {
  net::Network network = excluding({block("45.0.0.1", 32)});
  EXPECT_EQ(said("excluded_routes", network).args,
            (Args{{"tunnel", "tun0"}, {"example", "45.0.0.1 over enp3s0"}}));
  EXPECT_EQ(
      said("excluded_routes", network).text,
      "VPN tun0 is up, but these public IPv4 addresses leave it aside: 45.0.0.1 over enp3s0.");
  network = excluding({block("45.0.0.0", 24), block("46.0.0.0", 8), block("47.0.0.0", 16)});
  EXPECT_EQ(said("excluded_routes", network).args.at("example"),
            "46.0.0.0/8, 47.0.0.0/16, 45.0.0.0/24 over enp3s0");
  network.ipv4.excluded.push_back(block("44.0.0.0", 24));
  network.ipv4.excluded.push_back(block("48.0.0.0", 32));
  EXPECT_EQ(said("excluded_routes", network).args.at("example"),
            "46.0.0.0/8, 47.0.0.0/16, 45.0.0.0/24 +2 over enp3s0");
  network.ipv4.excluded_link.clear();
  EXPECT_EQ(said("excluded_routes", network).args.at("example"),
            "46.0.0.0/8, 47.0.0.0/16, 45.0.0.0/24 +2");
}

TEST(Explain, NamesTheServiceThatAllOfItBelongsTo) {
  net::Network network = excluding({block("52.112.0.0", 14), block("52.120.4.0", 24)});
  EXPECT_THAT(codes_of(network), ElementsAre("excluded_routes", "excluded_service"));
  const Reason reason = said("excluded_service", network);
  EXPECT_EQ(reason.args,
            (Args{{"service", "Microsoft Teams"}, {"pattern", "https://teams.microsoft.com"}}));
  EXPECT_THAT(reason.text, HasSubstr("`icelock allow https://teams.microsoft.com`"));

  Settings settings;
  settings.floor = Level::default_route_only;
  EXPECT_EQ(said("excluded_service", network, settings), reason);
  settings.floor = Level::force_proxy;
  EXPECT_THAT(codes_of(network, settings), ElementsAre("excluded_routes"))
      << "an exception would not be let through";
  network.ipv4.excluded.push_back(block("45.0.0.0", 24));
  EXPECT_THAT(codes_of(network), ElementsAre("excluded_routes")) << "one that is not theirs";
  EXPECT_THAT(codes_of(excluding({block("52.112.0.0", 13)})), ElementsAre("excluded_routes"))
      << "more than theirs";
}

TEST(Explain, WhatIsNotKnown) {
  net::Network network = excluding({block("45.0.0.0", 24)}, "");
  network.ipv4.unknown_ways = true;
  network.ipv4.disputed = block("45.0.0.1", 32);
  EXPECT_THAT(codes_of(network), ElementsAre("excluded_routes", "ways_unknown", "ways_disputed"));
  EXPECT_EQ(said("ways_disputed", network).args, (Args{{"example", "45.0.0.1"}}));
  EXPECT_THAT(said("ways_disputed", network).text, HasSubstr("the stricter counts"));
  EXPECT_THAT(said("ways_unknown", network).text, HasSubstr("it counts as outside the VPN"));
}

TEST(Explain, NeighboursBesideWhateverElseIsSaid) {
  net::Network network = vpn_both_families();
  network.ipv4.neighbours = {block("45.0.0.0", 24)};
  network.ipv4.neighbours_link = "enp3s0";
  EXPECT_THAT(codes_of(network), ElementsAre("full_tunnel", "neighbours_outside_tunnel"));
  EXPECT_EQ(said("neighbours_outside_tunnel", network).args,
            (Args{{"link", "enp3s0"}, {"example", "45.0.0.0/24"}}));
  network.ipv6.neighbours = {block("2a0e:77::", 56)};
  network.ipv6.neighbours_link = "enp3s0";
  EXPECT_EQ(codes_of(network).size(), 3U);
}

TEST(Protects, VpnsAndClosedKillSwitches) {
  using enum net::Verdict;
  struct Case {
    net::Verdict ipv4;
    net::Verdict ipv6;
    bool expected;
  };
  for (const auto& [ipv4, ipv6, expected] :
       {Case{direct, direct, false}, Case{none, none, false}, Case{tunnel, direct, true},
        Case{direct, ipsec, true}, Case{partial, none, true}, Case{blocked, direct, true},
        Case{direct, blocked, false}, Case{none, blocked, true}, Case{blocked, blocked, true}}) {
    net::Network network;
    network.ipv4.verdict = ipv4;
    network.ipv6.verdict = ipv6;
    EXPECT_EQ(protects(network), expected) << net::name(ipv4) << " " << net::name(ipv6);
  }
}

}  // namespace
}  // namespace icelock::guard
