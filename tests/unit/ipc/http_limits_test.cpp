// SPDX-License-Identifier: Apache-2.0
// What one client costs the others, and the machine. Deadlines are short here, and bounds on time
// wide: they tell a deadline that is kept from one that is not there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "http_server.h"

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

// Waits for something that the server does soon, and the tests cannot see happen.
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
  // Metrics are answered when the test says so.
  std::optional<Result<Json>> handle(const Operation& operation) override {
    if (operation.name == "audit") return Json{{"text", std::string(8'000'000, 'x')}};
    if (operation.name != "metrics") return state();
    if (released) return Json{{"text", ""}};
    waiting.push_back(asked.back().client);
    return std::nullopt;
  }

  void wait_for_waiting(std::size_t count) {
    EXPECT_TRUE(soon([&] { return on_loop([this] { return waiting.size(); }) == count; }));
  }
  void release() {
    on_loop([this] {
      released = true;
      for (const auto client : waiting) server->answer(client, Json{{"text", ""}});
    });
  }

  std::vector<Server::Client> waiting;
  bool released = false;
};

TEST_F(HttpLimitsTest, AClientThatDribblesItsHeaderIsDropped) {
  start([](Limits& limits) { limits.read = 300ms; });
  Client client(name);
  const auto begin = Clock::now();
  while (Clock::now() < begin + 40s && client.send("G")) std::this_thread::sleep_for(20ms);
  EXPECT_LT(Clock::now() - begin, 30s);
  EXPECT_EQ(parse_answer(client.receive()).json().value("code", ""), "timeout");
  EXPECT_EQ(refusals(Code::timeout), 1U);
}

TEST_F(HttpLimitsTest, AClientThatDribblesItsBodyIsDropped) {
  start([](Limits& limits) { limits.read = 300ms; });
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
  start([](Limits& limits) { limits.read = 100ms; });
  Client client(name);
  EXPECT_EQ(parse_answer(client.receive()).json().value("code", ""), "timeout");
}

TEST_F(HttpLimitsTest, AClientThatNeverReadsIsDropped) {
  start([](Limits& limits) { limits.write = 300ms; });
  Client client(name);
  client.send(get("/v1/audit"));
  EXPECT_TRUE(client.closed_within(30s));
}

TEST_F(HttpLimitsTest, AClientThatReadsTooSlowlyIsDropped) {
  start([](Limits& limits) { limits.write = 300ms; });
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
  start([](Limits& limits) {
    limits.read = 20s;
    limits.write = 20s;
    limits.streams = 4;
  });
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
  start([](Limits& limits) { limits.clients_of_one_user = 3; });
  std::vector<Client> clients(3);
  for (auto& client : clients) {
    client = connect_as_nobody(name);
    client.send(get("/metrics"));
  }
  wait_for_waiting(3);
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

TEST_F(HttpLimitsTest, TheDoorTakesSoMany) {
  start([](Limits& limits) { limits.clients = is_root() ? 2 : 4; });
  std::vector<Client> clients(4);
  for (auto& client : clients) {
    client = Client(name);
    client.send(get("/metrics"));
  }
  wait_for_waiting(4);
  EXPECT_EQ(parse_answer(Client(name).receive()).json().value("code", ""), "busy");
  EXPECT_EQ(refusals(Code::busy), 1U);
  release();
  for (auto& client : clients) EXPECT_EQ(parse_answer(client.receive()).status, 200);
}

TEST_F(HttpLimitsTest, NobodyTakesRootsPlace) {
  if (!is_root()) GTEST_SKIP() << "only root can be somebody else";
  start([](Limits& limits) {
    limits.clients = 3;
    limits.streams = 2;
  });
  std::vector<Client> others(4);
  for (auto& client : others) {
    client = connect_as_nobody(name);
    client.send(get("/v1/events"));
  }
  EXPECT_TRUE(soon([this] { return refusals(Code::busy) == 2; }));
  Client stream(name);
  stream.send(get("/v1/events"));
  EXPECT_TRUE(stream.receive("\n\n").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(exchange(get("/v1/status")).status, 200);
}

TEST_F(HttpLimitsTest, AnAnswerHasADeadline) {
  start([](Limits& limits) {
    limits.answer = 200ms;
    limits.clients_of_one_user = 1;
  });
  auto client = connect_as_nobody(name);
  client.send(get("/metrics"));
  const auto answer = parse_answer(client.receive());
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.json().value("code", ""), "timeout");
  EXPECT_EQ(refusals(Code::timeout), 1U);
  ASSERT_EQ(heard().size(), 1U);
  EXPECT_TRUE(heard()[0].left.stop_requested()) << "what has not begun is not done";
  client = Client();
  release();  // the answer that comes too late reaches nobody
  EXPECT_TRUE(soon([this] {
    auto again = connect_as_nobody(name);
    again.send(get("/v1/status"));
    return parse_answer(again.receive()).status == 200;
  })) << "the place was given back";
}

TEST_F(HttpLimitsTest, NothingIsAskedForWhoLeft) {
  start();
  Client client(name);
  client.send(get("/metrics"));
  wait_for_waiting(1);
  client = Client();
  EXPECT_TRUE(soon([this] { return heard()[0].left.stop_requested(); }));
  on_loop([this] {
    Client gone(name);
    gone.send(get("/v1/status"));
  });
  EXPECT_EQ(exchange(get("/v1/status")).status, 200);
  EXPECT_EQ(heard().size(), 2U);
}

TEST_F(HttpLimitsTest, NoThreadIsStarted) {
  start();
  const auto before = number_in_status("Threads:");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(exchange(get("/v1/status")).status, 200);
  EXPECT_EQ(number_in_status("Threads:"), before);
}

TEST_F(HttpLimitsTest, StoppingWaitsForNoClient) {
  start([](Limits& limits) {
    limits.read = 60s;
    limits.write = 60s;
    limits.heartbeat = 60s;
  });
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
  std::vector<Client> idle(5);
  for (auto& client : idle) client = Client(name);
  const auto begin = Clock::now();
  stop();
  EXPECT_LT(Clock::now() - begin, 30s);
  stream.receive();
  silent.receive();
}

TEST_F(HttpLimitsTest, StoppingTellsWhoWaits) {
  start();
  Client client(name);
  client.send(get("/metrics"));
  wait_for_waiting(1);
  stop();
  const auto answer = parse_answer(client.receive());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.json().value("code", ""), "unavailable");
}

TEST_F(HttpLimitsTest, TenThousandConnectionsLeaveNothing) {
  start();
  const auto before = open_descriptors();
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
    on_loop([this] {
      asked.clear();
      refused.clear();
    });
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
  EXPECT_TRUE(soon([&] { return open_descriptors() <= before; })) << open_descriptors();
}

}  // namespace
}  // namespace icelock::ipc
