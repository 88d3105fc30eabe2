// SPDX-License-Identifier: Apache-2.0
#include "service/site_book.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "../shared/temp_folder.h"
#include "base/file.h"

namespace icelock::app {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

const policy::SiteException meet{"https://meet.example", Level::default_route_only};
const policy::SiteException other{"https://other.example", Level::unrestricted};

class SiteBookTest : public testing::Test {
 protected:
  std::string bytes() const { return read_file(file_).value_or(""); }
  json content() const { return json::parse(bytes()); }
  void write(const json& content) const { ASSERT_TRUE(replace_file(file_, content.dump(), 0600)); }
  /// Nothing can be written any more.
  void lose_the_folder() const {
    std::filesystem::remove_all(folder_.path());
    ASSERT_TRUE(replace_file(folder_.path(), "in the way", 0600));
  }
  static std::vector<std::string> patterns(const SiteBook& book) {
    std::vector<std::string> found;
    for (const auto& entry : book.entries()) found.push_back(entry.site.pattern);
    return found;
  }

  test::TempFolder folder_;
  std::filesystem::path file_ = folder_ / "sites.json";
};

TEST_F(SiteBookTest, IsEmptyWithoutAFile) {
  const SiteBook book(file_);
  EXPECT_THAT(book.entries(), IsEmpty());
  EXPECT_EQ(book.problem(), std::nullopt);
  EXPECT_EQ(book.timeout(), -1);
}

TEST_F(SiteBookTest, KeepsWhatWasGrantedForTheNextStart) {
  SiteBook book(file_);
  ASSERT_TRUE(book.allow(1000, meet, 0s));
  ASSERT_TRUE(book.allow(0, other, 30min));
  const SiteBook next(file_);
  ASSERT_THAT(patterns(next), ElementsAre(meet.pattern, other.pattern));
  EXPECT_EQ(next.entries()[0].uid, 1000U);
  EXPECT_EQ(next.entries()[0].site, meet);
  EXPECT_EQ(next.entries()[0].end, std::nullopt);
  ASSERT_TRUE(next.entries()[1].end);
  const auto left = *next.entries()[1].end - SiteBook::now();
  EXPECT_GT(left, 29min);
  EXPECT_LE(left, 30min);
  EXPECT_EQ(next.timeout(), 60'000) << "the loop looks once a minute at the least";
}

TEST_F(SiteBookTest, ReplacesOnesOwnAndNobodyElses) {
  SiteBook book(file_);
  ASSERT_TRUE(book.allow(1000, meet, 0s));
  ASSERT_TRUE(book.allow(1001, meet, 0s));
  ASSERT_TRUE(book.allow(1000, {meet.pattern, Level::unrestricted}, 0s));
  ASSERT_EQ(book.entries().size(), 2U);
  EXPECT_EQ(book.entries()[0].site.level, Level::default_route_only);
  EXPECT_EQ(book.entries()[1].site.level, Level::unrestricted);
}

TEST_F(SiteBookTest, EndsAtItsTime) {
  SiteBook book(file_);
  ASSERT_TRUE(book.allow(1000, meet, 1s));
  ASSERT_TRUE(book.allow(1000, other, 0s));
  EXPECT_THAT(book.expire(), IsEmpty());
  EXPECT_LE(book.timeout(), 1000);
  std::this_thread::sleep_for(1010ms);
  EXPECT_EQ(book.timeout(), 0);
  const auto ended = book.expire();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].site, meet);
  EXPECT_THAT(patterns(book), ElementsAre(other.pattern));
  EXPECT_THAT(patterns(SiteBook(file_)), ElementsAre(other.pattern));
}

TEST_F(SiteBookTest, WhatEndedMeanwhileIsTakenOutOfTheFileToo) {
  ASSERT_TRUE(SiteBook(file_).allow(1000, meet, 30min));
  json past = content();
  past["sites"][0]["ends_ms"] = past["sites"][0]["ends_ms"].get<std::int64_t>() - 31 * 60'000;
  write(past);
  EXPECT_THAT(SiteBook(file_).entries(), IsEmpty());
  EXPECT_THAT(content()["sites"], IsEmpty()) << "or it comes back when the clock is set back";
}

TEST_F(SiteBookTest, AClockThatWasSetBackLengthensNothing) {
  SiteBook book(file_);
  ASSERT_TRUE(book.allow(1000, meet, 30min));
  ASSERT_TRUE(book.allow(1000, other, 2h));
  json back = content();
  // As the file would be had the wall clock been an hour later when it was written.
  constexpr std::int64_t hour = 3'600'000;
  back["booted_ms"] = back["booted_ms"].get<std::int64_t>() + hour;
  for (json& site : back["sites"]) site["ends_ms"] = site["ends_ms"].get<std::int64_t>() + hour;
  write(back);
  const SiteBook same(file_);
  ASSERT_THAT(patterns(same), ElementsAre(meet.pattern, other.pattern));
  EXPECT_LE(*same.entries()[0].end - SiteBook::now(), 30min);
  // Without the word on when the machine had started it would be an hour more.
  back["booted_ms"] = back["booted_ms"].get<std::int64_t>() + hour;
  write(back);
  const SiteBook later(file_);
  ASSERT_THAT(patterns(later), ElementsAre(other.pattern));
  EXPECT_LE(*later.entries()[0].end - SiteBook::now(), 1h);
}

TEST_F(SiteBookTest, AnEndBeyondWhatWasGrantedIsNone) {
  ASSERT_TRUE(SiteBook(file_).allow(1000, meet, 30min));
  json beyond = content();
  beyond["sites"][0]["ends_ms"] = beyond["sites"][0]["ends_ms"].get<std::int64_t>() + 60'000;
  write(beyond);
  EXPECT_THAT(SiteBook(file_).entries(), IsEmpty());
}

TEST_F(SiteBookTest, AFileThatCannotBeUsedGrantsNothingAndIsKeptAside) {
  ASSERT_TRUE(SiteBook(file_).allow(1000, meet, 0s));
  const json good = content();
  const auto with = [&](const char* key, const json& value) {
    json changed = good;
    changed["sites"][0][key] = value;
    return changed.dump();
  };
  json late = good;
  late.erase("booted_ms");
  for (const std::string& broken :
       {std::string("{"), std::string("[]"), std::string(R"({"v":1,"sites":{}})"), late.dump(),
        json{{"v", 2}, {"booted_ms", 1}, {"sites", json::array()}}.dump(), with("uid", -1),
        with("uid", 4294967295), with("pattern", "*"), with("pattern", 5),
        with("level", "force_proxy"), with("level", "most"), with("seconds", 5),
        with("ends_ms", 18446744073709551615U)}) {
    ASSERT_TRUE(replace_file(file_, broken, 0600));
    SiteBook book(file_);
    EXPECT_THAT(book.entries(), IsEmpty()) << broken;
    ASSERT_TRUE(book.problem()) << broken;
    EXPECT_EQ(bytes(), broken) << "somebody may mend it";
    ASSERT_TRUE(book.allow(1000, other, 0s));
    EXPECT_EQ(book.problem(), std::nullopt);
    EXPECT_EQ(read_file(file_.string() + ".broken").value_or(""), broken);
    EXPECT_THAT(patterns(SiteBook(file_)), ElementsAre(other.pattern));
  }
}

TEST_F(SiteBookTest, HasRoomForEachUserAndForAll) {
  ASSERT_TRUE(SiteBook(file_).allow(1, meet, 0s));
  json full = content();
  const json one = full["sites"][0];
  full["sites"] = json::array();
  for (std::size_t i = 0; i < SiteBook::most - 1; ++i) {
    json site = one;
    site["uid"] = 1 + i / SiteBook::most_of_one;
    site["pattern"] = "https://a" + std::to_string(i) + ".example";
    full["sites"].push_back(site);
  }
  write(full);
  SiteBook book(file_);
  ASSERT_EQ(book.problem(), std::nullopt);
  EXPECT_EQ(book.allow(1, meet, 0s).error().code, Code::too_large) << "has a hundred";
  EXPECT_TRUE(book.allow(5, meet, 0s)) << "had ninety-nine";
  EXPECT_EQ(book.allow(6, meet, 0s).error().code, Code::too_large) << "all together are full";
  EXPECT_TRUE(book.allow(5, {meet.pattern, Level::unrestricted}, 0s)) << "replaces one";
  EXPECT_EQ(SiteBook(file_).entries().size(), SiteBook::most);
}

TEST_F(SiteBookTest, OnlyRootDeniesWhatOthersAllowed) {
  SiteBook book(file_);
  ASSERT_TRUE(book.allow(1000, meet, 0s));
  ASSERT_TRUE(book.allow(1001, meet, 0s));
  ASSERT_TRUE(book.allow(1001, other, 0s));
  EXPECT_EQ(book.deny(1000, other.pattern).error().code, Code::not_permitted);
  EXPECT_EQ(book.deny(1000, "https://x.example").error().code, Code::not_found);
  EXPECT_EQ(book.entries().size(), 3U);
  ASSERT_TRUE(book.deny(1000, meet.pattern));
  EXPECT_THAT(patterns(book), ElementsAre(meet.pattern, other.pattern));
  ASSERT_TRUE(book.deny(std::nullopt, meet.pattern));
  EXPECT_THAT(patterns(SiteBook(file_)), ElementsAre(other.pattern));
}

TEST_F(SiteBookTest, WhatCannotBeWrittenLoosensNothingAndStillTightens) {
  SiteBook book(file_);
  ASSERT_TRUE(book.allow(1000, meet, 0s));
  lose_the_folder();
  EXPECT_FALSE(book.allow(1000, other, 0s));
  EXPECT_THAT(patterns(book), ElementsAre(meet.pattern));
  EXPECT_FALSE(book.deny(1000, meet.pattern));
  EXPECT_THAT(book.entries(), IsEmpty());
  EXPECT_TRUE(book.problem()) << "the file still has it";
}

}  // namespace
}  // namespace icelock::app
