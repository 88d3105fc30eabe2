// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <fstream>
#include <regex>
#include <set>
#include <utility>
#include <vector>

namespace icelock {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Row {
  std::string name;
  int http_status = 0;
  int exit_code = 0;
};

/// The rows of the table under "## Codes".
std::vector<Row> documented_codes() {
  std::ifstream file(ICELOCK_SOURCE_DIR "/docs/protocol.md");
  const std::regex row(R"(\| `([a-z_]+)` \| (\d+) \| (\d+) \| \S.* \|)");
  std::vector<Row> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## Codes";
    std::smatch match;
    if (inside && std::regex_match(line, match, row)) {
      rows.push_back({match[1], std::stoi(match[2]), std::stoi(match[3])});
    }
  }
  return rows;
}

TEST(Error, CodesAreTheOnesInTheProtocolDocument) {
  const std::vector<Row> rows = documented_codes();
  ASSERT_EQ(rows.size(), codes().size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const CodeInfo& code = codes()[i];
    EXPECT_EQ(rows[i].name, code.name);
    EXPECT_EQ(rows[i].http_status, code.http_status) << code.name;
    EXPECT_EQ(rows[i].exit_code, code.exit_code) << code.name;
  }
}

TEST(Error, NamesAreUniqueAndNoExitCodeMeansSuccessOrBelongsToAVerb) {
  std::set<std::string_view> names;
  for (const CodeInfo& code : codes()) {
    EXPECT_TRUE(names.insert(code.name).second) << code.name;
    EXPECT_THAT(code.exit_code, ::testing::AnyOf(1, 5, 6, 64)) << code.name;
    EXPECT_EQ(&info(code.code), &code);
  }
}

TEST(Error, TextHasTheObjectOnlyIfThereIsOne) {
  EXPECT_EQ(to_string(Error{Code::io, "cannot read", "/some/file"}), "cannot read: /some/file");
  EXPECT_EQ(to_string(Error{Code::io, "cannot read", ""}), "cannot read");
}

TEST(Error, ErrnoBecomesACodeAndTheSystemsWords) {
  const std::vector<std::pair<int, Code>> cases = {
      {ENOSPC, Code::no_space},     {EDQUOT, Code::no_space},     {EACCES, Code::not_permitted},
      {EPERM, Code::not_permitted}, {EROFS, Code::not_permitted}, {ENOENT, Code::not_found},
      {ETIMEDOUT, Code::timeout},   {ELOOP, Code::unsafe_path},   {EIO, Code::io},
      {ENOTDIR, Code::io},
  };
  for (const auto& [number, code] : cases) {
    EXPECT_EQ(fail_errno(number, "step").error().code, code) << number;
  }
  const Error error = fail_errno(ENOENT, "cannot open", "/some/file").error();
  EXPECT_THAT(error.what, StartsWith("cannot open ("));
  EXPECT_THAT(error.what, HasSubstr("No such file"));
  EXPECT_EQ(error.object, "/some/file");
}

}  // namespace
}  // namespace icelock
