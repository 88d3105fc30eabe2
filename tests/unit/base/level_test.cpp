// SPDX-License-Identifier: Apache-2.0
#include "base/level.h"

#include <gmock/gmock.h>

namespace icelock {
namespace {

TEST(Level, NamesAreTheOnesOfTheProtocolAndComeBack) {
  const std::pair<Level, std::string_view> names[] = {
      {Level::unrestricted, "unrestricted"},
      {Level::default_route_only, "default_route_only"},
      {Level::force_proxy, "force_proxy"},
      {Level::disabled, "disabled"},
  };
  for (const auto& [level, text] : names) {
    EXPECT_EQ(name(level), text);
    EXPECT_EQ(parse_level(text), level);
  }
}

TEST(Level, LaterIsStricter) {
  EXPECT_LT(Level::unrestricted, Level::default_route_only);
  EXPECT_LT(Level::default_route_only, Level::force_proxy);
  EXPECT_LT(Level::force_proxy, Level::disabled);
}

TEST(Level, OnlyTheExactWordsAreLevels) {
  for (const std::string_view text : {"", "Disabled", "disabled ", "force-proxy", "force_prox",
                                      "default_public_interface_only"}) {
    EXPECT_EQ(parse_level(text), std::nullopt) << text;
  }
}

TEST(Level, FamilyNames) {
  EXPECT_EQ(name(BrowserFamily::chromium), "chromium");
  EXPECT_EQ(name(BrowserFamily::firefox), "firefox");
}

}  // namespace
}  // namespace icelock
