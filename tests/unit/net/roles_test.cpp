// SPDX-License-Identifier: Apache-2.0
#include "net/roles.h"

#include <gtest/gtest.h>
#include <net/if_arp.h>

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

}  // namespace
}  // namespace icelock::net
