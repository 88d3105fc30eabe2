// SPDX-License-Identifier: Apache-2.0
#include "ice/outside.h"

#include <gtest/gtest.h>

#include "../shared/networks.h"
#include "ice/exposure.h"

namespace icelock::ice {
namespace {

using namespace test;

Gathered agent(const char* local, const char* seen) {
  Gathered gathered;
  gathered.local = ip(local);
  gathered.wildcard = gathered.local.bytes == net::Ip{}.bytes;
  gathered.bound = true;
  if (*seen != '\0') gathered.candidates = {{"host", gathered.local}, {"srflx", ip(seen)}};
  return gathered;
}

/// The address of the first exposure of this class to a page with permission, or "-".
std::string address_of(ExposureClass wanted, const net::Network& network) {
  for (const Exposure& found :
       exposure(BrowserFamily::chromium, Level::unrestricted, network, Permission::granted)) {
    if (found.exposure_class == wanted) return found.address;
  }
  return "-";
}

TEST(Outside, TheWildcardTellsThePublicSideOfTheRoute) {
  net::Network network = no_vpn_ipv4_only();
  EXPECT_EQ(address_of(ExposureClass::isp_v4, network), "");
  add_seen(network, {agent("192.168.77.10", "44.1.1.1"), agent("0.0.0.0", "44.1.1.1")});
  EXPECT_EQ(address_of(ExposureClass::isp_v4, network), "44.1.1.1");
}

TEST(Outside, InATunnelTheWildcardIsTheVpnAndTheCardIsNot) {
  net::Network network = vpn_on_ipv4_machine();
  const std::vector<Gathered> gathered = {agent("192.168.77.10", "44.1.1.1"),
                                          agent("10.8.0.2", "44.2.2.2"),
                                          agent("0.0.0.0", "44.2.2.2")};
  add_seen(network, gathered);
  EXPECT_EQ(address_of(ExposureClass::egress, network), "44.2.2.2");
  EXPECT_EQ(address_of(ExposureClass::isp_v4, network), "-");
  const auto sides = bound_sides(network, gathered);
  ASSERT_EQ(sides.size(), 2U);
  EXPECT_EQ(sides[0].link, "enp3s0");
  EXPECT_EQ(sides[0].seen, ip("44.1.1.1"));
  EXPECT_EQ(sides[1].link, "tun0");
}

TEST(Outside, IpsecByPolicyIsPassedByTheCardsOwnAddress) {
  net::Network network = policy_ipsec();
  add_seen(network, {agent("10.7.0.2", "44.1.1.77"), agent("192.168.77.10", "44.1.1.1"),
                     agent("0.0.0.0", "44.1.1.77")});
  EXPECT_EQ(address_of(ExposureClass::egress, network), "44.1.1.77");
  EXPECT_EQ(address_of(ExposureClass::isp_v4, network), "44.1.1.1");
}

TEST(Outside, SilenceTellsNothing) {
  net::Network network = vpn_on_ipv4_machine();
  const std::vector<Gathered> gathered = {agent("192.168.77.10", ""), agent("0.0.0.0", "")};
  add_seen(network, gathered);
  EXPECT_EQ(network, vpn_on_ipv4_machine());
  EXPECT_TRUE(bound_sides(network, gathered).empty());
}

}  // namespace
}  // namespace icelock::ice
