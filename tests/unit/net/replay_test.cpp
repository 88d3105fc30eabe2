// SPDX-License-Identifier: Apache-2.0
// What a real kernel answered in each situation, through the code that reads it in the programs.
#include <gtest/gtest.h>

#include "fake_kernel.h"
#include "recording.h"
#include "situations.h"

namespace icelock::net {
namespace {

std::vector<test::Exchange> recorded(std::string_view name) {
  return test::load(std::string(ICELOCK_SOURCE_DIR) + "/tests/unit/net/recorded/" +
                    std::string(name) + ".hex");
}

Result<Snapshot> replay(std::vector<test::Exchange> exchanges) {
  SnapshotTaker taker(
      [&](std::size_t) -> Result<std::unique_ptr<netlink::Wire>> {
        return std::make_unique<test::ReplayWire>(exchanges);
      },
      1000);
  return taker.take();
}

/// A datagram that ends between two messages looks like any other; the socket's MSG_TRUNC is what
/// tells it.
bool is_between_messages(test::Bytes datagram, std::size_t size) {
  std::size_t at = 0;
  while (at < size) at += NLMSG_ALIGN(reinterpret_cast<nlmsghdr*>(datagram.data() + at)->nlmsg_len);
  return at == size;
}

class Recorded : public testing::TestWithParam<test::Situation> {};

TEST_P(Recorded, IsUnderstood) {
  const auto snapshot = replay(recorded(GetParam().name));
  ASSERT_TRUE(snapshot) << to_string(snapshot.error());
  EXPECT_EQ(test::describe(classify(*snapshot)), GetParam().expected);
}

// Cutting a datagram anywhere must end in an error or in another snapshot, never in a crash; and
// never may the lists of links and answers come out short without an error.
TEST_P(Recorded, SurvivesTruncation) {
  const auto whole = recorded(GetParam().name);
  const auto reference = replay(whole);
  ASSERT_TRUE(reference);
  for (std::size_t exchange = 0; exchange < whole.size(); ++exchange) {
    for (std::size_t at = 0; at < whole[exchange].received.size(); ++at) {
      const std::size_t size = whole[exchange].received[at].size();
      for (std::size_t keep = 0; keep < size; keep += 1 + size / 64) {
        const bool unseen = is_between_messages(whole[exchange].received[at], keep);
        auto cut = whole;
        cut[exchange].received[at].resize(keep);
        const auto snapshot = replay(cut);
        if (snapshot && !unseen) {
          EXPECT_EQ(snapshot->links.size(), reference->links.size());
          EXPECT_EQ(snapshot->rules, reference->rules);
          EXPECT_EQ(classify(*snapshot), classify(*reference));
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernel, Recorded, testing::ValuesIn(test::situations()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace icelock::net
