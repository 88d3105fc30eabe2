// SPDX-License-Identifier: Apache-2.0
#include "ipc/message.h"

#include <gtest/gtest.h>

namespace icelock::ipc {
namespace {

TEST(Message, AGoodRequest) {
  const auto request = parse_request(R"({"v":1,"id":7,"op":"status","more":[1,2]})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, 7);
  EXPECT_EQ(request->op, "status");
  EXPECT_TRUE(parse_request(R"({"v":1,"id":"a","op":"x"})"));
}

struct Bad {
  const char* payload;
  Code code;
  Json id;
};

TEST(Message, EachBadRequestHasItsCodeAndItsIdWhereThereIsOne) {
  const std::string deep =
      R"({"v":1,"id":1,"op":"x","a":)" + std::string(40, '[') + std::string(40, ']') + "}";
  const std::string very_deep(60'000, '[');
  const std::string long_id = R"({"v":1,"id":")" + std::string(257, 'i') + R"(","op":"x"})";
  for (const Bad& bad : {
           Bad{"", Code::bad_json, nullptr},
           Bad{"{", Code::bad_json, nullptr},
           Bad{"{} {}", Code::bad_json, nullptr},
           Bad{"{\"v\":1,\"id\":1,\"op\":\"\xff\"}", Code::bad_json, nullptr},
           Bad{"\xef\xbb\xbf", Code::bad_json, nullptr},
           Bad{deep.c_str(), Code::bad_json, nullptr},
           Bad{very_deep.c_str(), Code::bad_json, nullptr},
           Bad{"[]", Code::bad_request, nullptr},
           Bad{"null", Code::bad_request, nullptr},
           Bad{R"({"v":1,"op":"x"})", Code::bad_request, nullptr},
           Bad{R"({"v":1,"id":null,"op":"x"})", Code::bad_request, nullptr},
           Bad{R"({"v":1,"id":1.5,"op":"x"})", Code::bad_request, nullptr},
           Bad{R"({"v":1,"id":{},"op":"x"})", Code::bad_request, nullptr},
           Bad{long_id.c_str(), Code::bad_request, nullptr},
           Bad{R"({"id":1,"op":"x"})", Code::bad_request, 1},
           Bad{R"({"v":"1","id":1,"op":"x"})", Code::bad_request, 1},
           Bad{R"({"v":2,"id":1,"op":"x"})", Code::version, 1},
           Bad{R"({"v":1,"id":"q","op":3})", Code::bad_request, "q"},
           Bad{R"({"v":1,"id":"q"})", Code::bad_request, "q"},
       }) {
    const auto request = parse_request(bad.payload);
    ASSERT_FALSE(request) << bad.payload;
    EXPECT_EQ(request.error().error.code, bad.code) << bad.payload;
    EXPECT_EQ(request.error().id, bad.id) << bad.payload;
  }
}

TEST(Message, Answers) {
  EXPECT_EQ(success(3, {{"x", 1}}), R"({"v":1,"id":3,"ok":true,"x":1})");
  EXPECT_EQ(
      failure("a", {Code::unknown_op, "no such operation", "fly"}),
      R"({"v":1,"id":"a","ok":false,"code":"unknown_op","what":"no such operation","object":"fly"})");
  EXPECT_EQ(push("state", {{"serial", 2}}), R"({"v":1,"event":"state","serial":2})");
}

TEST(Message, AnswersAreUtf8WhateverTheySay) {
  const std::string text = failure(nullptr, {Code::io, "cannot open", "/tmp/\xff\xfe"});
  EXPECT_TRUE(Json::accept(text));
}

}  // namespace
}  // namespace icelock::ipc
