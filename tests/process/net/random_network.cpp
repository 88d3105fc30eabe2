// SPDX-License-Identifier: Apache-2.0
#include "random_network.h"

#include <algorithm>
#include <array>

#include "net/blocks.h"

namespace icelock::net::test {
namespace {

struct Card {
  std::string name;
  std::array<std::string, 2> own;      ///< with its prefix length
  std::array<std::string, 2> gateway;  ///< beyond it
  bool tunnel = false;
};

const std::array<Card, 5>& cards() {
  static const std::array<Card, 5> all{{
      {"wan0", {"192.168.1.2/24", "2a0e:77:0:1::2/64"}, {"192.168.1.1", "2a0e:77:0:1::1"}},
      {"lan0", {"10.1.0.2/16", "fd00:1::2/64"}, {"10.1.7.1", "fd00:1::1"}},
      {"lan1", {"45.9.0.2/24", "2606:4700:9::2/48"}, {"45.9.0.1", "2606:4700:9:7::1"}},
      {"tun0", {"10.8.0.2/24", "fd00:8::2/64"}, {"10.8.0.1", "fd00:8::1"}, true},
      {"tun1", {"172.20.0.2/30", "2a02:6:1::2/127"}, {"172.20.0.1", "2a02:6:1::3"}, true},
  }};
  return all;
}

constexpr std::array tables = {"main", "100", "101", "102", "2000"};

std::string text(std::uint32_t number) {
  return std::to_string(number);
}

/// The rules and routes of one family.
class Draw {
 public:
  Draw(Dice& dice, Family family, bool all_users, Plan& plan)
      : dice_(dice), family_(family), all_users_(all_users), plan_(plan) {
    for (const Ip& own : own_addresses(family)) hot_.push_back(position(own));
    const std::string_view known[] = {"8.8.8.8", "45.9.0.200", "2606:4700:9::8", "2000::"};
    for (const std::string_view one : known) {
      if (const auto ip = parse_ip(one); ip && ip->family == family) hot_.push_back(position(*ip));
    }
    for (int i = 0; i < 3; ++i) {
      Position at{dice.number(), dice.number()};
      if (family == Family::ipv6) at.high = (at.high & (~0ULL >> 3U)) | (1ULL << 61U);
      hot_.push_back(at);
    }
  }

  void run() {
    draw_nexthops();
    for (std::uint32_t count = 5 + dice_.below(30); count > 0; --count) draw_route();
    if (dice_.chance(8)) {
      // As some VPN programs do, to hide the local table's routes behind rules of their own.
      add("rule add pref " + text(1 + dice_.below(20)) + " table local");
      add("rule del pref 0");
    }
    for (std::uint32_t count = dice_.below(13); count > 0; --count) draw_rule();
  }

 private:
  void add(std::string step) { plan_.steps.push_back({family_, std::move(step)}); }
  std::size_t side() const { return family_ == Family::ipv4 ? 0 : 1; }

  std::uint32_t draw_length() {
    static constexpr std::array ipv4 = {0, 0, 1, 1, 2, 3, 8, 12, 16, 20, 24, 24, 31, 32, 32};
    static constexpr std::array ipv6 = {0,  0,  1,  1,  3,  3,   16,  32,
                                        48, 56, 64, 64, 96, 127, 128, 128};
    const bool any = dice_.chance(20);
    if (family_ == Family::ipv4) {
      return any ? dice_.below(33) : static_cast<std::uint32_t>(dice_.pick(ipv4));
    }
    return any ? dice_.below(129) : static_cast<std::uint32_t>(dice_.pick(ipv6));
  }

  std::string draw_block() {
    const auto length = static_cast<std::uint8_t>(draw_length());
    Position at = dice_.pick(hot_);
    // A sibling: other values of the last bits of the prefix.
    if (dice_.chance(40) && length > 0) {
      const int shift = 64 - std::min<int>(length, 64);
      at.high ^= static_cast<std::uint64_t>(dice_.below(4)) << std::min(shift, 62);
    }
    return to_string(Prefix{ip_at(family_, first_of(at, length)), length});
  }

  std::string draw_hop() {
    const Card& card = dice_.pick(cards());
    std::string hop;
    if (dice_.chance(card.tunnel ? 30 : 75)) {
      const bool other = family_ == Family::ipv4 && dice_.chance(6);
      hop = "via " + (other ? "inet6 " + card.gateway[1] : card.gateway[side()]) + " ";
    }
    return hop + "dev " + card.name;
  }

  void draw_nexthops() {
    if (!dice_.chance(50)) return;
    const std::uint32_t base = family_ == Family::ipv4 ? 0 : 100;
    for (std::uint32_t id = 1; id <= 4; ++id) {
      add("nexthop add id " + text(base + id) + " " + draw_hop());
    }
    add("nexthop add id " + text(base + 5) + " blackhole");
    add("nexthop add id " + text(base + 11) + " group " + text(base + 1) + "/" + text(base + 2));
    add("nexthop add id " + text(base + 12) + " group " + text(base + 3));
    objects_ = {base + 1, base + 2, base + 3, base + 4, base + 5, base + 11, base + 12};
  }

  std::string draw_way() {
    const std::uint32_t kind = dice_.below(100);
    if (kind < 12) {
      std::string hops;
      for (std::uint32_t count = 2 + dice_.below(2); count > 0; --count) {
        hops += " nexthop " + draw_hop() + " weight " + text(1 + dice_.below(3));
      }
      return hops;
    }
    if (kind < 22 && !objects_.empty()) return " nhid " + text(dice_.pick(objects_));
    std::string way = " " + draw_hop();
    if (dice_.chance(8)) {
      const Card& card = dice_.pick(cards());
      way += " src " + card.own[side()].substr(0, card.own[side()].find('/'));
    }
    return way;
  }

  /// What transparent proxies make: addresses that are not this machine's and are taken for such.
  std::string draw_own_route() {
    static constexpr std::array ipv4 = {"local", "local", "broadcast", "multicast"};
    static constexpr std::array ipv6 = {"local", "local", "local", "anycast"};
    return std::string("route add ") + dice_.pick(family_ == Family::ipv4 ? ipv4 : ipv6) + " " +
           draw_block() + " dev " + (dice_.chance(60) ? "lo" : dice_.pick(cards()).name) +
           " table " + dice_.pick(tables);
  }

  void draw_route() {
    if (dice_.chance(4)) return add(draw_own_route());
    static constexpr std::array kinds = {"throw", "throw", "blackhole", "unreachable", "prohibit"};
    const bool refuses = dice_.chance(28);
    const bool second = plan_.odd && dice_.chance(15);
    std::string route = second ? "route append " : "route add ";
    if (refuses) route += dice_.pick(kinds) + std::string(" ");
    route += draw_block();
    if (plan_.odd && dice_.chance(20)) {
      static constexpr std::array services = {"0x04", "0x08", "0x10", "0x1c"};
      route += family_ == Family::ipv4 ? std::string(" tos ") + dice_.pick(services)
                                       : " from " + draw_block();
    }
    route += std::string(" table ") + dice_.pick(tables);
    if (dice_.chance(30)) route += " metric " + text(1 + dice_.below(3) * 50);
    static constexpr std::array writers = {" proto static", " proto dhcp", " proto kernel",
                                           " proto ra"};
    if (dice_.chance(30)) route += dice_.pick(writers);
    if (!refuses) route += draw_way();  // ip wants the hops of a multipath route last
    add(std::move(route));
  }

  std::string draw_source() {
    if (dice_.chance(25)) return draw_block();
    const Ip own = dice_.pick(own_addresses(family_));
    static constexpr std::array ipv4 = {32, 32, 24, 16, 8, 1, 0};
    static constexpr std::array ipv6 = {128, 128, 64, 48, 16, 1, 0};
    const auto length =
        static_cast<std::uint8_t>(dice_.pick(family_ == Family::ipv4 ? ipv4 : ipv6));
    return to_string(Prefix{ip_at(family_, first_of(position(own), length)), length});
  }

  std::string draw_ports() {
    static constexpr std::array known = {1U, 53U, 80U, 443U, 1024U, 3478U, 19302U, 65535U};
    const std::uint32_t first = dice_.pick(known);
    if (dice_.chance(50)) return text(first);
    return text(first) + "-" + text(std::min(65535U, first + dice_.below(3000)));
  }

  void draw_selectors(std::string& rule) {
    if (dice_.chance(12)) rule += " not";
    if (dice_.chance(22)) rule += " from " + draw_source();
    if (dice_.chance(25)) rule += " to " + draw_block();
    if (dice_.chance(15)) {
      static constexpr std::array masks = {"0xffffffff", "0x1", "0x11", "0xff", "0xffff0000"};
      rule += " fwmark " + text(dice_.pick(marks()));
      if (dice_.chance(60)) rule += std::string("/") + dice_.pick(masks);
    }
    if (dice_.chance(12)) {
      static constexpr std::array names = {"lo", "lo", "wan0", "tun0", "absent0"};
      rule += std::string(" iif ") + dice_.pick(names);
    }
    if (dice_.chance(5)) rule += std::string(" oif ") + dice_.pick(cards()).name;
    if (dice_.chance(2)) rule += " tun_id 7";
    if (dice_.chance(14)) {
      static constexpr std::array users = {"0-0", "0-999", "1000-1000", "1000-60000",
                                           "65534-65534"};
      rule += std::string(" uidrange ") + (all_users_ ? dice_.pick(users) : "0-0");
    }
    if (dice_.chance(15)) rule += dice_.chance(50) ? " ipproto tcp" : " ipproto udp";
    if (dice_.chance(8)) rule += " sport " + draw_ports();
    if (dice_.chance(14)) rule += " dport " + draw_ports();
    if (dice_.chance(8)) {
      static constexpr std::array services = {"0x04", "0x08", "0x10", "0x1c",
                                              "0x20", "0xb8", "0xfc"};
      rule += std::string(" dsfield ") + dice_.pick(services);
    }
  }

  void draw_rule() {
    std::string rule = "rule add";
    draw_selectors(rule);
    // Some behind that of the main table.
    const std::uint32_t priority = dice_.chance(8) ? 32766 + dice_.below(3) : 1 + dice_.below(40);
    rule += " pref " + text(priority);
    const std::uint32_t kind = dice_.below(100);
    if (kind < 15) {
      rule += " goto " + text(dice_.chance(5) ? 32766 : priority + 1 + dice_.below(15));
    } else if (kind < 20) {
      rule += " nop";
    } else if (kind < 30) {
      static constexpr std::array refusals = {" unreachable", " blackhole", " prohibit"};
      rule += dice_.pick(refusals);
    } else {
      rule += std::string(" lookup ") + (dice_.chance(5) ? "local" : dice_.pick(tables));
      if (dice_.chance(25))
        rule += " suppress_prefixlength " + text(dice_.chance(60) ? 0 : draw_length());
      if (dice_.chance(15)) rule += " suppress_ifgroup " + text(dice_.below(3));
    }
    add(std::move(rule));
  }

  Dice& dice_;
  Family family_;
  bool all_users_;
  Plan& plan_;
  std::vector<Position> hot_;  ///< where blocks are nested
  std::vector<std::uint32_t> objects_;
};

}  // namespace

std::vector<std::string> draw_links(Dice& dice) {
  std::vector<std::string> steps = {"link set lo up"};
  for (const Card& card : cards()) {
    if (card.tunnel) {
      steps.push_back("tun " + card.name);
    } else {
      steps.push_back("link add " + card.name + " type veth peer name far-" + card.name);
      steps.push_back("link set far-" + card.name + " addrgenmode none up");
    }
    steps.push_back("link set " + card.name + " addrgenmode none group " + text(dice.below(3)) +
                    " up");
    steps.push_back("addr add " + card.own[0] + " dev " + card.name);
    // The source of a packet is then one of two.
    if (dice.chance(20)) {
      steps.push_back("addr add 10.77." + text(dice.below(250)) + ".2/24 dev " + card.name);
    }
    steps.push_back("addr add " + card.own[1] + " dev " + card.name + " nodad");
  }
  return steps;
}

Plan draw_plan(Dice& dice, bool all_users) {
  Plan plan;
  plan.odd = dice.chance(15);
  for (const Family family : {Family::ipv4, Family::ipv6})
    Draw(dice, family, all_users, plan).run();
  // The steps of IPv6 are taken last; a link that loses its other end only keeps its routes.
  if (dice.chance(12)) {
    const Family when = dice.chance(30) ? Family::ipv4 : Family::ipv6;
    const std::string end = dice.chance(30) ? "far-wan0" : dice.pick(cards()).name;
    plan.steps.push_back({when, "link set " + end + " down"});
  }
  return plan;
}

const std::vector<Ip>& own_addresses(Family family) {
  static const auto all = [] {
    std::array<std::vector<Ip>, 2> own;
    for (const Card& card : cards()) {
      for (std::size_t side = 0; side < 2; ++side) {
        own[side].push_back(*parse_ip(card.own[side].substr(0, card.own[side].find('/'))));
      }
    }
    return own;
  }();
  return all[family == Family::ipv4 ? 0 : 1];
}

const std::vector<std::uint32_t>& marks() {
  static const std::vector<std::uint32_t> all = {0, 1, 0x10, 0x11, 0xca6c, 0x20000};
  return all;
}

}  // namespace icelock::net::test
