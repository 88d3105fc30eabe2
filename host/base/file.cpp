// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/fd.h"

namespace icelock {

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot write", path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno(errno, "cannot open", path.string());
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "cannot stat", path.string());
  if (!S_ISREG(status.st_mode)) return fail(Code::unsafe_path, "not a regular file", path.string());
  std::string bytes;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot read", path.string());
    if (n == 0) return bytes;
    if (bytes.size() + static_cast<std::size_t>(n) > limit) {
      return fail(Code::too_large, "file is too large", path.string());
    }
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Result<void> replace_file(const std::filesystem::path& path, std::string_view bytes,
                          unsigned mode) {
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code problem;
  std::filesystem::create_directories(parent, problem);
  if (problem) return fail_errno(problem.value(), "cannot make the folder", parent.string());
  std::string stage = path.string() + ".XXXXXX";
  const Fd fd(::mkostemp(stage.data(), O_CLOEXEC));
  if (!fd) return fail_errno(errno, "cannot make a file beside", path.string());
  auto give_up = [&](std::unexpected<Error> error) -> Result<void> {
    ::unlink(stage.c_str());
    return error;
  };
  if (auto written = write_all(fd.get(), bytes, stage); !written) {
    return give_up(std::unexpected(written.error()));
  }
  if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0) {
    return give_up(fail_errno(errno, "cannot finish", stage));
  }
  if (::rename(stage.c_str(), path.c_str()) != 0) {
    return give_up(fail_errno(errno, "cannot replace", path.string()));
  }
  const Fd folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());
  return {};
}

}  // namespace icelock
