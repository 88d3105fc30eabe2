// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_head.h"

#include <gtest/gtest.h>

namespace icelock::ipc {
namespace {

Result<HttpHead> parse(const std::string& fields) {
  return parse_http_head("GET /x HTTP/1.1\r\n" + fields + "\r\n", 100);
}

TEST(HttpHead, TakesWhatItKnowsAndPassesOnNothingElse) {
  const auto head = parse(
      "Range: bytes=1-2\r\nHOST: \t icelock \r\nAccept-Encoding: gzip\r\ncontent-length: 100\r\n"
      "Content-Type: multipart/form-data\r\nExpect: 100-Continue\r\nX-Empty:\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->method, "GET");
  EXPECT_EQ(head->target, "/x");
  EXPECT_EQ(head->content_length, 100U);
  EXPECT_TRUE(head->expects_continue);
  const auto least = parse("Host: localhost\r\n");
  ASSERT_TRUE(least);
  EXPECT_EQ(least->content_length, 0U);
  EXPECT_FALSE(least->expects_continue);
}

TEST(HttpHead, BrowsersAndForeignNamesAreNotPermitted) {
  for (const char* fields : {
           "",
           "Host:\r\n",
           "Host: example.org\r\n",
           "Host: icelock:80\r\n",
           "Host: icelock.example.org\r\n",
           "Host: ICELOCK\r\n",
           "Host: %69celock\r\n",
           "Host: icelock, localhost\r\n",
           "Host: icelock\r\nhost: icelock\r\n",
           "Host: icelock\r\nOrigin: null\r\n",
           "Host: icelock\r\nORIGIN:\r\n",
           "Host: icelock\r\norigin: http://icelock\r\n",
           "Host: icelock\r\nReferer: http://icelock/\r\n",
           "Referer:\r\nHost: icelock\r\n",
       }) {
    const auto head = parse(fields);
    ASSERT_FALSE(head) << fields;
    EXPECT_EQ(head.error().code, Code::not_permitted) << fields;
  }
}

TEST(HttpHead, NothingIsRepaired) {
  for (const std::string fields : {
           "Host: icelock\r\nno colon\r\n",
           "Host: icelock\r\nOrigin : http://a\r\n",
           "Host: icelock\r\n Origin: http://a\r\n",
           "Host: icelock\r\nX: a\r\n folded\r\n",
           "Host: icelock\r\n: no name\r\n",
           "Host: icelock\r\nX: a\nOrigin: http://a\r\n",
           "Host: icelock\r\nX: a\rOrigin: http://a\r\n",
           "Host: icelock\r\nX: \x01\r\n",
           "Host: icelock\r\nTransfer-Encoding: chunked\r\n",
           "Host: icelock\r\nContent-Encoding: gzip\r\n",
           "Host: icelock\r\nContent-Length:\r\n",
           "Host: icelock\r\nContent-Length: -1\r\n",
           "Host: icelock\r\nContent-Length: +1\r\n",
           "Host: icelock\r\nContent-Length: 1, 1\r\n",
           "Host: icelock\r\nContent-Length: 0x1\r\n",
           "Host: icelock\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
       }) {
    const auto head = parse(fields);
    ASSERT_FALSE(head) << fields;
    EXPECT_EQ(head.error().code, Code::bad_request) << fields;
  }
  using namespace std::literals;
  for (const auto whole :
       {""sv, "GET  / HTTP/1.1\r\nHost: icelock\r\n\r\n"sv,
        "GET / x HTTP/1.1\r\nHost: icelock\r\n\r\n"sv, "GET HTTP/1.1\r\nHost: icelock\r\n\r\n"sv,
        "get / HTTP/1.1\r\nHost: icelock\r\n\r\n"sv, "GET / HTTP/1.2\r\nHost: icelock\r\n\r\n"sv,
        "\r\n"sv, "\r\n\r\n"sv, "GET / HTTP/1.1"sv, "GET / HTTP/1.1\r\n"sv,
        "GET / HTTP/1.1\r\nHost: icelock\r\n"sv, "GET / HTTP/1.1\nHost: icelock\n\n"sv,
        "G\0T /\r\nHost: icelock\r\n\r\n"sv, "GET / HTTP/1.1\r\nHost: icelock\r\n\r\nmore"sv}) {
    const auto head = parse_http_head(whole, 100);
    ASSERT_FALSE(head) << whole;
    EXPECT_EQ(head.error().code, Code::bad_request) << whole;
  }
}

TEST(HttpHead, Sizes) {
  for (const char* length : {"101", "18446744073709551616", "99999999999999999999999999"}) {
    const auto head = parse("Host: icelock\r\nContent-Length: " + std::string(length) + "\r\n");
    ASSERT_FALSE(head) << length;
    EXPECT_EQ(head.error().code, Code::too_large) << length;
  }
  const auto with_line = [](std::size_t size) {
    const std::string rest(size - std::string("GET / HTTP/1.1").size(), 'a');
    return parse_http_head("GET /" + rest + " HTTP/1.1\r\nHost: icelock\r\n\r\n", 100);
  };
  EXPECT_TRUE(with_line(2048));
  EXPECT_EQ(with_line(2049).error().code, Code::too_large);
}

}  // namespace
}  // namespace icelock::ipc
