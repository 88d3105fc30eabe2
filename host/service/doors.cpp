// SPDX-License-Identifier: Apache-2.0
#include "service/doors.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace icelock::app {
namespace {

constexpr int waiting_connections = 512;
constexpr std::array names_in_folder = {"host.sock", "http.sock"};

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.string().size() >= sizeof address.sun_path) {
    return fail(Code::bad_request, "the socket's path is too long", path.string());
  }
  std::strcpy(address.sun_path, path.c_str());
  return address;
}

bool somebody_listens(const sockaddr_un& address) {
  // One that hangs, with a full queue, would keep a waiting connect(2) for ever: it listens too.
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         errno == EAGAIN;
}

Result<Fd> listen_at(const std::filesystem::path& path) {
  const auto address = TRY(address_of(path));
  if (somebody_listens(address)) {
    return fail(Code::busy, "another icelockd serves here", path.string());
  }
  ::unlink(path.c_str());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "cannot make a socket");
  // Open to all from its birth: there is no moment with another mode.
  const mode_t before = ::umask(0111);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int problem = errno;
  ::umask(before);
  if (bound != 0) return fail_errno(problem, "cannot make the socket", path.string());
  if (::listen(fd.get(), waiting_connections) != 0) {
    return fail_errno(errno, "cannot listen", path.string());
  }
  return fd;
}

Result<Doors> from_systemd(int count, char** names) {
  Doors doors;
  for (int i = 0; i < count; ++i) {
    Fd fd(SD_LISTEN_FDS_START + i);
    const std::string_view name = names != nullptr ? names[i] : "";
    if (sd_is_socket(fd.get(), AF_UNIX, SOCK_STREAM, 1) <= 0) {
      return fail(Code::io, "systemd passed something else than a listening socket",
                  std::string(name));
    }
    if (name == "host") {
      doors.frames = std::move(fd);
    } else if (name == "http") {
      doors.http = std::move(fd);
    }
  }
  if (!doors.frames || !doors.http) {
    return fail(Code::io, "systemd must pass two sockets, named host and http");
  }
  return doors;
}

}  // namespace

bool doors_are_there(const std::filesystem::path& root) {
  return std::ranges::all_of(names_in_folder, [&](const char* name) {
    struct stat status{};
    return ::lstat((root / "run/icelock" / name).c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
  });
}

Result<Doors> open_doors(const std::filesystem::path& root) {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  if (count > 0) {
    auto doors = from_systemd(count, names);
    for (int i = 0; names != nullptr && i < count; ++i) std::free(names[i]);
    std::free(static_cast<void*>(names));
    return doors;
  }
  const auto folder = root / "run/icelock";
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0) return fail_errno(errno, "no folder", folder.string());
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() ||
      (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Code::unsafe_path, "others could put a socket here", folder.string());
  }
  Doors doors;
  doors.own = {folder / names_in_folder[0], folder / names_in_folder[1]};
  for (const auto& [target, path] :
       {std::pair{&doors.frames, doors.own[0]}, std::pair{&doors.http, doors.own[1]}}) {
    *target = TRY(listen_at(path));
  }
  return doors;
}

}  // namespace icelock::app
