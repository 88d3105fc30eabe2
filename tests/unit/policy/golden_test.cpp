// SPDX-License-Identifier: Apache-2.0
// One file per browser and level, byte for byte what apply writes on a machine without policies.
// ICELOCK_REFRESH_GOLDEN=1 ctest -R Golden writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "policy/store.h"
#include "temp_root.h"

namespace icelock::policy {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_golden(const Browser& browser, const WantedPolicy& wanted, const std::string& file) {
  const TempRoot root;
  Store store(root.path());
  const auto plan = store.plan({{std::string(browser.id), wanted}});
  ASSERT_TRUE(plan);
  ASSERT_TRUE(store.apply(*plan));
  for (const Change& change : plan->changes) {
    const std::string written = read(change.path);
    const auto golden =
        std::filesystem::path(ICELOCK_SOURCE_DIR "/tests/golden") / browser.id / (file + ".json");
    if (std::getenv("ICELOCK_REFRESH_GOLDEN") != nullptr) {
      std::filesystem::create_directories(golden.parent_path());
      std::ofstream(golden, std::ios::binary) << written;
    }
    EXPECT_EQ(written, read(golden)) << golden;
  }
}

TEST(Golden, WhatApplyWritesIsWhatIsKept) {
  const std::vector<SiteException> sites = {
      {"https://[*.]meet.example", Level::unrestricted},
      {"https://call.meet.example", Level::default_route_only},
      {"http://localhost:8377", Level::default_route_only}};
  for (const Browser& browser : browsers()) {
    for (const Level level :
         {Level::unrestricted, Level::default_route_only, Level::force_proxy, Level::disabled}) {
      expect_golden(browser, level, std::string(name(level)));
    }
    expect_golden(browser, {Level::force_proxy, sites}, "force_proxy_sites");
  }
}

}  // namespace
}  // namespace icelock::policy
