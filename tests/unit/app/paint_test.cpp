// SPDX-License-Identifier: Apache-2.0
#include "app/paint.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace icelock::app {
namespace {

TEST(Printable, LetsTextThroughAndNothingThatSteers) {
  EXPECT_EQ(printable("tun0\tü – 日本 🔒"), "tun0\tü – 日本 🔒");
  EXPECT_EQ(printable("\x1b[31m\a\r\n\x7f"), "?[31m????");
  EXPECT_EQ(printable("\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xe2\x80\xa8"), "?????");
  EXPECT_EQ(printable(std::string_view("\0x", 2)), "?x");
}

TEST(Printable, ShowsEachByteThatIsNoTextAsOne) {
  EXPECT_EQ(printable("\xff\xc3"), "??");
  EXPECT_EQ(printable("\xe2\x82"), "??");
  EXPECT_EQ(printable("a\x9b"), "a?");
  EXPECT_EQ(printable("\xc0\x9b"), "??") << "ESC in a longer form";
  EXPECT_EQ(printable("\xed\xa0\x80"), "???") << "half of a surrogate pair";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????") << "beyond Unicode";
}

TEST(PlainText, LetsPaintsOwnColoursThroughAlone) {
  std::ostringstream stream;
  {
    const PlainText filter(stream);
    const Paint paint(true);
    stream << paint.red("a\x1b[32mb") << " \x1b[0m\n"
           << paint.bold("c") << '\n'
           << Paint(false).red("d");
  }
  EXPECT_EQ(stream.str(), "\x1b[31ma?[32mb\x1b[0m ?[0m\n\x1b[1mc\x1b[0m\nd");
}

TEST(PlainText, LeavesTheStreamAsItWas) {
  std::ostringstream stream;
  auto* const before = stream.rdbuf();
  {
    const PlainText filter(stream);
    stream << "\a";
    write_bytes(stream, "\xff\x1b");
    stream << "\a" << std::flush;
  }
  stream << "\a";
  EXPECT_EQ(stream.rdbuf(), before);
  EXPECT_EQ(stream.str(), "?\xff\x1b?\a");
}

TEST(PlainText, SaysThatNothingCanBeWrittenAnyMore) {
  std::ofstream full("/dev/full");
  const PlainText filter(full);
  EXPECT_FALSE(full << "x\n" << std::flush);
}

}  // namespace
}  // namespace icelock::app
