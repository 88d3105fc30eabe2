// SPDX-License-Identifier: Apache-2.0
#include "policy/export.h"

#include <gmock/gmock.h>

#include "policy/export_parts.h"

// Exporters pass on whatever a browser's policies are: here of each shape, with characters that the
// formats write in another way. What today's policies become is held by tests/process/export.

namespace icelock::policy {
namespace {

using namespace std::string_literals;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Rendering one(std::string_view browser) {
  const OrderedJson values = OrderedJson::parse(R"({
    "Yes": true, "No": false, "Number": 7,
    "Text": "\u00e9\u20ac\ud83d\ude00 <&> \"C:\\x\"",
    "List": ["a;b", "c\"d"],
    "Object": {"deep": [1, {"er": "\u00e9"}]}
  })");
  return {{{find_browser(browser), Level::force_proxy, values}}, {}, {}, {}};
}

std::string text_of(const Result<Export>& made) {
  return made && !made->files.empty() ? made->files.front().bytes : std::string();
}

// Out of UTF-16 whose characters are all below 0x80, but for those that are shown as "?".
std::string narrow(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    const bool ascii = bytes[i + 1] == 0 && static_cast<unsigned char>(bytes[i]) < 0x80;
    text += ascii ? bytes[i] : '?';
  }
  return text;
}

TEST(Export, RegistryFileHoldsEachShape) {
  const std::string bytes = text_of(export_reg(one("chrome")));
  const std::string text = narrow(bytes);
  EXPECT_THAT(text, HasSubstr("\"Yes\"=dword:00000001\r\n\"No\"=dword:00000000\r\n"
                              "\"Number\"=dword:00000007\r\n"));
  EXPECT_THAT(text, HasSubstr(R"("Text"="???? <&> \"C:\\x\"")"));  // two for the last
  EXPECT_THAT(text, HasSubstr(R"("Object"="{\"deep\":[1,{\"er\":\"?\"}]}")"));
  EXPECT_THAT(text, HasSubstr("\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Google\\Chrome\\"
                              "List]\r\n\"1\"=\"a;b\"\r\n\"2\"=\"c\\\"d\"\r\n"));
  EXPECT_THAT(bytes, HasSubstr(std::string("\xe9\x00\xac\x20\x3d\xd8\x00\xde", 8)));
}

TEST(Export, FirefoxReadsObjectsAsLines) {
  EXPECT_THAT(narrow(text_of(export_reg(one("firefox")))), HasSubstr("\"Object\"=hex(7):7b,00,"));
}

TEST(Export, RegistryFileOfNumbersIsTheSameInThePolicyFile) {
  const std::string pol = text_of(export_gpo(one("edge")));
  EXPECT_THAT(pol, HasSubstr("N\0u\0m\0b\0e\0r\0\0\0;\0\x04\0\0\0;\0\x04\0\0\0;\0\x07\0\0\0]\0"s));
  EXPECT_THAT(pol, HasSubstr("L\0i\0s\0t\0\0\0;\0001\0\0\0;\0\x01\0\0\0;\0"s));
}

TEST(Export, IntuneHasAValueForEachShape) {
  const auto profile = OrderedJson::parse(text_of(export_intune(one("edge"))));
  std::vector<std::string> values;
  for (const auto& setting : profile.at("omaSettings")) values.push_back(setting.at("value"));
  const std::string start = "<enabled/>\n<data id=\"";
  EXPECT_THAT(values,
              ElementsAre("<enabled/>", "<disabled/>", start + "Number\" value=\"7\"/>",
                          start + "Text\" value=\"\u00e9\u20ac\U0001f600 &lt;&amp;&gt; "
                                  "&quot;C:\\x&quot;\"/>",
                          start + "ListDesc\" value=\"1&#xF000;a;b&#xF000;2&#xF000;c&quot;d\"/>",
                          start + "Object\" value=\"{&quot;deep&quot;:[1,{&quot;er&quot;:"
                                  "&quot;\u00e9&quot;}]}\"/>"));
  EXPECT_THAT(values, Each(Not(HasSubstr("\\u"))));
}

TEST(Export, ProfileHoldsEachShape) {
  const std::string text = text_of(export_macos(one("brave")));
  for (const char* part :
       {"<key>Yes</key>\n\t\t\t<true/>", "<key>No</key>\n\t\t\t<false/>",
        "<key>Number</key>\n\t\t\t<integer>7</integer>",
        "<string>\u00e9\u20ac\U0001f600 &lt;&amp;&gt; &quot;C:\\x&quot;</string>",
        "<key>deep</key>\n\t\t\t\t<array>\n\t\t\t\t\t<integer>1</integer>"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(Export, UnknownFormatsAndBrowsersAreRefused) {
  const auto no_format = export_policy({{"chrome", Level::force_proxy}}, "pdf");
  ASSERT_FALSE(no_format);
  EXPECT_EQ(no_format.error().code, Code::not_found);
  const auto no_browser = export_policy({{"lynx", Level::force_proxy}}, "json");
  ASSERT_FALSE(no_browser);
  EXPECT_EQ(no_browser.error().object, "lynx");
}

}  // namespace
}  // namespace icelock::policy
