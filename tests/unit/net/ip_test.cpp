// SPDX-License-Identifier: Apache-2.0
#include "net/ip.h"

#include <gtest/gtest.h>

namespace icelock::net {
namespace {

Ip ip(std::string_view text) {
  return parse_ip(text).value();
}

TEST(Ip, ParsesAndPrints) {
  for (const auto* text : {"0.0.0.0", "192.0.2.1", "::", "::1", "2a0e:77:0:1::10", "fe80::1"}) {
    ASSERT_TRUE(parse_ip(text)) << text;
    EXPECT_EQ(to_string(ip(text)), text);
  }
  EXPECT_EQ(ip("192.0.2.1").bytes[4], 0);
}

TEST(Ip, RefusesWhatIsNoAddress) {
  using namespace std::literals;
  for (const auto text : {""sv, "1.2.3"sv, "1.2.3.4.5"sv, "256.1.1.1"sv, "fe80::1%eth0"sv, ":::"sv,
                          " 1.2.3.4"sv, "1.2.3.4\0x"sv, "a.b.c.d"sv}) {
    EXPECT_FALSE(parse_ip(text)) << text;
  }
}

TEST(Ip, KnowsPublicAddresses) {
  for (const auto* text : {"8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
                           "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0",
                           "223.255.255.255", "2001:200::1", "2a00::1", "64:ff9b::808:808"}) {
    EXPECT_TRUE(is_public(ip(text))) << text;
  }
  for (const auto* text : {"0.0.0.1",
                           "10.0.0.1",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "169.254.1.1",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.0.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fc00::1",
                           "fdff::1",
                           "fe80::1",
                           "ff02::1",
                           "192.0.0.9",
                           "192.0.2.1",
                           "198.18.0.1",
                           "198.51.100.1",
                           "203.0.113.1",
                           "240.0.0.1",
                           "2001:db8::1",
                           "2001::1",
                           "2002::1",
                           "3fff::1",
                           "4000::1",
                           "64:ff9b::a00:1",
                           "64:ff9b:1::1"}) {
    EXPECT_FALSE(is_public(ip(text))) << text;
  }
}

TEST(Ip, KnowsLocalRanges) {
  EXPECT_TRUE(is_link_local(ip("fe80::1")));
  EXPECT_TRUE(is_link_local(ip("febf::1")));
  EXPECT_FALSE(is_link_local(ip("fec0::1")));
  EXPECT_TRUE(is_link_local(ip("169.254.0.1")));
  EXPECT_TRUE(is_loopback(ip("127.8.0.1")));
  EXPECT_TRUE(is_loopback(ip("::1")));
  EXPECT_FALSE(is_loopback(ip("::2")));
}

}  // namespace
}  // namespace icelock::net
