// SPDX-License-Identifier: Apache-2.0
#include "guard/guard.h"

#include <gtest/gtest.h>

#include "../shared/networks.h"

namespace icelock::guard {
namespace {

using namespace std::chrono_literals;
using namespace test;
using enum Level;

const Clock::time_point start{1000s};

Settings no_hold() {
  Settings settings;
  settings.hold = 0s;
  return settings;
}

TEST(Guard, IsLockedBeforeTheFirstLook) {
  const Guard guard({});
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  EXPECT_EQ(guard.state().decision.firefox, force_proxy);
}

TEST(Guard, TheFirstLookDecidesAtOnce) {
  Guard guard({});
  EXPECT_TRUE(guard.look(no_vpn(), false, start));
  EXPECT_EQ(guard.state().decision.chromium, unrestricted);
  EXPECT_EQ(guard.state().serial, 1U);
}

TEST(Guard, TightensAtTheFirstEvent) {
  Guard guard({});
  guard.look(no_vpn(), false, start);
  EXPECT_TRUE(guard.look(vpn_ipv4_only(), true, start + 1s));
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  EXPECT_EQ(guard.state().decision.firefox, force_proxy);
}

TEST(Guard, LoosensOnlyWhenTheNetworkIsQuiet) {
  Guard guard(no_hold());
  guard.look(vpn_ipv4_only(), false, start);
  guard.look(vpn_both_families(), true, start + 1s);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  ASSERT_EQ(guard.due(), start + 1s + Guard::quiet);
  guard.look(vpn_both_families(), false, start + 1s + Guard::quiet - 1ms);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  EXPECT_TRUE(guard.look(vpn_both_families(), false, start + 1s + Guard::quiet));
  EXPECT_EQ(guard.state().decision.chromium, default_route_only);
  EXPECT_EQ(guard.due(), std::nullopt);
}

TEST(Guard, EventsPutOffLooseningButNotForEver) {
  Guard guard(no_hold());
  guard.look(vpn_ipv4_only(), false, start);
  auto now = start + 1s;
  const auto first = now;
  for (; now < first + Guard::longest_wait; now += 100ms) {
    guard.look(vpn_both_families(), true, now);
    ASSERT_EQ(guard.state().decision.chromium, force_proxy);
  }
  guard.look(vpn_both_families(), true, first + Guard::longest_wait);
  EXPECT_EQ(guard.state().decision.chromium, default_route_only);
}

TEST(Guard, AMomentOfTightnessStartsTheWaitAgain) {
  Guard guard(no_hold());
  guard.look(vpn_ipv4_only(), false, start);
  guard.look(vpn_both_families(), true, start + 1s);
  guard.look(vpn_ipv4_only(), true, start + 1200ms);
  guard.look(vpn_both_families(), true, start + 1250ms);
  guard.look(vpn_both_families(), false, start + 1s + Guard::quiet);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
}

TEST(Guard, LoosensNoFurtherThanTheFloor) {
  Settings locked;
  locked.hold = 0s;
  locked.floor = default_route_only;
  Guard guard(locked);
  guard.look(vpn_ipv4_only(), false, start);
  guard.look(no_vpn(), true, start + 1s);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  guard.look(no_vpn(), false, start + 1s + Guard::quiet);
  EXPECT_EQ(guard.state().decision.chromium, default_route_only);
  EXPECT_EQ(guard.state().decision.firefox, default_route_only);
}

TEST(Guard, WakesAtTheEndOfAHoldAndThenLoosens) {
  Settings settings;
  settings.hold = 5s;
  Guard guard(settings);
  guard.look(vpn_both_families(), false, start);
  guard.look(no_vpn(), true, start + 1s);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  ASSERT_EQ(guard.due(), start + 6s);
  guard.look(no_vpn(), false, start + 6s);
  ASSERT_EQ(guard.due(), start + 6s + Guard::quiet);
  guard.look(no_vpn(), false, start + 6s + Guard::quiet);
  EXPECT_EQ(guard.state().decision.chromium, unrestricted);
}

TEST(Guard, APersonsWishIsInForceAtOnce) {
  Guard guard({});
  guard.look(vpn_ipv4_only(), false, start);
  Settings open;
  open.mode = Mode::open;
  EXPECT_TRUE(guard.set(open, true, start + 1ms));
  EXPECT_EQ(guard.state().decision.chromium, unrestricted);
  EXPECT_FALSE(guard.set(open, true, start + 2ms));
}

TEST(Guard, AFileThatVanishesForAMomentLoosensNothing) {
  Settings locked;
  locked.mode = Mode::locked;
  Guard guard(locked);
  guard.look(no_vpn(), false, start);
  guard.set({}, false, start + 1s);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  guard.set(locked, false, start + 1s + 5ms);
  guard.look(no_vpn(), false, start + 5s);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
}

TEST(Guard, AnEndedHoldIsNotDueWhileTheNetworkCannotBeRead) {
  Guard guard({});
  guard.look(vpn_both_families(), false, start);
  guard.look(no_vpn(), true, start + 1s);
  guard.look(fail(Code::probe_failed, "no answer"), true, start + 2s);
  EXPECT_EQ(guard.due(), std::nullopt);
}

TEST(Guard, SaysNothingWhenNothingChanged) {
  Guard guard({});
  guard.look(no_vpn(), false, start);
  const auto serial = guard.state().serial;
  EXPECT_FALSE(guard.look(no_vpn(), true, start + 1s));
  EXPECT_EQ(guard.state().serial, serial);
}

TEST(Guard, AFailedProbeLocksAndANewOneLoosensLate) {
  Guard guard({});
  guard.look(no_vpn(), false, start);
  guard.look(fail(Code::probe_failed, "no answer"), true, start + 1s);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  EXPECT_FALSE(guard.state().network);
  guard.look(no_vpn(), false, start + 2s);
  EXPECT_EQ(guard.state().decision.chromium, force_proxy);
  guard.look(no_vpn(), false, start + 2s + Guard::quiet);
  EXPECT_EQ(guard.state().decision.chromium, unrestricted);
}

TEST(Guard, HearsTheUsersWordForALink) {
  Guard guard(no_hold());
  guard.look(no_vpn(), false, start, vpn_both_families());
  EXPECT_EQ(guard.state().decision.chromium, default_route_only);
  EXPECT_EQ(guard.state().network, no_vpn()) << "what is shown is what is";
  // It counts with new settings as well, and until it is taken back.
  Settings locked = no_hold();
  locked.mode = Mode::locked;
  guard.set(locked, true, start + 1s);
  guard.set(no_hold(), true, start + 2s);
  EXPECT_EQ(guard.state().decision.chromium, default_route_only);
  guard.look(no_vpn(), true, start + 3s);
  EXPECT_EQ(guard.state().decision.chromium, default_route_only) << "loosened late";
  guard.look(no_vpn(), false, start + 3s + Guard::quiet);
  EXPECT_EQ(guard.state().decision.chromium, unrestricted);
}

}  // namespace
}  // namespace icelock::guard
