// SPDX-License-Identifier: Apache-2.0
// What one client costs the others, and the machine. Deadlines are short here, and bounds on time
// wide: they tell a deadline that is kept from one that is not there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "http_client.h"

namespace icelock::ipc {
namespace {

using namespace testing;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool memory_is_ours = false;  // the sanitizers keep records
#else
constexpr bool memory_is_ours = true;
#endif

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::size_t number_in_status(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t number = 0;
    if (word == key && status >> number) return number;
  }
  return 0;
}

// Waits for something that the server's threads do soon, and the tests cannot see happen.
template <class Condition>
bool soon(Condition condition) {
  for (const auto until = Clock::now() + 60s; Clock::now() < until;) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

class HttpLimitsTest : public ServerTest {
 protected:
  HttpServer::Reply handle(const Peer& peer, const Operation& operation,
                           const Json& arguments) override {
    if (operation.name == "audit") return {200, std::string(8'000'000, 'x'), "text/plain"};
    if (operation.name == "metrics") {
      std::unique_lock lock(mutex);
      ++blocked;
      changed.notify_all();
      changed.wait(lock, [this] { return released; });
      return {200, "{}"};
    }
    return ServerTest::handle(peer, operation, arguments);
  }
  void TearDown() override {
    release();
    ServerTest::TearDown();
  }

  void wait_for_blocked(int count) {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_until(lock, std::chrono::system_clock::now() + 60s,
                                   [&] { return blocked == count; }));
  }
  void release() {
    const std::lock_guard lock(mutex);
    released = true;
    changed.notify_all();
  }

  std::condition_variable changed;
  int blocked = 0;
  bool released = false;
};

TEST_F(HttpLimitsTest, AClientThatDribblesItsHeaderIsDropped) {
  start({.read = 300ms});
  Client client(name);
  const auto begin = Clock::now();
  while (Clock::now() < begin + 40s && client.send("G")) std::this_thread::sleep_for(20ms);
  EXPECT_LT(Clock::now() - begin, 30s);
  EXPECT_EQ(parse_answer(client.receive()).json().value("code", ""), "timeout");
  EXPECT_EQ(refusals(Code::timeout), 1U);
}

TEST_F(HttpLimitsTest, AClientThatDribblesItsBodyIsDropped) {
  start({.read = 300ms});
  Client client(name);
  client.send("POST /v1/mode HTTP/1.1\r\nHost: icelock\r\nContent-Length: 60000\r\n\r\n");
  const auto begin = Clock::now();
  while (Clock::now() < begin + 40s && client.send(" ")) std::this_thread::sleep_for(20ms);
  EXPECT_LT(Clock::now() - begin, 30s);
  EXPECT_EQ(parse_answer(client.receive()).json().value("code", ""), "timeout");
  EXPECT_EQ(refusals(Code::timeout), 1U);
  EXPECT_TRUE(heard().empty());
}

TEST_F(HttpLimitsTest, AClientThatSaysNothingIsDropped) {
  start({.read = 100ms});
  Client client(name);
  EXPECT_EQ(parse_answer(client.receive()).json().value("code", ""), "timeout");
}

TEST_F(HttpLimitsTest, AClientThatNeverReadsIsDropped) {
  start({.write = 300ms});
  Client client(name);
  client.send(get("/v1/audit"));
  EXPECT_TRUE(client.closed_within(30s));
}

TEST_F(HttpLimitsTest, AClientThatReadsTooSlowlyIsDropped) {
  start({.write = 300ms});
  Client client(name);
  client.send(get("/v1/audit"));
  // Always some room for more, so that no single write waits long.
  std::size_t read = 0;
  for (const auto until = Clock::now() + 30s; Clock::now() < until;) {
    const auto portion = client.receive_some(20'000);
    if (portion == 0) break;
    read += portion;
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_LT(read, 8'000'000U);
  EXPECT_TRUE(client.closed_within(0ms));
}

TEST_F(HttpLimitsTest, AClientThatLeavesIsNoRefusal) {
  start();
  {
    const Client client(name);
  }
  EXPECT_EQ(exchange(get("/v1/status")).status, 200);
  EXPECT_EQ(refusals(), 0U);
  Client client(name);
  client.send("GET /v1/sta");
  client.end_sending();
  EXPECT_EQ(parse_answer(client.receive()).json().value("code", ""), "bad_request");
}

TEST_F(HttpLimitsTest, HangingClientsCostOthersNothing) {
  start({.read = 20s, .write = 20s, .streams = 4, .request_threads = 8, .waiting = 4});
  std::vector<Client> idle(7);
  for (auto& client : idle) client = Client(name);
  std::vector<Client> deaf(4);
  for (auto& client : deaf) {
    client = Client(name);
    client.send(get("/v1/events"));
    client.receive("\n\n");
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(exchange(get("/v1/status")).status, 200);
}

TEST_F(HttpLimitsTest, OneUidHasSoManyConnections) {
  start({.connections_per_uid = 3});
  std::vector<Client> clients(3);
  for (auto& client : clients) {
    client = connect_as_nobody(name);
    client.send(get("/metrics"));
  }
  wait_for_blocked(3);
  auto fourth = connect_as_nobody(name);
  const auto answer = parse_answer(fourth.receive());
  EXPECT_EQ(answer.status, info(Code::busy).http_status);
  EXPECT_EQ(answer.json().value("code", ""), "busy");
  EXPECT_EQ(refusals(Code::busy), 1U);
  if (is_root()) {
    EXPECT_EQ(exchange(get("/v1/status")).status, 200);
  }
  release();
  for (auto& client : clients) EXPECT_EQ(parse_answer(client.receive()).status, 200);
  for (int i = 0; i < 20; ++i) {
    auto again = connect_as_nobody(name);
    again.send(get("/v1/status"));
    EXPECT_EQ(parse_answer(again.receive()).status, 200) << "the places were given back";
  }
}

TEST_F(HttpLimitsTest, TheQueueHasAnEnd) {
  start({.streams = 0, .connections_per_uid = 100, .request_threads = 2, .waiting = 3});
  std::vector<Client> clients(5);
  for (auto& client : clients) {
    client = Client(name);
    client.send(get("/metrics"));
  }
  wait_for_blocked(2);
  // All five are in when the sixth is: connections are accepted in turn.
  EXPECT_EQ(parse_answer(Client(name).receive()).json().value("code", ""), "busy");
  EXPECT_EQ(refusals(Code::busy), 1U);
  release();
  for (auto& client : clients) EXPECT_EQ(parse_answer(client.receive()).status, 200);
}

TEST_F(HttpLimitsTest, ThreadsAreStartedWhenTheyAreNeeded) {
  std::thread([] {}).join();  // a sanitizer may start one of its own with the first
  const auto before = number_in_status("Threads:");
  start();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(exchange(get("/v1/status")).status, 200);
  EXPECT_LE(number_in_status("Threads:"), before + 8);
  stop();
  EXPECT_TRUE(soon([&] { return number_in_status("Threads:") == before; }));
}

TEST_F(HttpLimitsTest, StoppingWaitsForNoClient) {
  start({.read = 60s, .write = 60s, .heartbeat = 60s, .streams = 2, .request_threads = 4});
  Client silent(name);
  Client half(name);
  half.send("GET /v1/st");
  Client half_body(name);
  half_body.send("POST /v1/mode HTTP/1.1\r\nHost: icelock\r\nContent-Length: 9\r\n\r\n{");
  Client deaf(name);
  deaf.send(get("/v1/audit"));
  Client stream(name);
  stream.send(get("/v1/events"));
  stream.receive("\n\n");
  std::vector<Client> waiting(5);
  for (auto& client : waiting) client = Client(name);
  const auto begin = Clock::now();
  stop();
  EXPECT_LT(Clock::now() - begin, 30s);
  stream.receive();
  silent.receive();
}

TEST_F(HttpLimitsTest, StoppingWaitsForTheHandler) {
  start();
  Client client(name);
  client.send(get("/metrics"));
  wait_for_blocked(1);
  std::thread later([this] {
    std::this_thread::sleep_for(100ms);
    release();
  });
  stop();
  {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(released);
  }
  EXPECT_EQ(parse_answer(client.receive()).status, 200) << "an answer that is ready is sent";
  later.join();
}

TEST_F(HttpLimitsTest, TenThousandConnectionsLeaveNothing) {
  const auto before_start = open_descriptors();
  start();
  const auto turn = [this](int i) {
    Client client(name);
    if (i % 5 == 1) return;
    client.send(i % 5 == 2   ? get("/v1/nothing")
                : i % 5 == 3 ? get("/v1/events")
                : i % 5 == 4 ? std::string("GET /v1/st")
                             : get("/v1/status"));
    if (i % 5 == 3) client.receive("\n\n");
    if (i % 5 == 0 || i % 5 == 2) client.receive();
  };
  const auto forget = [this] {
    const std::lock_guard lock(mutex);
    asked.clear();
    refused.clear();
  };
  for (int i = 0; i < 1000; ++i) turn(i);
  forget();
  EXPECT_TRUE(soon([this] { return exchange(get("/v1/status")).status == 200; }));
  const auto memory = number_in_status("VmRSS:");
  for (int i = 0; i < 10'000; ++i) {
    turn(i);
    if (i % 1000 == 0) forget();
  }
  forget();
  const auto growth = static_cast<long>(number_in_status("VmRSS:")) - static_cast<long>(memory);
  RecordProperty("kilobytes_grown", static_cast<int>(growth));
  if (memory_is_ours) {
    EXPECT_LT(growth, 3000);
  }
  EXPECT_TRUE(soon([&] { return open_descriptors() <= before_start + 2; })) << open_descriptors();
  EXPECT_LE(number_in_status("Threads:"), 50U);
}

}  // namespace
}  // namespace icelock::ipc
