// SPDX-License-Identifier: Apache-2.0
#include "ipc/frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace icelock::ipc {
namespace {

std::string header(std::uint32_t length) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &length, 4);
  return bytes;
}

std::vector<std::string> take_all(FrameDecoder& decoder) {
  std::vector<std::string> payloads;
  for (;;) {
    auto payload = decoder.next();
    if (!payload || !*payload) return payloads;
    payloads.push_back(**payload);
  }
}

TEST(Frame, RoundTrip) {
  FrameDecoder decoder;
  decoder.feed(*encode_frame("{\"a\":1}"));
  EXPECT_EQ(take_all(decoder), std::vector<std::string>{"{\"a\":1}"});
  EXPECT_TRUE(decoder.at_boundary());
}

TEST(Frame, SplitAtEachOffset) {
  const std::string stream = *encode_frame("first") + *encode_frame("") + *encode_frame("third");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameDecoder decoder;
    decoder.feed(std::string_view(stream).substr(0, cut));
    auto payloads = take_all(decoder);
    decoder.feed(std::string_view(stream).substr(cut));
    for (auto& payload : take_all(decoder)) payloads.push_back(payload);
    EXPECT_EQ(payloads, (std::vector<std::string>{"first", "", "third"})) << cut;
  }
}

TEST(Frame, ByteByByte) {
  FrameDecoder decoder;
  std::vector<std::string> payloads;
  for (const char byte : *encode_frame("ab") + *encode_frame("c")) {
    decoder.feed({&byte, 1});
    for (auto& payload : take_all(decoder)) payloads.push_back(payload);
  }
  EXPECT_EQ(payloads, (std::vector<std::string>{"ab", "c"}));
}

TEST(Frame, TheLimitIsExact) {
  FrameDecoder decoder(8);
  decoder.feed(header(8) + "12345678");
  EXPECT_EQ(take_all(decoder), std::vector<std::string>{"12345678"});
  for (const std::uint32_t length : {9U, 0x7fffffffU, 0xffffffffU}) {
    FrameDecoder refusing(8);
    refusing.feed(header(length));
    for (int again = 0; again < 2; ++again) {
      const auto payload = refusing.next();
      ASSERT_FALSE(payload) << length;
      EXPECT_EQ(payload.error().code, Code::too_large);
    }
  }
}

TEST(Frame, KnowsWhenItIsInsideOne) {
  FrameDecoder decoder;
  EXPECT_TRUE(decoder.at_boundary());
  decoder.feed(header(3) + "ab");
  EXPECT_EQ(decoder.next(), std::nullopt);
  EXPECT_FALSE(decoder.at_boundary());
  decoder.feed("c");
  EXPECT_EQ(decoder.next(), "abc");
  EXPECT_TRUE(decoder.at_boundary());
}

TEST(Frame, RepliesThatABrowserWouldRefuseAreRefusedHere) {
  EXPECT_TRUE(encode_frame(std::string(send_limit, 'x')));
  EXPECT_FALSE(encode_frame(std::string(send_limit + 1, 'x')));
}

}  // namespace
}  // namespace icelock::ipc
