// SPDX-License-Identifier: Apache-2.0
#include "net/blocks.h"

#include <gmock/gmock.h>

#include <random>
#include <span>

#include "messages.h"

namespace icelock::net {
namespace {

using test::block;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Position at(const char* text) {
  return position(parse_ip(text).value());
}

/// These blocks one upon the other, later ones above, on nothing.
Spans layers(std::initializer_list<std::pair<const char*, std::uint16_t>> rows) {
  Spans result{{{}, 0}};
  for (const auto& [text, value] : rows) {
    const Prefix where = block(text);
    overwrite(result, {{position(where.base), value}}, last_of(where));
  }
  return result;
}

TEST(Blocks, PositionsAreAddresses) {
  for (const auto* text : {"0.0.0.0", "45.1.2.3", "255.255.255.255"}) {
    EXPECT_EQ(to_string(ip_at(Family::ipv4, at(text))), text);
  }
  for (const auto* text : {"::", "2a0e:77::10", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    EXPECT_EQ(to_string(ip_at(Family::ipv6, at(text))), text);
  }
  EXPECT_EQ(after(at("2a0e::ffff:ffff:ffff:ffff")), at("2a0e:0:0:1::"));
  EXPECT_EQ(before(at("2a0e:0:0:1::")), at("2a0e::ffff:ffff:ffff:ffff"));
  EXPECT_EQ(after(last_position), Position{});
  EXPECT_EQ(first_of(at("45.1.2.3"), 24), at("45.1.2.0"));
  EXPECT_EQ(after(last_of(at("45.1.2.3"), 24)), at("45.1.3.0"));
  EXPECT_EQ(last_of(at("::"), 0), last_position);
  EXPECT_EQ(last_of(at("2a0e::1"), 128), at("2a0e::1"));
}

TEST(Blocks, CombineMeetsEveryBorder) {
  const Spans low = layers({{"0.0.0.0/2", 1}, {"64.0.0.0/2", 2}});
  const Spans high = layers({{"32.0.0.0/3", 1}, {"128.0.0.0/1", 3}});
  const Spans both = combine(low, high, [](std::uint16_t a, std::uint16_t b) {
    return static_cast<std::uint16_t>(a * 10 + b);
  });
  EXPECT_EQ(
      both,
      (Spans{
          {at("0.0.0.0"), 10}, {at("32.0.0.0"), 11}, {at("64.0.0.0"), 20}, {at("128.0.0.0"), 3}}));
  EXPECT_EQ(combine(high, low, [](std::uint16_t, std::uint16_t) { return std::uint16_t{7}; }),
            (Spans{{{}, 7}}))
      << "neighbours differ";
  EXPECT_EQ(map(both, [](std::uint16_t value) { return std::uint16_t(value / 10); }),
            (Spans{{at("0.0.0.0"), 1}, {at("64.0.0.0"), 2}, {at("128.0.0.0"), 0}}));
  EXPECT_EQ(value_at(both, at("31.255.255.255")), 10);
  EXPECT_EQ(value_at(both, last_position), 3);
  EXPECT_EQ(last_of(both, 0), before(at("32.0.0.0")));
  EXPECT_EQ(last_of(both, 3), last_position);
}

TEST(Blocks, CombineHoldsForEveryAddress) {
  std::mt19937 random(1);
  const auto some = [&] {
    Spans spans{{{}, 0}};
    for (std::uint64_t i = 1; i < 64; ++i) {
      append(spans, {i << 58U, 0}, static_cast<std::uint16_t>(random() % 3));
    }
    return spans;
  };
  for (int round = 0; round < 200; ++round) {
    const Spans a = some();
    const Spans b = some();
    const Spans sum =
        combine(a, b, [](std::uint16_t x, std::uint16_t y) { return std::uint16_t(3 * x + y); });
    for (std::uint64_t i = 0; i < 64; ++i) {
      const Position here{i << 58U | 5, 5};
      ASSERT_EQ(value_at(sum, here), 3 * value_at(a, here) + value_at(b, here));
    }
  }
}

TEST(Blocks, CombineAndOverwriteAPart) {
  std::mt19937 random(2);
  for (int round = 0; round < 3000; ++round) {
    const auto some = [&] {
      Spans spans{{{}, 0}};
      for (std::uint64_t i = 1; i < 16; ++i) {
        append(spans, {i << 60U, 0}, static_cast<std::uint16_t>(random() % 2));
      }
      return spans;
    };
    const Spans a = some();
    const Spans b = some();
    const std::uint64_t low = random() % 16;
    const std::uint64_t high = low + random() % (16 - low);
    const Position first{low << 60U, 0};
    const Position last = last_of(Position{high << 60U, 0}, 4);
    const auto sum = [](std::uint16_t x, std::uint16_t y) { return std::uint16_t(2 * x + y); };
    Spans result = a;
    overwrite(result, combine(a, b, sum, first, last), last);
    for (std::uint64_t i = 0; i < 16; ++i) {
      const Position here{i << 60U | 5, 5};
      const int expected = value_at(a, here) * (i >= low && i <= high ? 2 : 1) +
                           (i >= low && i <= high ? value_at(b, here) : 0);
      ASSERT_EQ(value_at(result, here), expected) << round << ": " << i;
    }
    const auto is_twin = [](const Span& x, const Span& y) {
      return x.value == y.value || x.first >= y.first;
    };
    ASSERT_EQ(std::ranges::adjacent_find(result, is_twin), result.end()) << "neighbours differ";
  }
}

TEST(Cover, IsTheShortestList) {
  const auto blocks = [](std::initializer_list<std::pair<const char*, std::uint16_t>> rows) {
    return cover(layers(rows), Family::ipv4);
  };
  EXPECT_THAT(blocks({}), IsEmpty());
  EXPECT_THAT(blocks({{"0.0.0.0/0", 1}}), ElementsAre(block("0.0.0.0/0")));
  EXPECT_THAT(blocks({{"45.0.0.0/24", 1}, {"45.0.1.0/24", 1}}), ElementsAre(block("45.0.0.0/23")));
  EXPECT_THAT(blocks({{"45.0.1.0/24", 1}, {"45.0.2.0/24", 1}}),
              ElementsAre(block("45.0.1.0/24"), block("45.0.2.0/24")));
  EXPECT_THAT(blocks({{"128.0.0.0/1", 1}, {"255.255.255.255/32", 0}}).size(), 31U);
  EXPECT_THAT(cover(layers({{"2a0e:22::2/128", 1}}), Family::ipv6),
              ElementsAre(block("2a0e:22::2/128")));
}

TEST(Cover, TakesWhatDoesNotMatterWhereItHelps) {
  const auto blocks = [](std::initializer_list<std::pair<const char*, std::uint16_t>> rows) {
    return cover(layers(rows), Family::ipv4);
  };
  EXPECT_THAT(blocks({{"0.0.0.0/0", 2}}), IsEmpty());
  EXPECT_THAT(blocks({{"8.0.0.0/6", 1}, {"10.0.0.0/8", 2}}), ElementsAre(block("8.0.0.0/6")));
  EXPECT_THAT(blocks({{"10.0.0.0/7", 2}, {"11.0.0.0/8", 1}}), ElementsAre(block("11.0.0.0/8")))
      << "no wider than what is in it";
  EXPECT_THAT(blocks({{"0.0.0.0/0", 2}, {"45.0.0.0/24", 1}, {"45.0.3.0/24", 1}}),
              ElementsAre(block("45.0.0.0/22")));
  EXPECT_THAT(blocks({{"45.0.0.0/24", 1}, {"45.0.3.0/24", 1}}),
              ElementsAre(block("45.0.0.0/24"), block("45.0.3.0/24")));
}

/// How many blocks a list needs at least, of the 16 addresses of 0.0.0.0/28.
std::size_t fewest(std::span<const std::uint16_t> values) {
  if (std::ranges::find(values, 1) == values.end()) return 0;
  if (std::ranges::find(values, 0) == values.end()) return 1;
  return fewest(values.first(values.size() / 2)) + fewest(values.last(values.size() / 2));
}

TEST(Cover, IsTrueAndShortestForEveryPattern) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::uint16_t> values(16);
    Spans spans;
    for (std::uint64_t i = 0; i < 16; ++i) {
      values[i] = static_cast<std::uint16_t>(random() % 3);
      append(spans, {i << 32U, 0}, values[i]);
    }
    append(spans, {16ULL << 32U, 0}, 0);
    const std::vector<Prefix> blocks = cover(spans, Family::ipv4);
    for (std::uint64_t i = 0; i < 16; ++i) {
      const Ip ip = ip_at(Family::ipv4, {i << 32U, 0});
      const bool held = std::ranges::any_of(
          blocks, [&](const Prefix& one) { return inside(ip, one.base, one.length); });
      ASSERT_TRUE(values[i] == 2 || held == (values[i] == 1)) << round << ": " << i;
    }
    ASSERT_EQ(blocks.size(), fewest(values)) << round;
    ASSERT_TRUE(std::ranges::is_sorted(blocks));
  }
}

double share(const Spans& spans, Family family, std::uint16_t value) {
  return shares(spans, family, std::size_t{value} + 1)[value];
}

TEST(Share, IsOfThePublicSpace) {
  EXPECT_DOUBLE_EQ(share(layers({{"0.0.0.0/0", 1}}), Family::ipv4, 1), 1);
  EXPECT_DOUBLE_EQ(share(layers({{"10.0.0.0/8", 1}}), Family::ipv4, 1), 0);
  EXPECT_DOUBLE_EQ(share(layers({{"10.0.0.0/7", 1}}), Family::ipv4, 1),
                   share(layers({{"11.0.0.0/8", 1}}), Family::ipv4, 1));
  EXPECT_NEAR(share(layers({{"45.0.0.0/8", 1}}), Family::ipv4, 1), 1 / 220.7, 0.0001);
  EXPECT_DOUBLE_EQ(share(layers({{"2000::/3", 1}}), Family::ipv6, 1), 1);
  EXPECT_NEAR(share(layers({{"3000::/4", 1}}), Family::ipv6, 1), 0.5, 0.001);
  EXPECT_DOUBLE_EQ(share(layers({{"fc00::/7", 1}, {"64:ff9b::/96", 1}}), Family::ipv6, 1), 0);
}

// IANA's registries of special-purpose addresses, and multicast.
TEST(PublicSpace, EndsWhereTheRegistriesSay) {
  for (const auto* text :
       {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "2001::/23",
        "2001:db8::/32", "2002::/16", "3fff::/20"}) {
    const Prefix special = block(text);
    const Spans& space = public_space(special.base.family);
    const Position first = position(special.base);
    EXPECT_EQ(value_at(space, first), not_public) << text;
    EXPECT_EQ(value_at(space, last_of(special)), not_public) << text;
    if (first != Position{}) {
      EXPECT_EQ(value_at(space, before(first)), is_public_space) << text;
    }
    if (last_of(special) != last_position) {
      EXPECT_EQ(value_at(space, after(last_of(special))), is_public_space) << text;
    }
  }
  const Spans& ipv6 = public_space(Family::ipv6);
  for (const auto* text : {"::1", "1fff:ffff::", "4000::", "fe80::1", "ff02::1"}) {
    EXPECT_EQ(value_at(ipv6, at(text)), not_public) << text;
  }
  EXPECT_EQ(value_at(ipv6, at("2000::")), is_public_space);
  EXPECT_EQ(value_at(ipv6, at("3ffe:ffff::")), is_public_space);
}

TEST(PublicSpace, OfNat64IsThatOfIpv4) {
  const Spans& ipv6 = public_space(Family::ipv6);
  for (const auto* text : {"64:ff9b::808:808", "64:ff9b::2d00:1", "64:ff9b::dfff:ffff"}) {
    EXPECT_EQ(value_at(ipv6, at(text)), is_nat64_space) << text;
  }
  for (const auto* text : {"64:ff9b::", "64:ff9b::a00:1", "64:ff9b::e000:1", "64:ff9b::ffff:ffff",
                           "64:ff9b::1:0:0", "64:ff9b:1::808:808", "64:ff9a::808:808"}) {
    EXPECT_EQ(value_at(ipv6, at(text)), not_public) << text;
  }
}

}  // namespace
}  // namespace icelock::net
