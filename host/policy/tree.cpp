// SPDX-License-Identifier: Apache-2.0
#include "policy/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

namespace icelock::policy {
namespace {

constexpr std::size_t size_limit = std::size_t{16} << 20;
constexpr std::int64_t second = 1'000'000'000;

Result<std::vector<std::string>> components(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") {
      return fail(Code::unsafe_path, "not a plain path below the root", std::string(path));
    }
    parts.emplace_back(part);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

Result<void> check_owner(const struct stat& status, const std::string& shown) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return fail(Code::unsafe_path, "belongs to somebody else", shown);
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Code::unsafe_path, "others may write to it", shown);
  }
  return {};
}

Result<Fd> open_folder(int parent, const std::string& name, const std::string& shown) {
  Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && errno == ENOTDIR) {
    struct stat status{};
    const bool link = ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                      S_ISLNK(status.st_mode);
    return fail(Code::unsafe_path, link ? "a symlink is on the way" : "not a folder", shown);
  }
  if (!fd) return fail_errno(errno, "cannot open the folder", shown);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "cannot stat", shown);
  TRY(check_owner(status, shown));
  return fd;
}

}  // namespace

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

FileState new_file(std::string bytes, unsigned mode) {
  return {.bytes = std::move(bytes),
          .mode = mode,
          .uid = ::geteuid(),
          .gid = ::getegid(),
          .mtime_ns = now_ns()};
}

std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == path.npos ? std::string_view() : path.substr(0, slash));
}

std::string leaf_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == path.npos ? path : path.substr(slash + 1));
}

Result<FileState> read_state(int fd, const std::string& shown) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail_errno(errno, "cannot stat", shown);
  if (!S_ISREG(status.st_mode)) return fail(Code::unsafe_path, "not a regular file", shown);
  FileState state{.bytes = {},
                  .mode = status.st_mode & 07777U,
                  .uid = status.st_uid,
                  .gid = status.st_gid,
                  .mtime_ns = status.st_mtim.tv_sec * second + status.st_mtim.tv_nsec};
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot read", shown);
    if (n == 0) return state;
    state.bytes.append(buffer.data(), static_cast<std::size_t>(n));
    if (state.bytes.size() > size_limit) return fail(Code::too_large, "file is too large", shown);
  }
}

Result<Tree> Tree::open(const std::filesystem::path& root) {
  Fd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "cannot open the root folder", root.string());
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "cannot stat", root.string());
  TRY(check_owner(status, root.string()));
  return Tree(root, std::move(fd));
}

std::filesystem::path Tree::shown(std::string_view path) const {
  return root_ / path;
}

Result<Fd> Tree::folder(std::string_view path) const {
  auto parts = TRY(components(path));
  if (!fd_) return fail(Code::not_found, "there is no folder", std::string(path));
  Fd at(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!at) return fail_errno(errno, "cannot open the root folder", root_.string());
  std::filesystem::path so_far = root_;
  for (const std::string& part : parts) {
    so_far /= part;
    at = TRY(open_folder(at.get(), part, so_far.string()));
  }
  return at;
}

bool Tree::has_folder(std::string_view path) const {
  return folder(path).has_value();
}

Result<std::optional<FileState>> Tree::read(std::string_view path) const {
  const std::string shown_path = shown(path).string();
  auto parent = folder(parent_of(path));
  if (!parent && parent.error().code == Code::not_found) return std::nullopt;
  if (!parent) return std::unexpected(parent.error());
  const Fd fd(::openat(parent->get(), leaf_of(path).c_str(),
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd && errno == ELOOP) return fail(Code::unsafe_path, "a symlink", shown_path);
  if (!fd) return fail_errno(errno, "cannot open", shown_path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "cannot stat", shown_path);
  TRY(check_owner(status, shown_path));
  return read_state(fd.get(), shown_path);
}

std::optional<std::string> Tree::read_as_browser(std::string_view path) const {
  struct open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const std::string name(path);
  const Fd fd(static_cast<int>(::syscall(SYS_openat2, fd_.get(), name.c_str(), &how, sizeof how)));
  if (!fd) return std::nullopt;
  auto state = read_state(fd.get(), name);
  if (!state || (state->mode & S_IROTH) == 0) return std::nullopt;
  return std::move(state->bytes);
}

bool Tree::is_open_to_all(std::string_view path) const {
  mode_t needed = S_IROTH | S_IXOTH;
  for (std::string at(path); !at.empty(); at = parent_of(at)) {
    const auto opened = folder(at);
    if (!opened && opened.error().code == Code::not_found) continue;
    struct stat status{};
    if (!opened || ::fstat(opened->get(), &status) != 0) return false;
    if ((status.st_mode & needed) != needed) return false;
    needed = S_IXOTH;
  }
  return true;
}

Result<std::vector<std::string>> Tree::names(std::string_view path) const {
  std::vector<std::string> found;
  auto opened = folder(path);
  if (!opened && opened.error().code == Code::not_found) return found;
  if (!opened) return std::unexpected(opened.error());
  const int fd = ::fcntl(opened->get(), F_DUPFD_CLOEXEC, 0);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  if (!stream) {
    const int problem = errno;
    if (fd >= 0) ::close(fd);
    return fail_errno(problem, "cannot list", shown(path).string());
  }
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_type != DT_DIR) found.emplace_back(entry->d_name);
  }
  if (errno != 0) return fail_errno(errno, "cannot list", shown(path).string());
  std::sort(found.begin(), found.end());
  return found;
}

Result<std::vector<std::string>> Tree::missing_folders(std::string_view path) const {
  std::vector<std::string> missing;
  for (std::string at(path); !at.empty(); at = parent_of(at)) {
    auto opened = folder(at);
    if (opened) break;
    if (opened.error().code != Code::not_found) return std::unexpected(opened.error());
    missing.insert(missing.begin(), at);
  }
  return missing;
}

Result<void> Tree::make_folder(std::string_view path, unsigned mode) const {
  const std::string shown_path = shown(path).string();
  auto parent = TRY(folder(parent_of(path)));
  const std::string leaf = leaf_of(path);
  if (::mkdirat(parent.get(), leaf.c_str(), mode) != 0 && errno != EEXIST) {
    return fail_errno(errno, "cannot make the folder", shown_path);
  }
  auto made = TRY(folder(path));
  // The umask may have taken bits that the browser's user needs to read what is inside.
  if (::fchmod(made.get(), mode) != 0 || ::fsync(parent.get()) != 0) {
    return fail_errno(errno, "cannot finish the folder", shown_path);
  }
  return {};
}

Result<void> Tree::remove_empty_folders(const std::vector<std::string>& paths) const {
  Result<void> result;
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    const auto parent = folder(parent_of(*path));
    if (!parent) {
      if (parent.error().code != Code::not_found) result = std::unexpected(parent.error());
      continue;
    }
    if (::unlinkat(parent->get(), leaf_of(*path).c_str(), AT_REMOVEDIR) == 0) {
      ::fsync(parent->get());
    } else if (errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST) {
      result = fail_errno(errno, "cannot remove the folder", shown(*path).string());
    }
  }
  return result;
}

}  // namespace icelock::policy
