// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "ipc/server.h"
#include "sockets.h"

// A server with a handler that keeps a record, and clients that are nothing but sockets: what is
// tested is the bytes.

namespace icelock::ipc::testing {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Client {
 public:
  Client() = default;
  explicit Client(const std::string& name) : socket_(connect_to(name)) {}

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

// The server of the HTTP door in a loop on a thread of its own, as the daemon's is.
class ServerTest : public ::testing::Test {
 protected:
  // Not in the destructor: the loop calls handle() of the derived class.
  void TearDown() override { stop(); }

  template <class Change>
  void start(Change change) {
    start_on(listen_on(name), change);
  }
  void start() {
    start([](Limits&) {});
  }
  template <class Change>
  void start_on(Fd socket, Change change) {
    listening = socket.get();
    Door door = http_door(std::move(socket));
    change(door.limits);
    std::vector<Door> doors;
    doors.push_back(std::move(door));
    auto opened = Server::open(
        std::move(doors),
        {.request =
             [this](Server::Client client, const Peer& peer, const Operation& operation,
                    Json arguments, std::stop_token left) {
               asked.push_back({client, peer, std::string(operation.name), arguments, left});
               if (operation.name == "subscribe") subscribers.push_back(client);
               const auto result = handle(operation);
               if (result) server->answer(client, *result);
             },
         .gone = [this](Server::Client client) { std::erase(subscribers, client); },
         .refused =
             [this](const Peer& peer, const Error& error) {
               EXPECT_EQ(peer.pid, ::getpid());
               refused.push_back(error.code);
             }});
    ASSERT_TRUE(opened);
    server = *std::move(opened);
    stopping = false;
    loop = std::thread([this] { run(); });
  }
  void stop() {
    if (!loop.joinable()) return;
    on_loop([this] { stopping = true; });
    loop.join();
    server.reset();
  }

  // Runs it on the loop's thread, which owns all below, and waits for it.
  template <class Job>
  std::invoke_result_t<Job> on_loop(Job job) {
    if (!loop.joinable()) return job();
    std::packaged_task<std::invoke_result_t<Job>()> task(std::move(job));
    auto done = task.get_future();
    {
      const std::lock_guard lock(mutex);
      jobs.emplace_back([&task] { task(); });
    }
    ::eventfd_write(bell.get(), 1);
    return done.get();
  }

  // On the loop's thread. Nothing: it is answered later.
  virtual std::optional<Result<Json>> handle(const Operation& operation) {
    return operation.name == "metrics" ? Json{{"text", "up 1\n"}} : state();
  }
  Json state() const { return {{"serial", serial}}; }

  Answer exchange(std::string_view request) {
    Client client(name);
    client.send(request);
    return parse_answer(client.receive());
  }

  std::size_t refusals(Code code) {
    return on_loop([&] { return static_cast<std::size_t>(std::ranges::count(refused, code)); });
  }
  std::size_t refusals() {
    return on_loop([this] { return refused.size(); });
  }

  struct Asked {
    Server::Client client;
    Peer peer;
    std::string operation;
    Json arguments;
    std::stop_token left;
  };
  // What the handler was asked, so far.
  std::vector<Asked> heard() {
    return on_loop([this] { return asked; });
  }

  const std::string name = fresh_name();
  std::vector<Asked> asked;
  std::vector<Code> refused;
  std::vector<Server::Client> subscribers;
  int serial = 1;
  int listening = -1;  ///< the server's descriptor
  std::unique_ptr<Server> server;

 private:
  void run() {
    while (!stopping) {
      std::array fds = {pollfd{server->fd(), POLLIN, 0}, pollfd{bell.get(), POLLIN, 0}};
      ::poll(fds.data(), fds.size(), server->timeout(Clock::now()));
      eventfd_t rings = 0;
      ::eventfd_read(bell.get(), &rings);
      std::vector<std::function<void()>> mine;
      {
        const std::lock_guard lock(mutex);
        mine.swap(jobs);
      }
      for (const auto& job : mine) job();
      server->handle(Clock::now());
    }
  }

  const Fd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;  ///< for jobs
  std::vector<std::function<void()>> jobs;
  bool stopping = false;
  std::thread loop;
};

// The body of the answer to a request that was served.
inline std::string served(int serial) {
  return R"({"v":1,"id":null,"ok":true,"serial":)" + std::to_string(serial) + "}";
}

}  // namespace icelock::ipc::testing
