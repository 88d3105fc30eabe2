// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace icelock {
namespace {

namespace fs = std::filesystem;
using ::testing::UnorderedElementsAre;

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    std::string name = (fs::temp_directory_path() / "icelock_file_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~FileTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  fs::path at(const std::string& name) const { return folder_ / name; }

  static void put(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static std::string get(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      found.push_back(entry.path().filename().string());
    }
    return found;
  }
  static unsigned mode(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    return status.st_mode & 07777U;
  }
  static std::size_t open_descriptors() {
    const fs::directory_iterator fds("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
  }

  fs::path folder_;
};

TEST_F(FileTest, ReadsBytesAsTheyAre) {
  const std::string bytes("a\0b\r\n\xff", 6);
  put(at("file"), bytes);
  EXPECT_EQ(read_file(at("file")).value(), bytes);
  put(at("empty"), "");
  EXPECT_EQ(read_file(at("empty")).value(), "");
}

TEST_F(FileTest, ReadsUpToTheLimitAndNotOneByteMore) {
  put(at("file"), std::string(40000, 'x'));
  EXPECT_EQ(read_file(at("file"), 40000).value().size(), 40000U);
  EXPECT_EQ(read_file(at("file"), 39999).error().code, Code::too_large);
  EXPECT_EQ(read_file("/dev/zero").error().code, Code::unsafe_path);
}

TEST_F(FileTest, ReadNamesWhatWentWrong) {
  const auto missing = read_file(at("none"));
  EXPECT_EQ(missing.error().code, Code::not_found);
  EXPECT_EQ(missing.error().object, at("none").string());
  EXPECT_EQ(read_file(folder_).error().code, Code::unsafe_path);
  fs::create_symlink("loop", at("loop"));
  EXPECT_EQ(read_file(at("loop")).error().code, Code::unsafe_path);
}

TEST_F(FileTest, ReadNeverWaitsForTheWriterOfAFifo) {
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_file(at("fifo")).error().code, Code::unsafe_path);
}

TEST_F(FileTest, ReadFollowsSymlinks) {
  put(at("file"), "text");
  fs::create_symlink("file", at("link"));
  EXPECT_EQ(read_file(at("link")).value(), "text");
}

TEST_F(FileTest, ReplaceMakesFoldersFileAndMode) {
  ASSERT_TRUE(replace_file(at("a/b/file"), "one"));
  EXPECT_EQ(get(at("a/b/file")), "one");
  EXPECT_EQ(mode(at("a/b/file")), 0644U);
  ASSERT_TRUE(replace_file(at("a/b/file"), "two", 0600));
  EXPECT_EQ(get(at("a/b/file")), "two");
  EXPECT_EQ(mode(at("a/b/file")), 0600U);
}

TEST_F(FileTest, ReplaceLeavesNothingBeside) {
  ASSERT_TRUE(replace_file(at("file"), std::string(100000, 'x')));
  ASSERT_TRUE(replace_file(at("file"), "short"));
  EXPECT_THAT(names(), UnorderedElementsAre("file"));
  EXPECT_EQ(get(at("file")), "short");
}

TEST_F(FileTest, ReplaceIsANewFileSoThatAnOpenReaderKeepsTheOldOne) {
  put(at("file"), "old");
  std::ifstream reader(at("file"));
  ASSERT_TRUE(replace_file(at("file"), "new"));
  std::string seen;
  reader >> seen;
  EXPECT_EQ(seen, "old");
}

TEST_F(FileTest, ReplaceTakesTheSymlinksPlaceAndLeavesItsTarget) {
  put(at("target"), "target's own");
  fs::create_symlink("target", at("link"));
  ASSERT_TRUE(replace_file(at("link"), "new"));
  EXPECT_FALSE(fs::is_symlink(at("link")));
  EXPECT_EQ(get(at("link")), "new");
  EXPECT_EQ(get(at("target")), "target's own");
}

TEST_F(FileTest, ReplaceWorksInTheCurrentFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const auto done = replace_file("file", "text");
  fs::current_path(before);
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_EQ(get(at("file")), "text");
}

TEST_F(FileTest, ReplaceOfAFolderFailsAndCleansUp) {
  fs::create_directories(at("folder/inside"));
  const auto done = replace_file(at("folder"), "text");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::io);
  EXPECT_EQ(done.error().object, at("folder").string());
  EXPECT_THAT(names(), UnorderedElementsAre("folder"));
}

TEST_F(FileTest, ReplaceBelowAFileFails) {
  put(at("file"), "text");
  EXPECT_FALSE(replace_file(at("file/below"), "x"));
  EXPECT_EQ(get(at("file")), "text");
}

TEST_F(FileTest, ATooFullDiskKeepsTheOldFileWhole) {
  put(at("file"), "old and whole");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit tight{4096, before.rlim_max};
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const auto done = replace_file(at("file"), std::string(10000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::io);
  EXPECT_EQ(get(at("file")), "old and whole");
  EXPECT_THAT(names(), UnorderedElementsAre("file"));
}

/// Root may write anywhere, so a permission test has to be somebody else for its length.
class AsNobody {
 public:
  AsNobody() : done_(::geteuid() != 0 || ::seteuid(65534) == 0) {}
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() { EXPECT_EQ(::seteuid(::getuid()), 0); }
  bool done() const { return done_; }

 private:
  bool done_;
};

TEST_F(FileTest, AReadOnlyFolderKeepsTheOldFile) {
  put(at("file"), "old");
  fs::permissions(folder_, fs::perms(0555));
  {
    const AsNobody nobody;
    if (!nobody.done()) GTEST_SKIP() << "cannot become another user";
    const auto file = replace_file(at("file"), "new");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, Code::not_permitted);
    const auto folder = replace_file(at("deeper/file"), "new");
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().code, Code::not_permitted);
  }
  fs::permissions(folder_, fs::perms(0755));
  EXPECT_EQ(get(at("file")), "old");
  EXPECT_THAT(names(), UnorderedElementsAre("file"));
}

TEST_F(FileTest, NoDescriptorIsLeftOpen) {
  put(at("file"), "text");
  fs::create_directory(at("folder"));
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(read_file(at("file")));
    EXPECT_FALSE(read_file(at("file"), 1));
    EXPECT_FALSE(read_file(at("folder")));
    EXPECT_TRUE(replace_file(at("file"), "text"));
    EXPECT_FALSE(replace_file(at("folder"), "text"));
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace icelock
