// SPDX-License-Identifier: Apache-2.0
// The frames door, turned by hand, and what both doors share.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "ipc/server.h"
#include "sockets.h"

namespace icelock::ipc {
namespace {

using namespace std::chrono_literals;

/// A server that answers each request, and notes what happens.
struct FramesDoor {
  explicit FramesDoor(const Limits& limits = {}) {
    std::vector<Door> doors;
    doors.push_back(frames_door(testing::listen_on(name)));
    doors.back().limits = limits;
    auto opened = Server::open(
        std::move(doors),
        {.request =
             [this](Server::Client client, const Peer& peer, const Operation& operation,
                    const Json&, const std::stop_token& left) {
               order.push_back(client);
               last_peer = peer;
               last_operation = operation.name;
               last_left = left;
               if (answers) server->answer(client, answer);
             },
         .gone = [this](Server::Client) { ++gone; },
         .refused = [this](const Peer&, const Error& error) { refusals.push_back(error.code); }});
    server = std::move(opened.value());
  }

  Fd connect() const { return testing::connect_to(name); }
  void push(Server::Client client, int number) const {
    server->push(std::span(&client, 1), "state", {{"n", number}});
  }

  void turn(std::chrono::milliseconds for_at_least = 0ms) {
    const auto end = Server::Clock::now() + for_at_least;
    do {
      const auto now = Server::Clock::now();
      pollfd one{server->fd(), POLLIN, 0};
      int wait = server->timeout(now);
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - now).count();
      if (wait < 0 || wait > left) wait = static_cast<int>(std::max<std::int64_t>(left, 0));
      ::poll(&one, 1, wait);
      server->handle(Server::Clock::now());
    } while (Server::Clock::now() < end);
  }

  template <class Done>
  void turn_until(Done done) {
    for (const auto end = Server::Clock::now() + 10s; !done() && Server::Clock::now() < end;) {
      turn(5ms);
    }
  }

  const std::string name = testing::fresh_name();
  std::unique_ptr<Server> server;
  std::vector<Server::Client> order;
  std::vector<Code> refusals;
  Peer last_peer;
  std::stop_token last_left;
  std::string_view last_operation;
  bool answers = true;
  Json answer = Json::object();
  int gone = 0;
};

std::string frame(std::string_view payload) {
  return encode_frame(payload).value();
}

const std::string request = frame(R"({"v":1,"id":7,"op":"status"})");

void write_all(const Fd& fd, std::string_view bytes) {
  ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

std::string read_some(const Fd& fd) {
  std::string bytes(1 << 16, '\0');
  const ssize_t n = ::recv(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  return bytes;
}

bool is_closed(const Fd& fd) {
  pollfd one{fd.get(), POLLIN, 0};
  char byte = 0;
  return ::poll(&one, 1, 0) == 1 && ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

TEST(FramesDoor, AnswersAndKnowsThePeer) {
  FramesDoor frames;
  const Fd client = frames.connect();
  frames.answer = {{"a", 1}};
  write_all(client, request);
  frames.turn_until([&] { return frames.order.size() == 1; });
  EXPECT_EQ(read_some(client), frame(R"({"v":1,"id":7,"ok":true,"a":1})"));
  EXPECT_EQ(frames.last_operation, "status");
  EXPECT_EQ(frames.last_peer.uid, ::geteuid());
  EXPECT_EQ(frames.last_peer.pid, ::getpid());
}

TEST(FramesDoor, DropsWhoStopsInAFrame) {
  FramesDoor frames({.read = 600ms});
  const Fd slow = frames.connect();
  const Fd idle = frames.connect();
  write_all(slow, std::string_view("\x10\0", 2));
  frames.turn(300ms);
  EXPECT_FALSE(is_closed(slow));
  write_all(slow, std::string_view("\0", 1));  // a byte now and then buys no time
  frames.turn(600ms);
  EXPECT_TRUE(is_closed(slow));
  EXPECT_FALSE(is_closed(idle)) << "between frames there is no deadline";
  EXPECT_THAT(frames.refusals, ::testing::ElementsAre(Code::timeout));
  EXPECT_EQ(frames.gone, 1);
}

TEST(FramesDoor, DropsWhoDoesNotRead) {
  FramesDoor frames({.write = 300ms});
  frames.answer = {{"text", std::string(900'000, 'x')}};
  const Fd lazy = frames.connect();
  const Fd other = frames.connect();
  write_all(lazy, request);
  frames.turn_until([&] { return frames.order.size() == 1; });
  write_all(other, request);
  frames.turn_until([&] { return frames.order.size() == 2; });
  EXPECT_FALSE(read_some(other).empty()) << "others are served meanwhile";
  frames.turn_until([&] { return !frames.refusals.empty(); });
  EXPECT_THAT(frames.refusals, ::testing::Contains(Code::timeout));
}

TEST(FramesDoor, WhoDoesNotReadKeepsTheNewestPushAlone) {
  FramesDoor frames;
  frames.answer = {{"text", std::string(900'000, 'x')}};
  const Fd lazy = frames.connect();
  write_all(lazy, request);
  frames.turn_until([&] { return frames.order.size() == 1; });
  for (int i = 0; i < 100; ++i) frames.push(1, i);
  std::string all;
  frames.turn_until([&] {
    all += read_some(lazy);
    return all.ends_with("\"n\":99}");
  });
  const std::string wanted =
      encode_frame(success(7, frames.answer)).value() + frame(R"({"v":1,"event":"state","n":99})");
  EXPECT_TRUE(all == wanted) << all.size();
}

TEST(FramesDoor, OneRequestOfAClientIsUnderWay) {
  FramesDoor frames;
  frames.answers = false;
  const Fd client = frames.connect();
  write_all(client, request + request);
  frames.turn(50ms);
  EXPECT_EQ(frames.order.size(), 1U);
  frames.server->answer(1, Json::object());
  frames.turn_until([&] { return frames.order.size() == 2; });
  EXPECT_EQ(frames.order.size(), 2U);
}

TEST(FramesDoor, OneUsersRequestsUnderWayAreBounded) {
  FramesDoor frames({.requests_of_one_user = 3});
  frames.answers = false;
  std::vector<Fd> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(frames.connect());
    write_all(clients.back(), request);
  }
  frames.turn(50ms);
  EXPECT_EQ(frames.order.size(), 3U);
  frames.server->answer(frames.order[0], Json::object());
  clients[1].reset();  // whoever leaves makes room too
  frames.turn_until([&] { return frames.order.size() == 5; });
  EXPECT_EQ(frames.order.size(), 5U);
}

TEST(FramesDoor, SaysWhenAClientLeft) {
  FramesDoor frames;
  frames.answers = false;
  Fd client = frames.connect();
  write_all(client, request);
  frames.turn_until([&] { return frames.order.size() == 1; });
  EXPECT_FALSE(frames.last_left.stop_requested());
  client.reset();
  frames.turn_until([&] { return frames.gone == 1; });
  EXPECT_TRUE(frames.last_left.stop_requested());
}

TEST(FramesDoor, WhatSomebodyLeftBehindIsNotServed) {
  FramesDoor frames;
  Fd client = frames.connect();
  frames.turn(5ms);
  write_all(client, request);
  client.reset();
  frames.turn_until([&] { return frames.gone == 1; });
  EXPECT_THAT(frames.order, ::testing::IsEmpty());
}

TEST(FramesDoor, OneClientsManyFramesKeepNobodyWaiting) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  FramesDoor frames;
  const Fd greedy = frames.connect();
  std::string many;
  for (int i = 0; i < 200; ++i) many += request;
  write_all(greedy, many);
  ASSERT_EQ(::seteuid(65534), 0);
  const Fd modest = frames.connect();
  ASSERT_EQ(::seteuid(0), 0);
  write_all(modest, request);
  frames.turn_until([&] { return frames.order.size() == 201; });
  ASSERT_EQ(frames.order.size(), 201U);
  const auto place = std::ranges::find(frames.order, Server::Client{2}) - frames.order.begin();
  EXPECT_LE(place, 2);
}

TEST(FramesDoor, ClosesAfterAFrameThatIsTooLarge) {
  FramesDoor frames;
  const Fd client = frames.connect();
  write_all(client, std::string_view("\0\0\0\x7f", 4));
  frames.turn_until([&] { return !frames.refusals.empty(); });
  EXPECT_THAT(read_some(client), ::testing::HasSubstr("too_large"));
  EXPECT_TRUE(is_closed(client));
}

TEST(FramesDoor, CountsConnectionsOfOneUser) {
  if (::geteuid() == 0) {
    // Root is excepted; the limit for all holds for it at twice its number.
    FramesDoor frames({.clients = 2});
    std::vector<Fd> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(frames.connect());
    frames.turn_until([&] { return !frames.refusals.empty(); });
    EXPECT_THAT(read_some(clients[4]), ::testing::HasSubstr("busy"));
    EXPECT_FALSE(is_closed(clients[3]));
    return;
  }
  FramesDoor frames({.clients_of_one_user = 1});
  const Fd first = frames.connect();
  const Fd second = frames.connect();
  frames.turn_until([&] { return !frames.refusals.empty(); });
  EXPECT_THAT(read_some(second), ::testing::HasSubstr("busy"));
  EXPECT_FALSE(is_closed(first));
}

TEST(FramesDoor, WhatCannotBeServedIsAnsweredAndOthersAre) {
  FramesDoor frames;
  const Fd client = frames.connect();
  write_all(client, frame("{") + frame(R"({"v":1,"id":3,"op":"fly"})") + request);
  std::string all;
  frames.turn_until([&] {
    all += read_some(client);
    return frames.order.size() == 1;
  });
  EXPECT_THAT(all, ::testing::HasSubstr(R"("id":null,"ok":false,"code":"bad_json")"));
  EXPECT_THAT(all, ::testing::HasSubstr(R"("id":3,"ok":false,"code":"unknown_op")"));
  EXPECT_THAT(frames.refusals, ::testing::ElementsAre(Code::bad_json, Code::unknown_op));
}

TEST(FramesDoor, AnInputThatEndsInAFrameIsOneThatIsWrong) {
  FramesDoor frames;
  const Fd client = frames.connect();
  write_all(client, std::string_view("\x10\0\0\0{", 5));
  ::shutdown(client.get(), SHUT_WR);
  frames.turn_until([&] { return frames.gone == 1; });
  EXPECT_THAT(read_some(client), ::testing::HasSubstr("bad_frame"));
  EXPECT_THAT(frames.refusals, ::testing::ElementsAre(Code::bad_frame));
}

// No descriptor is left to this process: the limit is the lowest number that is free.
class FewDescriptors {
 public:
  FewDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = static_cast<rlim_t>(Fd(::dup(0)).get());
    ::setrlimit(RLIMIT_NOFILE, &low);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST(FramesDoor, WithoutADescriptorItWaitsInsteadOfTurning) {
  FramesDoor frames;
  const Fd client = frames.connect();
  write_all(client, request);
  int turns = 0;
  {
    const FewDescriptors few;
    for (const auto end = Server::Clock::now() + 400ms; Server::Clock::now() < end; ++turns) {
      pollfd one{frames.server->fd(), POLLIN, 0};
      const int wait = frames.server->timeout(Server::Clock::now());
      ::poll(&one, 1, wait < 0 ? 400 : wait);
      frames.server->handle(Server::Clock::now());
    }
    EXPECT_THAT(frames.order, ::testing::IsEmpty());
  }
  EXPECT_LE(turns, 40);
  frames.turn_until([&] { return frames.order.size() == 1; });
  EXPECT_EQ(frames.order.size(), 1U) << "then it is let in";
}

}  // namespace
}  // namespace icelock::ipc
