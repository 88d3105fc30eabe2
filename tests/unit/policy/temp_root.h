// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace icelock::policy {

/// A root folder of a test's own, removed at the end.
class TempRoot {
 public:
  TempRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "icelock-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    std::filesystem::create_directories(path_ / "var/lib");
    std::filesystem::create_directories(path_ / "etc");
  }
  TempRoot(const TempRoot&) = delete;
  TempRoot& operator=(const TempRoot&) = delete;
  ~TempRoot() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  void write(const std::string& name, const std::string& bytes, mode_t mode = 0644) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    ::chmod((path_ / name).c_str(), mode);
    // A time with nanoseconds, so that a restored one cannot be right by chance.
    const timespec time{.tv_sec = 1'600'000'000, .tv_nsec = 123'456'789};
    const timespec times[2] = {time, time};
    ::utimensat(AT_FDCWD, (path_ / name).c_str(), times, 0);
  }

  std::string read(const std::string& name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  bool has(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(path_ / name));
  }

  /// Every name with its kind, mode, owner and, for files, time and content.
  std::map<std::string, std::string> snapshot() const {
    std::map<std::string, std::string> result;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      struct stat status{};
      ::lstat(entry.path().c_str(), &status);
      std::string text = std::to_string(status.st_mode) + " " + std::to_string(status.st_uid) +
                         " " + std::to_string(status.st_gid);
      const std::string name = std::filesystem::relative(entry.path(), path_).string();
      if (S_ISREG(status.st_mode)) {
        text += " " + std::to_string(status.st_mtim.tv_sec) + "." +
                std::to_string(status.st_mtim.tv_nsec) + " " + read(name);
      }
      result[name] = text;
    }
    return result;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace icelock::policy
