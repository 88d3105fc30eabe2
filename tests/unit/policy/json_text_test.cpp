// SPDX-License-Identifier: Apache-2.0
#include "policy/json_text.h"

#include <gtest/gtest.h>

namespace icelock::policy {
namespace {

const ObjectPath path = {"a", "b"};

TEST(JsonText, ReadsAMemberAsItIsSpelt) {
  EXPECT_EQ(**member_text(R"({"a": {"b": {"k": [1.0,  2]}}})", path, "k"), "[1.0,  2]");
  EXPECT_EQ(**member_text(R"({"\u0061": {"b": {"\u006b": "x\"}"}}})", path, "k"), R"("x\"}")");
  EXPECT_EQ(*member_text(R"({"a": {"b": {}}})", path, "k"), std::nullopt);
  EXPECT_EQ(*member_text(R"({"a": {}})", path, "k"), std::nullopt);
}

struct Edit {
  const char* name;
  const char* before;
  const char* after;
};
std::ostream& operator<<(std::ostream& out, const Edit& edit) {
  return out << edit.name;
}

class Insert : public testing::TestWithParam<Edit> {};

TEST_P(Insert, KeepsEveryOtherByte) {
  EXPECT_EQ(*with_member(GetParam().before, path, "k", "1"), GetParam().after);
  EXPECT_EQ(*with_member(GetParam().after, path, "k", "1"), GetParam().after) << "a second time";
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Insert,
    testing::Values(
        Edit{"empty", "{}\n", "{\n  \"a\": {\n    \"b\": {\n      \"k\": 1\n    }\n  }\n}\n"},
        Edit{"inline", R"({"x":1,"a":{"b":{"z":[ ]}}})", R"({"x":1,"a":{"b":{"z":[ ], "k": 1}}})"},
        Edit{"inline_empty", R"({"a":{"b":{}}})", R"({"a":{"b":{"k": 1}}})"},
        Edit{"no_b", "{\n    \"a\": {\n        \"x\": 1\n    }\n}\n",
             "{\n    \"a\": {\n        \"x\": 1,\n        \"b\": {\n            \"k\": 1\n        "
             "}\n    "
             "}\n}\n"},
        Edit{"crlf_tabs",
             "{\r\n\t\"a\": {\r\n\t\t\"b\": {\r\n\t\t\t\"z\": 1e0\r\n\t\t}\r\n\t}\r\n}\r\n",
             "{\r\n\t\"a\": {\r\n\t\t\"b\": {\r\n\t\t\t\"z\": 1e0,\r\n\t\t\t\"k\": "
             "1\r\n\t\t}\r\n\t}\r\n}\r\n"},
        Edit{"crlf_tabs_empty", "{\r\n\t\"a\": {\r\n\t\t\"b\": {}\r\n\t}\r\n}",
             "{\r\n\t\"a\": {\r\n\t\t\"b\": {\r\n\t\t\t\"k\": 1\r\n\t\t}\r\n\t}\r\n}"},
        Edit{"open_empty", "{\n  \"a\": {\n    \"b\": {\n    }\n  }\n}",
             "{\n  \"a\": {\n    \"b\": {\n      \"k\": 1\n    }\n  }\n}"},
        Edit{"replace", R"({"a" : {"b" : {"k"  :  {"x": "}"} , "z": 2}}})",
             R"({"a" : {"b" : {"k"  :  1 , "z": 2}}})"},
        Edit{"brackets_in_strings", R"({"q": "{\"a\": [", "a": {"b": {"z": "\\"}}})",
             R"({"q": "{\"a\": [", "a": {"b": {"z": "\\", "k": 1}}})"}),
    [](const auto& edit) { return edit.param.name; });

TEST(JsonText, RemovalUndoesInsertion) {
  for (const char* text :
       {R"({"a":{"b":{"z":[ ]}}})", "{\n\t\"a\": {\n\t\t\"b\": {\n\t\t\t\"z\": 1 \n\t\t}\n\t}\n}\n",
        "{\r\n\"a\": {\"b\": {\"y\":1,\r\n\"z\": 1}}}"}) {
    EXPECT_EQ(*without_member(*with_member(text, path, "k", "{\"Value\": true}"), path, "k"), text);
  }
}

TEST(JsonText, RemovesFirstMiddleAndOnlyMember) {
  EXPECT_EQ(*without_member(R"({ "k": 1, "z": 2 })", {}, "k"), R"({ "z": 2 })");
  EXPECT_EQ(*without_member(R"({"y": 0, "k": 1, "z": 2})", {}, "k"), R"({"y": 0, "z": 2})");
  EXPECT_EQ(*without_member(R"({ "k": 1 })", {}, "k"), R"({})");
  EXPECT_EQ(*without_member(R"({"z": 2})", {}, "k"), R"({"z": 2})");
}

class Refused : public testing::TestWithParam<std::string> {};

TEST_P(Refused, IsBadPolicyFile) {
  const auto edited = with_member(GetParam(), path, "k", "1");
  ASSERT_FALSE(edited) << *edited;
  EXPECT_EQ(edited.error().code, Code::bad_policy_file);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Refused,
    testing::Values("\xEF\xBB\xBF{}", "", " ", "[]", "null", "{", "{}}", "{'a': 1}", "{\"x\": 1,}",
                    "// c\n{}", "{\"x\": \"\xFF\"}", R"({"a": []})", R"({"a": null})",
                    R"({"a": {"b": "{}"}})", R"({"a": {}, "a": {}})", R"({"a": {}, "\u0061": {}})",
                    R"({"a": {"b": {}, "b": {}}})", R"({"a": {"b": {"k": 1, "k": 2}}})",
                    R"({"x": )" + std::string(300, '[') + std::string(300, ']') + "}"));

}  // namespace
}  // namespace icelock::policy
