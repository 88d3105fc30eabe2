// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <thread>

#include "http_server.h"

namespace icelock::ipc {
namespace {

using namespace testing;

class HttpStreamsTest : public ServerTest {
 protected:
  // The daemon's state is another.
  void change(int now, Json more = {}) {
    on_loop([&] {
      serial = now;
      Json content = state();
      if (!more.is_null()) content["more"] = std::move(more);
      server->push(subscribers, "state", content);
    });
  }

  std::optional<Result<Json>> handle(const Operation&) override {
    if (later) return std::nullopt;
    if (broken) return fail(Code::unavailable, "no state");
    return state();
  }

  // Not as root, for whom there are more places.
  Client subscribe() {
    auto client = connect_as_nobody(name);
    client.send(get("/v1/events"));
    return client;
  }
  static std::string event(int serial) { return "event: state\ndata: " + served(serial) + "\n\n"; }
  // A new stream is served, sooner or later: the server notices that others went.
  bool a_place_is_free() {
    for (const auto until = Clock::now() + 60s; Clock::now() < until;) {
      auto client = subscribe();
      if (client.receive("\r\n\r\n").starts_with("HTTP/1.1 200 ")) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

  bool later = false;
  bool broken = false;
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
    change(now);
    EXPECT_EQ(client.receive("\n\n"), event(now));
  }
  EXPECT_FALSE(client.closed_within(100ms));
  ASSERT_EQ(heard().size(), 1U);
  EXPECT_EQ(heard()[0].operation, "subscribe");
}

TEST_F(HttpStreamsTest, EveryStreamIsToldAndChangesAreMerged) {
  start();
  std::vector<Client> clients(8);
  for (auto& client : clients) {
    client = subscribe();
    client.receive("\n\n");
  }
  for (int now = 1; now <= 1000; ++now) {
    change(now);
  }
  for (auto& client : clients) EXPECT_TRUE(client.receive(event(1000)).ends_with(event(1000)));
}

TEST_F(HttpStreamsTest, AQuietStreamShowsThatItLives) {
  start([](Limits& limits) { limits.heartbeat = 50ms; });
  auto client = subscribe();
  client.receive("\r\n\r\n");
  EXPECT_EQ(client.receive("\n\n"), event(1));
  EXPECT_EQ(client.receive("\n\n"), ":\n\n");
  EXPECT_EQ(client.receive("\n\n"), ":\n\n");
}

TEST_F(HttpStreamsTest, TheFirstAnswerDecides) {
  on_loop([this] { broken = true; });
  start();
  const auto answer = exchange(get("/v1/events"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.json().value("code", ""), "unavailable");
}

TEST_F(HttpStreamsTest, WhatIsPushedBeforeTheAnswerComesAfterIt) {
  on_loop([this] { later = true; });
  start();
  auto client = subscribe();
  while (heard().empty()) std::this_thread::sleep_for(1ms);
  change(2);
  change(3);
  on_loop([this] { server->answer(subscribers[0], Json{{"serial", 1}}); });
  EXPECT_TRUE(client.receive("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(client.receive("\n\n"), event(1));
  EXPECT_EQ(client.receive("\n\n"), event(3));
}

TEST_F(HttpStreamsTest, StreamsAreCounted) {
  start([](Limits& limits) {
    limits.streams = 3;
    limits.clients_of_one_user = 100;
  });
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
  start([](Limits& limits) { limits.streams_of_one_user = 2; });
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
      client = Client(name);
      client.send(get("/v1/events"));
      EXPECT_TRUE(client.receive("\n\n").starts_with("HTTP/1.1 200 "));
    }
  }
}

TEST_F(HttpStreamsTest, AClientThatWentAwayIsNoticedWithoutAnEvent) {
  start([](Limits& limits) {
    limits.heartbeat = 60s;
    limits.streams = 1;
  });
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(a_place_is_free()) << i;
}

TEST_F(HttpStreamsTest, AHalfClosedStreamGoesOn) {
  start();
  auto client = subscribe();
  client.receive("\n\n");
  client.end_sending();
  EXPECT_FALSE(client.closed_within(100ms));
  change(2);
  client.receive(event(2));
}

TEST_F(HttpStreamsTest, AStreamThatIsNotReadIsDropped) {
  start([](Limits& limits) {
    limits.write = 200ms;
    limits.heartbeat = 60s;
    limits.streams = 1;
  });
  auto client = subscribe();
  client.receive("\n\n");
  change(2, std::string(1'000'000, ' '));
  EXPECT_TRUE(client.closed_within(5s));
  EXPECT_TRUE(a_place_is_free());
}

TEST_F(HttpStreamsTest, ASlowReaderGetsTheNewestStateAlone) {
  start([](Limits& limits) { limits.heartbeat = 20ms; });
  auto client = subscribe();
  client.receive("\n\n");
  change(2, std::string(1'000'000, ' '));
  for (int now = 3; now <= 100; ++now) change(now);
  std::this_thread::sleep_for(100ms);  // no heartbeat takes the newest state's place
  const auto big = client.receive("\n\n");
  EXPECT_GT(big.size(), 1'000'000U);
  EXPECT_EQ(client.receive("\n\n"), event(100));
  EXPECT_EQ(client.receive("\n\n"), ":\n\n");
}

TEST_F(HttpStreamsTest, EachEventHasItsOwnDeadline) {
  start([](Limits& limits) {
    limits.write = 2s;
    limits.heartbeat = 60s;
  });
  auto client = subscribe();
  client.receive("\n\n");
  for (int now = 2; now < 8; ++now) {
    std::this_thread::sleep_for(400ms);
    change(now);
    EXPECT_TRUE(client.receive(event(now)).ends_with(event(now)));
  }
  std::this_thread::sleep_for(2100ms);
  change(9, "\r\n" + std::string(1'000'000, ' '));
  const auto big = client.receive("\n\n");
  EXPECT_TRUE(big.ends_with("\"more\":\"\\r\\n" + std::string(1'000'000, ' ') + "\"}\n\n"))
      << "an event is one line, whatever is in it: " << big.size();
}

TEST_F(HttpStreamsTest, ChangesWhileStoppingAndStarting) {
  start();
  auto stream = subscribe();
  stream.receive("\n\n");
  std::thread changes([this] {
    for (int i = 0; i < 200; ++i) change(i);
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
