// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <thread>

#include "http_client.h"

namespace icelock::ipc {
namespace {

using namespace testing;

class HttpStreamsTest : public ServerTest {
 protected:
  // What the daemon's state is; -1: it cannot say.
  void set(int now) {
    const std::lock_guard lock(mutex);
    serial = now;
  }
  HttpServer::Reply handle(const Peer& peer, const Operation& operation,
                           const Json& arguments) override {
    auto reply = ServerTest::handle(peer, operation, arguments);
    const std::lock_guard lock(mutex);
    if (serial < 0) return {503, R"({"v":1,"ok":false,"code":"unavailable"})"};
    if (serial >= 1'000'000) reply.body = "[1,\r\n2]" + std::string(1'000'000, ' ');
    return reply;
  }

  Client subscribe() {
    Client client(name);
    client.send(get("/v1/events"));
    return client;
  }
  static std::string event(int serial) {
    return "event: state\ndata: {\"serial\":" + std::to_string(serial) + "}\n\n";
  }
  // A new stream is served, sooner or later: the server notices that others went.
  bool a_place_is_free() {
    for (const auto until = Clock::now() + 60s; Clock::now() < until;) {
      auto client = subscribe();
      if (client.receive("\r\n\r\n").starts_with("HTTP/1.1 200 ")) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
};

TEST_F(HttpStreamsTest, TheStateAtOnceAndAgainWhenItChanges) {
  start();
  auto client = subscribe();
  const auto head = client.receive("\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 ")) << head;
  EXPECT_NE(head.find("Content-Type: text/event-stream\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("Cache-Control: no-store\r\n"), std::string::npos) << head;
  EXPECT_EQ(head.find("Content-Length"), std::string::npos) << head;
  EXPECT_EQ(client.receive("\n\n"), event(1));
  for (int now = 2; now < 6; ++now) {
    set(now);
    server->state_changed();
    EXPECT_EQ(client.receive("\n\n"), event(now));
  }
  EXPECT_FALSE(client.closed_within(100ms));
  for (const auto& each : heard()) EXPECT_EQ(each.operation, "status");
}

TEST_F(HttpStreamsTest, EveryStreamIsToldAndChangesAreMerged) {
  start();
  std::vector<Client> clients(8);
  for (auto& client : clients) {
    client = subscribe();
    client.receive("\n\n");
  }
  for (int now = 1; now <= 1000; ++now) {
    set(now);
    server->state_changed();
  }
  for (auto& client : clients) EXPECT_TRUE(client.receive(event(1000)).ends_with(event(1000)));
  EXPECT_LE(heard().size(), 8U * 1001U);
}

TEST_F(HttpStreamsTest, AQuietStreamShowsThatItLives) {
  start({.heartbeat = 50ms});
  auto client = subscribe();
  client.receive("\r\n\r\n");
  EXPECT_EQ(client.receive("\n\n"), event(1));
  EXPECT_EQ(client.receive("\n\n"), ":\n\n");
  EXPECT_EQ(client.receive("\n\n"), ":\n\n");
}

TEST_F(HttpStreamsTest, TheFirstAnswerDecides) {
  start();
  set(-1);
  const auto answer = exchange(get("/v1/events"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.json().value("code", ""), "unavailable");
}

TEST_F(HttpStreamsTest, AStreamEndsWhenTheStateCannotBeHad) {
  start();
  auto client = subscribe();
  client.receive("\n\n");
  set(-1);
  server->state_changed();
  EXPECT_EQ(client.receive(), "");
  EXPECT_TRUE(client.closed_within(5s));
}

TEST_F(HttpStreamsTest, StreamsAreCounted) {
  start({.streams = 3, .connections_per_uid = 100});
  std::vector<Client> clients(3);
  for (auto& client : clients) {
    client = subscribe();
    client.receive("\n\n");
  }
  const auto answer = parse_answer(subscribe().receive());
  EXPECT_EQ(answer.status, info(Code::busy).http_status);
  EXPECT_EQ(answer.json().value("code", ""), "busy");
  EXPECT_EQ(refusals(Code::busy), 1U);
  EXPECT_EQ(exchange(get("/v1/status")).status, 200);
}

TEST_F(HttpStreamsTest, OneUidHasSoManyStreams) {
  start({.streams_per_uid = 2});
  std::vector<Client> clients(2);
  for (auto& client : clients) {
    client = connect_as_nobody(name);
    client.send(get("/v1/events"));
    client.receive("\n\n");
  }
  auto third = connect_as_nobody(name);
  third.send(get("/v1/events"));
  EXPECT_EQ(parse_answer(third.receive()).json().value("code", ""), "busy");
  if (is_root()) {
    std::vector<Client> roots(5);
    for (auto& client : roots) {
      client = subscribe();
      EXPECT_TRUE(client.receive("\n\n").starts_with("HTTP/1.1 200 "));
    }
  }
}

TEST_F(HttpStreamsTest, AClientThatWentAwayIsNoticedWithoutAnEvent) {
  start({.heartbeat = 60s, .streams = 1});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(a_place_is_free()) << i;
}

TEST_F(HttpStreamsTest, AHalfClosedStreamGoesOn) {
  start();
  auto client = subscribe();
  client.receive("\n\n");
  client.end_sending();
  EXPECT_FALSE(client.closed_within(100ms));
  set(2);
  server->state_changed();
  client.receive(event(2));
}

TEST_F(HttpStreamsTest, AStreamThatIsNotReadIsDropped) {
  start({.write = 200ms, .heartbeat = 60s, .streams = 1});
  set(1'000'000);
  auto client = subscribe();
  EXPECT_TRUE(client.closed_within(5s));
  set(1);
  EXPECT_TRUE(a_place_is_free());
}

TEST_F(HttpStreamsTest, EachEventHasItsOwnDeadline) {
  start({.write = 2s, .heartbeat = 60s});
  auto client = subscribe();
  client.receive("\n\n");
  for (int now = 2; now < 8; ++now) {
    std::this_thread::sleep_for(400ms);
    set(now);
    server->state_changed();
    EXPECT_TRUE(client.receive(event(now)).ends_with(event(now)));
  }
  std::this_thread::sleep_for(2100ms);
  set(1'000'001);
  server->state_changed();
  const auto big = client.receive("\n\n");
  EXPECT_TRUE(big.ends_with("data: [1,\ndata: 2]" + std::string(1'000'000, ' ') + "\n\n"))
      << "lines of the body are lines of the event: " << big.size();
}

TEST_F(HttpStreamsTest, ChangesWhileStoppingAndStarting) {
  start();
  auto stream = subscribe();
  stream.receive("\n\n");
  std::thread changes([this] {
    for (int i = 0; i < 200; ++i) server->state_changed();
  });
  std::thread clients([this] {
    for (int i = 0; i < 30; ++i) subscribe().receive("\n\n");
  });
  changes.join();
  clients.join();
  stop();
  EXPECT_FALSE(stream.receive().empty());
}

}  // namespace
}  // namespace icelock::ipc
