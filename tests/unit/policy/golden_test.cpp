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

TEST(Golden, WhatApplyWritesIsWhatIsKept) {
  const std::filesystem::path folder = ICELOCK_SOURCE_DIR "/tests/golden";
  const bool refresh = std::getenv("ICELOCK_REFRESH_GOLDEN") != nullptr;
  for (const Browser& browser : browsers()) {
    for (const Level level :
         {Level::unrestricted, Level::default_route_only, Level::force_proxy, Level::disabled}) {
      const TempRoot root;
      Store store(root.path());
      const auto plan = store.plan({{std::string(browser.id), level}});
      ASSERT_TRUE(plan);
      ASSERT_TRUE(store.apply(*plan));
      for (const Change& change : plan->changes) {
        const std::string written = read(change.path);
        const auto golden = folder / browser.id / (std::string(name(level)) + ".json");
        if (refresh) {
          std::filesystem::create_directories(golden.parent_path());
          std::ofstream(golden, std::ios::binary) << written;
        }
        EXPECT_EQ(written, read(golden)) << golden;
      }
    }
  }
}

}  // namespace
}  // namespace icelock::policy
