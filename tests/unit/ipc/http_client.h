// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/http_server.h"

// A server with a handler that keeps a record, and clients that are nothing but sockets: what is
// tested is the bytes.

namespace icelock::ipc::testing {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

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

class Client {
 public:
  Client() = default;
  explicit Client(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    const Address address(name);
    EXPECT_EQ(::connect(socket_.get(), address.get(), address.size), 0);
  }

  // False once the server closed the connection.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void end_sending() { ::shutdown(socket_.get(), SHUT_WR); }

  // Everything until the server closed, or until `mark` came; fails the test after a minute.
  std::string receive(std::string_view mark = {}) {
    const auto until = Clock::now() + 60s;
    std::size_t searched = 0;
    while (mark.empty() || text_.find(mark, searched) == std::string::npos) {
      searched = text_.size() - std::min(text_.size(), mark.size());
      pollfd wanted{socket_.get(), POLLIN, 0};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
      if (left <= 0ms || ::poll(&wanted, 1, static_cast<int>(left.count())) == 0) {
        ADD_FAILURE() << "nothing came; so far: " << text_.substr(0, 500);
        break;
      }
      std::array<char, 65536> bytes;
      const auto count = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
      if (count <= 0) break;
      text_.append(bytes.data(), static_cast<std::size_t>(count));
    }
    const auto end = mark.empty() ? text_.size() : text_.find(mark);
    if (end == std::string::npos) return std::exchange(text_, {});
    auto taken = text_.substr(0, end + mark.size());
    text_.erase(0, end + mark.size());
    return taken;
  }
  // At most so many bytes, with patience; 0 when the server closed.
  std::size_t receive_some(std::size_t most) {
    std::string bytes(most, '\0');
    const auto count = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  bool closed_within(std::chrono::milliseconds time) const {
    pollfd wanted{socket_.get(), 0, 0};
    return ::poll(&wanted, 1, static_cast<int>(time.count())) == 1;
  }

 private:
  Fd socket_;
  std::string text_;
};

inline bool is_root() {
  return ::geteuid() == 0;
}

// Somebody who is not root, by the kernel's word: the calling thread alone changes its uid (the
// library's function would change it for all threads).
inline Client connect_as_nobody(const std::string& name) {
  if (!is_root()) return Client(name);
  EXPECT_EQ(::syscall(SYS_setresuid, -1, 65534, -1), 0);
  Client client(name);
  EXPECT_EQ(::syscall(SYS_setresuid, -1, 0, -1), 0);
  return client;
}

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  Json json() const { return Json::parse(body, nullptr, false); }
};

inline Answer parse_answer(const std::string& text) {
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos || !text.starts_with("HTTP/1.1 ")) return {0, text, ""};
  return {std::stoi(text.substr(9, 3)), text.substr(0, end + 2), text.substr(end + 4)};
}

inline std::string get(std::string_view path, std::string_view more = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: icelock\r\n" + std::string(more) + "\r\n";
}

inline std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: icelock\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

class ServerTest : public ::testing::Test {
 protected:
  // Not in the destructor: the server's threads call handle() of the derived class.
  void TearDown() override { stop(); }

  void start(const HttpLimits& limits = {}) {
    auto started = HttpServer::start(
        listen_on(name),
        [this](const Peer& peer, const Operation& operation, const Json& arguments,
               const HttpServer::Left&) { return handle(peer, operation, arguments); },
        [this](const Peer& peer, const Error& error) {
          const std::lock_guard lock(mutex);
          EXPECT_EQ(peer.pid, ::getpid());
          refused.push_back(error.code);
        },
        limits);
    ASSERT_TRUE(started);
    server = *std::move(started);
  }
  void stop() { server.reset(); }

  virtual HttpServer::Reply handle(const Peer& peer, const Operation& operation,
                                   const Json& arguments) {
    const std::lock_guard lock(mutex);
    asked.push_back({peer, std::string(operation.name), arguments});
    return {.status = 200, .body = R"({"serial":)" + std::to_string(serial) + "}"};
  }

  Answer exchange(std::string_view request) {
    Client client(name);
    client.send(request);
    return parse_answer(client.receive());
  }

  std::size_t refusals(Code code) {
    const std::lock_guard lock(mutex);
    return static_cast<std::size_t>(std::ranges::count(refused, code));
  }

  std::size_t refusals() {
    const std::lock_guard lock(mutex);
    return refused.size();
  }

  struct Asked {
    Peer peer;
    std::string operation;
    Json arguments;
  };
  // What the handler was asked, so far.
  std::vector<Asked> heard() {
    const std::lock_guard lock(mutex);
    return asked;
  }

  const std::string name = fresh_name();
  std::mutex mutex;  ///< for what follows
  std::vector<Asked> asked;
  std::vector<Code> refused;
  int serial = 1;
  std::unique_ptr<HttpServer> server;
};

}  // namespace icelock::ipc::testing
