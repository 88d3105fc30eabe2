// SPDX-License-Identifier: Apache-2.0
// What the store must refuse, with its code, and without touching anything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include "base/fd.h"
#include "policy/ledger.h"
#include "policy/store.h"
#include "temp_root.h"

namespace icelock::policy {
namespace {

constexpr const char* managed = "etc/chromium/policies/managed";
constexpr const char* chromium_file = "etc/chromium/policies/managed/zz-icelock.json";
constexpr const char* firefox_file = "etc/firefox/policies/policies.json";
const Wanted both = {{"chromium", Level::force_proxy}, {"firefox", Level::force_proxy}};

// Plans and applies; the code of the first failure.
std::optional<Error> failure(const TempRoot& root, const Wanted& wanted = both) {
  const auto before = root.snapshot();
  Store store(root.path());
  std::optional<Error> error;
  const auto plan = store.plan(wanted);
  if (!plan) {
    error = plan.error();
  } else if (const auto done = store.apply(*plan); !done) {
    error = done.error();
  }
  if (error) {
    EXPECT_EQ(root.snapshot(), before) << to_string(*error);
  }
  return error;
}

#define EXPECT_REFUSED(root, expected_code, about)                        \
  do {                                                                    \
    const auto error = failure(root);                                     \
    ASSERT_TRUE(error) << "was not refused";                              \
    EXPECT_EQ(info(error->code).name, info(expected_code).name);          \
    EXPECT_EQ(error->object, ((root) / (about)).string()) << error->what; \
  } while (false)

TEST(Refusals, UnknownBrowser) {
  const TempRoot root;
  EXPECT_EQ(failure(root, {{"netscape", Level::disabled}})->code, Code::not_found);
  EXPECT_EQ(Store(root.path()).plan_revert({"netscape"}).error().code, Code::not_found);
}

TEST(Refusals, RootThatIsNotThere) {
  Store store("/nonexistent/icelock");
  EXPECT_EQ(store.plan(both).error().code, Code::not_found);
}

TEST(Refusals, SymlinkOnTheWay) {
  const TempRoot root;
  std::filesystem::create_directories(root / "elsewhere/policies/managed");
  std::filesystem::create_symlink(root / "elsewhere", root / "etc/chromium");
  EXPECT_REFUSED(root, Code::unsafe_path, "etc/chromium");
}

TEST(Refusals, SymlinkAsTheFile) {
  const TempRoot root;
  root.write("precious", "precious");
  std::filesystem::create_directories(root / managed);
  std::filesystem::create_symlink(root / "precious", root / chromium_file);
  EXPECT_REFUSED(root, Code::unsafe_path, chromium_file);
  EXPECT_EQ(root.read("precious"), "precious");
}

TEST(Refusals, SymlinkAsTheLedgersFolder) {
  const TempRoot root;
  std::filesystem::create_directories(root / "elsewhere");
  std::filesystem::create_symlink(root / "elsewhere", root / "var/lib/icelock");
  EXPECT_REFUSED(root, Code::unsafe_path, "var/lib/icelock");
}

TEST(Refusals, FileInThePlaceOfAFolder) {
  const TempRoot root;
  root.write("etc/chromium/policies", "x");
  EXPECT_REFUSED(root, Code::unsafe_path, "etc/chromium/policies");
}

TEST(Refusals, FolderInThePlaceOfTheFile) {
  const TempRoot root;
  std::filesystem::create_directories(root / chromium_file);
  EXPECT_REFUSED(root, Code::unsafe_path, chromium_file);
}

TEST(Refusals, FifoInThePlaceOfTheFile) {
  const TempRoot root;
  std::filesystem::create_directories(root / managed);
  ASSERT_EQ(::mkfifo((root / chromium_file).c_str(), 0644), 0);
  EXPECT_REFUSED(root, Code::unsafe_path, chromium_file);
}

class LooseMode : public testing::TestWithParam<mode_t> {};

TEST_P(LooseMode, FolderIsRefused) {
  const TempRoot root;
  std::filesystem::create_directories(root / managed);
  ::chmod((root / managed).c_str(), GetParam());
  EXPECT_REFUSED(root, Code::unsafe_path, managed);
}

// A sticky bit keeps others from renaming files, not from adding a policy file of their own.
INSTANTIATE_TEST_SUITE_P(Modes, LooseMode, testing::Values(0777, 0775, 01777));

TEST(Refusals, FileThatOthersMayWrite) {
  const TempRoot root;
  root.write(firefox_file, "{}", 0666);
  EXPECT_REFUSED(root, Code::unsafe_path, firefox_file);
}

TEST(Refusals, FileOrFolderOfAnother) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files to another user";
  const TempRoot root;
  root.write(firefox_file, "{}");
  ASSERT_EQ(::chown((root / firefox_file).c_str(), 65534, 65534), 0);
  EXPECT_REFUSED(root, Code::unsafe_path, firefox_file);
  std::filesystem::remove(root / firefox_file);
  ASSERT_EQ(::chown((root / "etc/firefox").c_str(), 65534, 65534), 0);
  EXPECT_REFUSED(root, Code::unsafe_path, "etc/firefox");
}

class BrokenFirefox : public testing::TestWithParam<const char*> {};

TEST_P(BrokenFirefox, IsLeftAloneWithItsNeighbours) {
  const TempRoot root;
  root.write(firefox_file, GetParam());
  EXPECT_REFUSED(root, Code::bad_policy_file, firefox_file);
  EXPECT_FALSE(root.has("var/lib/icelock"));
}

INSTANTIATE_TEST_SUITE_P(Files, BrokenFirefox,
                         testing::Values("{", "{\"policies\": {},}", "\xEF\xBB\xBF{}", "[]", " ",
                                         "{\"policies\": {}, \"policies\": {}}",
                                         "{\"policies\": []}",
                                         "{\"policies\": {\"Preferences\": \"{}\"}}"));

TEST(Refusals, FileTooLarge) {
  const TempRoot root;
  root.write(firefox_file, "{}" + std::string(std::size_t{17} << 20, ' '));
  EXPECT_REFUSED(root, Code::too_large, firefox_file);
}

TEST(Refusals, FileThatChangedSinceThePlan) {
  const TempRoot root;
  root.write(firefox_file, "{}");
  Store store(root.path());
  const auto plan = store.plan(both);
  root.write(firefox_file, "{ }");
  const auto before = root.snapshot();
  EXPECT_EQ(store.apply(*plan).error().code, Code::changed);
  EXPECT_EQ(root.snapshot(), before);
}

TEST(Refusals, FileThatCameUpSinceThePlan) {
  const TempRoot root;
  Store store(root.path());
  const auto plan = store.plan(both);
  root.write(chromium_file, "");
  EXPECT_EQ(store.apply(*plan).error().code, Code::changed);
  EXPECT_EQ(root.read(chromium_file), "");
}

TEST(Refusals, RevertOfAFileThatChangedSinceThePlan) {
  const TempRoot root;
  Store store(root.path());
  ASSERT_TRUE(store.apply(*store.plan(both)));
  const auto plan = store.plan_revert({});
  root.write(firefox_file, "{}");
  const auto before = root.snapshot();
  EXPECT_EQ(store.revert(*plan).error().code, Code::changed);
  EXPECT_EQ(root.snapshot(), before);
}

TEST(Refusals, AnotherIcelockAtWork) {
  const TempRoot root;
  Store store(root.path());
  ASSERT_TRUE(store.apply(*store.plan({{"chrome", Level::force_proxy}})));
  const Fd folder(::open((root / "var/lib/icelock").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(folder.get(), LOCK_EX), 0);
  EXPECT_REFUSED(root, Code::busy, "var/lib/icelock");
  EXPECT_EQ(store.revert(*store.plan_revert({})).error().code, Code::busy);
}

TEST(Refusals, LedgerThatCannotBeRead) {
  for (const auto& [text, code] :
       {std::pair{"{", Code::bad_policy_file},
        {R"({"v": 2})", Code::version},
        {R"({"v": 1, "files": [{"path": "etc/passwd"}], "folders": []})", Code::bad_policy_file},
        {R"({"v": 1, "files": [{"path": "x", "original": null, "written": ["\u0100"]}],
             "folders": []})",
         Code::bad_policy_file},
        {"[]", Code::bad_policy_file}}) {
    const TempRoot root;
    root.write("var/lib/icelock/ledger.json", text, 0600);
    EXPECT_EQ(failure(root)->code, code) << text;
    EXPECT_EQ(Store(root.path()).plan_revert({}).error().code, code) << text;
  }
}

// Whoever can write the ledger is root already; still it must not be a way to any other file.
TEST(Refusals, LedgerThatNamesAnotherFile) {
  const TempRoot root;
  root.write("etc/passwd", "root");
  root.write("var/lib/icelock/ledger.json",
             R"({"v": 1, "files": [{"path": "etc/passwd", "original": null, "written": ["root"]}],
                 "folders": []})",
             0600);
  EXPECT_EQ(Store(root.path()).plan_revert({}).error().code, Code::bad_policy_file);
  EXPECT_EQ(root.read("etc/passwd"), "root");
}

TEST(Refusals, PlanForAFileThatIsNoPolicyFile) {
  const TempRoot root;
  root.write("etc/passwd", "root");
  Plan plan;
  plan.changes.push_back({.browser = "firefox",
                          .path = root / "etc/passwd",
                          .kind = Change::Kind::replace,
                          .before = "root",
                          .after = "x",
                          .keys = {},
                          .notes = {}});
  EXPECT_EQ(Store(root.path()).apply(plan).error().code, Code::bad_request);
  EXPECT_EQ(root.read("etc/passwd"), "root");
}

TEST(Refusals, RevertOfAnEditedFileThatIsBroken) {
  const TempRoot root;
  Store store(root.path());
  ASSERT_TRUE(store.apply(*store.plan(both)));
  root.write(firefox_file, "{");
  EXPECT_EQ(store.plan_revert({}).error().code, Code::bad_policy_file);
  ASSERT_TRUE(store.revert(*store.plan_revert({"chromium"})));
  EXPECT_FALSE(root.has("etc/chromium"));
}

TEST(Ledger, SurvivesItsText) {
  Ledger ledger;
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  ledger.files.push_back({"a", FileState{bytes, 0640, 3, 4, -5}, {"x", bytes}});
  ledger.files.push_back({"b", std::nullopt, {}});
  ledger.folders = {"c", "c/d"};
  const auto again = parse_ledger(to_text(ledger));
  ASSERT_TRUE(again);
  ASSERT_EQ(again->files.size(), 2U);
  EXPECT_EQ(again->files[0].original, ledger.files[0].original);
  EXPECT_EQ(again->files[0].written, ledger.files[0].written);
  EXPECT_EQ(again->files[1].original, std::nullopt);
  EXPECT_EQ(again->folders, ledger.folders);
}

}  // namespace
}  // namespace icelock::policy
