// SPDX-License-Identifier: Apache-2.0
#include "ipc/operations.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <tuple>

namespace icelock::ipc {
namespace {

using Row = std::tuple<std::string, std::string, std::string, std::string>;

std::string word_for(Right right) {
  return right == Right::read ? "read" : right == Right::mode ? "mode" : "root";
}

std::set<Row> documented() {
  std::ifstream file(ICELOCK_SOURCE_DIR "/docs/protocol.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto begin = text.find("## The service's doors");
  const std::string section = text.substr(begin, text.find("\n## ", begin) - begin);
  const std::regex line(R"(\n\| `(\w+)` \| (read|mode|root) \| (?:`(\w+) (\S+)`|-) \|)");
  std::set<Row> rows;
  for (std::sregex_iterator row(section.begin(), section.end(), line), end; row != end; ++row) {
    rows.emplace((*row)[1], (*row)[2], (*row)[3], (*row)[4]);
  }
  return rows;
}

TEST(Operations, AreThoseOfTheDocumentWithTheirRightsAndPaths) {
  std::set<Row> served;
  for (const auto& [name, right, method, path] : operations()) {
    served.emplace(name, word_for(right), method, path);
  }
  EXPECT_EQ(served.size(), operations().size());
  EXPECT_EQ(served, documented());
}

TEST(Operations, AreFoundByName) {
  for (const Operation& row : operations()) EXPECT_EQ(find_operation(row.name), &row);
  EXPECT_EQ(find_operation("fly"), nullptr);
}

}  // namespace
}  // namespace icelock::ipc
