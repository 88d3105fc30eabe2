// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace icelock::ipc::testing {

// A name in the abstract namespace (unix(7)): no file, no rights, nothing to clean up.
inline std::string fresh_name() {
  static std::atomic<int> count = 0;
  return "icelock-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

struct Address {
  explicit Address(std::string_view name) {
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }

  sockaddr_un address{};
  socklen_t size = 0;
};

inline Fd listen_on(const std::string& name) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address address(name);
  EXPECT_EQ(::bind(socket.get(), address.get(), address.size), 0);
  EXPECT_EQ(::listen(socket.get(), 1024), 0);
  return socket;
}

inline Fd connect_to(const std::string& name) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address address(name);
  EXPECT_EQ(::connect(socket.get(), address.get(), address.size), 0);
  return socket;
}

}  // namespace icelock::ipc::testing
