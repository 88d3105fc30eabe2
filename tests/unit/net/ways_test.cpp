// SPDX-License-Identifier: Apache-2.0
// One rule or route after another, from the kernel's message to the way of a packet.
#include "net/ways.h"

#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "fake_kernel.h"

namespace icelock::net {
namespace {

using test::FakeKernel;
using test::RouteSpec;
using test::RuleSpec;

constexpr std::uint32_t others = 52;  ///< the table that leads into tun0

/// enp3s0 (2) has the default routes of the main table, tun0 (5) those of table 52.
struct TwoTables : FakeKernel {
  TwoTables() {
    links.push_back({.index = 2, .name = "enp3s0"});
    links.push_back({.index = 5, .name = "tun0", .kind = "tun", .hardware = 0xFFFE, .tun_type = 1});
    add(RouteSpec{.destination = "0.0.0.0/0", .link = 2, .gateway = "192.168.77.1"});
    add(RouteSpec{.destination = "::/0", .link = 2, .gateway = "fe80::1"});
    add(RouteSpec{.destination = "0.0.0.0/0", .link = 5, .table = others});
    add(RouteSpec{.destination = "::/0", .link = 5, .table = others});
  }
};

/// What a packet looks like: TCP to 45.0.0.1:443 of user 1000, but for what is told.
struct Packet {
  std::string to = "45.0.0.1";
  std::array<std::uint32_t, axes> traffic = {tcp, 40000, 443, 1000, 0};
  std::uint32_t mark = 0;
  std::string from{};

  Packet with(Axis axis, std::uint32_t value) const {
    Packet other = *this;
    other.traffic[axis] = value;
    return other;
  }
};

std::string way(const FakeKernel& kernel, const Packet& packet = {}) {
  Routing routing = kernel.routing();
  Packets packets;
  const Ip to = parse_ip(packet.to).value();
  packets.family = to.family;
  Traffic& traffic = packets.traffic.emplace_back();
  for (std::size_t axis = 0; axis < axes; ++axis) {
    traffic[axis] = {packet.traffic[axis], packet.traffic[axis]};
  }
  packets.mark = packet.mark;
  if (!packet.from.empty()) packets.from = parse_ip(packet.from);
  const auto ways = ways_of(routing, packets);
  if (!ways) return "?";
  const auto& shares = ways->shares[value_at(ways->to, position(to))];
  if (shares.size() != 1) return "?";
  const Fate& fate = routing.fates[shares.front().fate];
  constexpr std::string_view courses[] = {"undecided", "none",       "refused", "local",
                                          "unknown",   "neighbours", ""};
  std::string text(courses[static_cast<std::size_t>(fate.course)]);
  for (const int index : fate.links) {
    const auto link = std::ranges::find(kernel.links, index, &test::LinkSpec::index);
    text += (text.empty() ? "" : " ") + link->name;
  }
  return text;
}

TEST(Selectors, EachAloneAndInverted) {
  struct Case {
    const char* name;
    RuleSpec rule;
    Packet selected;
    Packet other;
  };
  const Packet plain;
  const Packet ipv6{.to = "2a0e:45::1"};
  const Case cases[] = {
      {"protocol", {.protocol = 6}, plain, plain.with(protocol, udp)},
      {"first source port",
       {.source_ports = {{5000, 6000}}},
       plain.with(source_port, 5000),
       plain.with(source_port, 4999)},
      {"last source port",
       {.source_ports = {{5000, 6000}}},
       plain.with(source_port, 6000),
       plain.with(source_port, 6001)},
      {"port", {.destination_ports = {{443, 443}}}, plain, plain.with(destination_port, 444)},
      {"user", {.uids = {{1000, 1000}}}, plain, plain.with(user, 1001)},
      {"dscp", {.dscp = 46}, plain.with(dscp, swap_dscp(46)), plain},
      {"dscp 0", {.dscp = 0}, plain, plain.with(dscp, swap_dscp(46))},
      {"tos", {.tos = 0x10}, plain.with(dscp, swap_dscp(4)), plain},
      {"mark", {.fwmark = 7}, {.mark = 7}, {.mark = 8}},
      {"no mark", {.fwmark = 7}, {.mark = 7}, plain},
      {"masked mark", {.fwmark = 0x10, .mask = 0xf0}, {.mark = 0x1f}, {.mark = 0x2f}},
      {"unmarked", {.mask = 0xf0}, {.mark = 0x0f}, {.mark = 0x10}},
      {"to", {.to = "45.0.0.0/8"}, plain, {.to = "46.0.0.1"}},
      {"to in IPv6", {.family = Family::ipv6, .to = "2a0e:45::/32"}, ipv6, {.to = "2a0e:46::1"}},
      {"from", {.from = "10.0.0.0/8"}, {.from = "10.1.1.1"}, {.from = "11.1.1.1"}},
      {"from, not chosen yet", {.from = "10.0.0.0/8"}, {.from = "10.1.1.1"}, plain},
      {"from what is not chosen yet", {.from = "0.0.0.0/8"}, plain, {.from = "10.1.1.1"}},
      {"from in IPv6, not chosen yet",
       {.family = Family::ipv6, .from = "::/16"},
       {.to = "2a0e:45::1", .from = "::1"},
       ipv6},
      {"several",
       {.protocol = 6, .destination_ports = {{443, 443}}, .to = "45.0.0.0/8"},
       plain,
       {.to = "46.0.0.1"}},
  };
  for (const Case& one : cases) {
    TwoTables kernel;
    RuleSpec rule = one.rule;
    rule.priority = 10;
    rule.table = others;
    kernel.add(rule);
    EXPECT_EQ(way(kernel, one.selected), "tun0") << one.name;
    EXPECT_EQ(way(kernel, one.other), "enp3s0") << one.name;
    kernel.rules.back().inverted = true;
    EXPECT_EQ(way(kernel, one.selected), "enp3s0") << one.name << ", inverted";
    EXPECT_EQ(way(kernel, one.other), "tun0") << one.name << ", inverted";
  }
}

// A program without privileges comes in by no link, and chooses none.
TEST(Selectors, OfOtherThanOursNeverHold) {
  for (const RuleSpec& rule :
       {RuleSpec{.in = "eth7"}, RuleSpec{.out = "eth7"}, RuleSpec{.vrf = true}}) {
    TwoTables kernel;
    kernel.add(rule);
    kernel.rules.back().priority = 10;
    kernel.rules.back().table = others;
    EXPECT_EQ(way(kernel), "enp3s0");
    kernel.rules.back().inverted = true;
    EXPECT_EQ(way(kernel), "tun0");
  }
  TwoTables kernel;
  kernel.add(RuleSpec{.priority = 10, .table = others, .in = "lo"});
  EXPECT_EQ(way(kernel), "tun0") << "what this machine sends";
}

TEST(Selectors, ThatAreNotKnownAreNotGuessed) {
  TwoTables kernel;
  kernel.add(RuleSpec{.priority = 10, .table = others, .another = 77});
  EXPECT_EQ(way(kernel), "unknown");
  kernel.rules.back().inverted = true;
  EXPECT_EQ(way(kernel), "unknown");
  kernel.rules.back().to = "46.0.0.0/8";
  EXPECT_EQ(way(kernel), "unknown") << "it may hold for all but those";
  kernel.rules.back().inverted = false;
  EXPECT_EQ(way(kernel), "enp3s0") << "it is for others at most";
  kernel.rules.back() = {.priority = 10, .action = FR_ACT_NOP, .another = 77};
  EXPECT_EQ(way(kernel), "enp3s0") << "whether or not it holds";
  kernel.rules.back() = {.priority = 10, .table = others, .action = 99};
  EXPECT_EQ(way(kernel), "unknown");
}

TEST(Actions, Refuse) {
  for (const int action : {FR_ACT_BLACKHOLE, FR_ACT_UNREACHABLE, FR_ACT_PROHIBIT}) {
    TwoTables kernel;
    kernel.add(
        RuleSpec{.priority = 10, .action = static_cast<std::uint8_t>(action), .to = "45.0.0.0/8"});
    EXPECT_EQ(way(kernel), "refused") << action;
    EXPECT_EQ(way(kernel, {.to = "46.0.0.1"}), "enp3s0") << action;
  }
}

RuleSpec jump(std::uint32_t priority, std::uint32_t target, const std::string& to = {}) {
  return {.priority = priority, .action = FR_ACT_GOTO, .target = target, .to = to};
}

TEST(Goto, PassesOverWhatIsBetween) {
  TwoTables kernel;
  kernel.add(jump(10, 200, "45.0.0.0/8"));
  kernel.add(RuleSpec{.priority = 150, .table = others});
  kernel.add(RuleSpec{.priority = 200, .action = FR_ACT_PROHIBIT});
  EXPECT_EQ(way(kernel), "refused");
  EXPECT_EQ(way(kernel, {.to = "46.0.0.1"}), "tun0");
}

TEST(Goto, Nests) {
  TwoTables kernel;
  kernel.add(jump(10, 100, "45.0.0.0/8"));
  kernel.add(RuleSpec{.priority = 50, .action = FR_ACT_PROHIBIT, .to = "45.0.0.0/8"});
  kernel.add(jump(100, 200, "45.1.0.0/16"));
  kernel.add(RuleSpec{.priority = 150, .table = others, .to = "45.0.0.0/8"});
  kernel.add(RuleSpec{.priority = 200, .action = FR_ACT_NOP});
  EXPECT_EQ(way(kernel, {.to = "45.0.0.1"}), "tun0") << "one jump";
  EXPECT_EQ(way(kernel, {.to = "45.1.0.1"}), "enp3s0") << "two";
  kernel.add(RuleSpec{.priority = 250, .action = FR_ACT_UNREACHABLE, .to = "45.1.0.0/17"});
  EXPECT_EQ(way(kernel, {.to = "45.1.0.1"}), "refused");
}

TEST(Goto, WithoutItsTargetIsPassedOver) {
  TwoTables kernel;
  kernel.add(jump(10, 40000));
  kernel.add(RuleSpec{.priority = 150, .table = others});
  EXPECT_EQ(way(kernel), "tun0");
  kernel.rules[kernel.rules.size() - 2] = jump(10, 149);
  EXPECT_EQ(way(kernel), "tun0") << "the next one has another number";
}

TEST(Suppress, ByLengthAndByGroup) {
  TwoTables kernel;
  kernel.add(RouteSpec{.destination = "45.0.0.0/24", .link = 2, .gateway = "192.168.77.1"});
  kernel.add(RuleSpec{.priority = 10, .table = 254, .suppress_prefix = 0});
  kernel.add(RuleSpec{.priority = 20, .table = others});
  EXPECT_EQ(way(kernel, {.to = "45.0.0.1"}), "enp3s0");
  EXPECT_EQ(way(kernel, {.to = "45.0.1.1"}), "tun0");
  kernel.rules[kernel.rules.size() - 2].suppress_prefix = 24;
  EXPECT_EQ(way(kernel, {.to = "45.0.0.1"}), "tun0");
  kernel.rules[kernel.rules.size() - 2].suppress_prefix = -1;
  kernel.rules[kernel.rules.size() - 2].suppress_group = 9;
  EXPECT_EQ(way(kernel, {.to = "45.0.0.1"}), "enp3s0");
  kernel.links[1].group = 9;
  EXPECT_EQ(way(kernel, {.to = "45.0.0.1"}), "tun0");
  // A route that refuses is an answer at once (fib_rules_lookup).
  kernel.routes[4] = {.destination = "45.0.0.0/24", .type = RTN_PROHIBIT};
  kernel.rules[kernel.rules.size() - 2].suppress_prefix = 24;
  EXPECT_EQ(way(kernel, {.to = "45.0.0.1"}), "refused");
}

TEST(Routes, TheLongestThenTheLeastMetric) {
  TwoTables kernel;
  kernel.add(RouteSpec{.destination = "45.0.0.0/8", .link = 5});
  kernel.add(
      RouteSpec{.destination = "45.0.0.0/16", .link = 2, .gateway = "192.168.77.1", .metric = 9});
  kernel.add(RouteSpec{.destination = "45.0.0.0/24", .type = RTN_UNREACHABLE});
  EXPECT_EQ(way(kernel, {.to = "45.0.0.255"}), "refused");
  EXPECT_EQ(way(kernel, {.to = "45.0.1.0"}), "enp3s0");
  EXPECT_EQ(way(kernel, {.to = "45.1.0.0"}), "tun0");
  EXPECT_EQ(way(kernel, {.to = "46.0.0.0"}), "enp3s0");
  kernel.add(RouteSpec{.destination = "45.0.0.0/16", .link = 5, .metric = 8});
  EXPECT_EQ(way(kernel, {.to = "45.0.1.0"}), "tun0");
  kernel.routes.back().metric = 9;
  EXPECT_EQ(way(kernel, {.to = "45.0.1.0"}), "enp3s0 tun0") << "the kernel may take either";
  kernel.routes.back().metric = 10;
  EXPECT_EQ(way(kernel, {.to = "45.0.1.0"}), "enp3s0");
  kernel.routes.back().tos = 0x10;
  EXPECT_EQ(way(kernel, {.to = "45.0.1.0"}), "enp3s0 tun0") << "some packets only";
}

TEST(Routes, ThrowSendsTheSearchOn) {
  TwoTables kernel;
  kernel.add(RuleSpec{.priority = 10, .table = others});
  kernel.add(RouteSpec{.destination = "45.0.0.0/8", .table = others, .type = RTN_THROW});
  EXPECT_EQ(way(kernel), "enp3s0");
  EXPECT_EQ(way(kernel, {.to = "46.0.0.1"}), "tun0");
}

TEST(Routes, OfEachType) {
  struct Case {
    int type;
    const char* expected;
  };
  for (const auto& [type, expected] :
       {Case{RTN_UNREACHABLE, "refused"}, Case{RTN_PROHIBIT, "refused"},
        Case{RTN_BLACKHOLE, "refused"}, Case{RTN_LOCAL, "local"}, Case{RTN_BROADCAST, "local"},
        Case{RTN_MULTICAST, "local"}, Case{RTN_NAT, "unknown"}, Case{99, "unknown"}}) {
    TwoTables kernel;
    kernel.add(RouteSpec{
        .destination = "45.0.0.0/24", .link = 2, .type = static_cast<std::uint8_t>(type)});
    EXPECT_EQ(way(kernel), expected) << type;
  }
}

TEST(Routes, OverADeadLinkArePassedOver) {
  TwoTables kernel;
  kernel.add(RouteSpec{.destination = "45.0.0.0/24", .link = 5, .flags = RTNH_F_DEAD});
  EXPECT_EQ(way(kernel), "enp3s0");
  kernel.routes.back().flags = RTNH_F_LINKDOWN;
  EXPECT_EQ(way(kernel), "tun0");
}

TEST(Routes, NobodysTableHasNone) {
  TwoTables kernel;
  kernel.add(RuleSpec{.priority = 10, .table = 77});
  EXPECT_EQ(way(kernel), "enp3s0");
  kernel.rules.clear();
  EXPECT_EQ(way(kernel), "none");
}

TEST(Sets, AreSplitWhereARuleHoldsForAPart) {
  TwoTables kernel;
  kernel.add(RuleSpec{.priority = 10, .table = others, .destination_ports = {{1000, 1999}}});
  Routing routing = kernel.routing();
  Packets packets;
  packets.traffic.emplace_back()[destination_port] = {1, 65535};
  const auto ways = ways_of(routing, packets);
  ASSERT_TRUE(ways);
  ASSERT_EQ(ways->shares.size(), 1U) << "the same for every destination";
  std::uint64_t ports = 0;
  for (const auto& [traffic, fate] : ways->shares.front()) {
    const Range range = traffic[destination_port];
    ports += range.last - range.first + 1;
    const bool inside_range = range.first >= 1000 && range.last <= 1999;
    EXPECT_EQ(routing.fates[fate].links.front(), inside_range ? 5 : 2);
  }
  EXPECT_EQ(ports, 65535U) << "nothing is lost, and nothing is there twice";
}

TEST(Sets, TooManyCannotBeTold) {
  TwoTables kernel;
  for (std::uint32_t i = 0; i < 60; ++i) {
    const std::uint32_t first = i * 1000 + 100;
    kernel.add(RuleSpec{.priority = 10 + i, .table = others, .to = "46.0.0.0/8"});
    kernel.rules.back().source_ports = {{first, first + 10}};
    kernel.add(RuleSpec{.priority = 100 + i, .table = others, .to = "46.0.0.0/8"});
    kernel.rules.back().destination_ports = {{first, first + 10}};
    kernel.add(RuleSpec{.priority = 200 + i, .table = others, .to = "46.0.0.0/8"});
    kernel.rules.back().uids = {{first, first + 10}};
  }
  Routing routing = kernel.routing();
  Packets packets;
  Traffic& traffic = packets.traffic.emplace_back();
  traffic[protocol] = {udp, udp};
  EXPECT_FALSE(ways_of(routing, packets));
  traffic[source_port] = traffic[destination_port] = {5, 5};
  EXPECT_TRUE(ways_of(routing, packets));
}

TEST(Sets, Meet) {
  Traffic a;
  Traffic b;
  EXPECT_TRUE(both(a, b));
  a[user] = {5, 9};
  b[user] = {9, 12};
  ASSERT_TRUE(both(a, b));
  EXPECT_EQ((*both(a, b))[user], (Range{9, 9}));
  b[user] = {10, 12};
  EXPECT_FALSE(both(a, b));
}

}  // namespace
}  // namespace icelock::net
