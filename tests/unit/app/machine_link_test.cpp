// SPDX-License-Identifier: Apache-2.0
#include "app/machine_link.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "../shared/temp_folder.h"

namespace icelock::app {
namespace {

using namespace std::chrono_literals;
using ipc::Json;
using testing::ElementsAre;

/// The service's side of the socket, which does what a test wants.
class MachineLinkTest : public testing::Test {
 protected:
  void listen(int backlog = 8) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, socket_.c_str());
    door_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(door_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(door_.get(), backlog), 0);
  }
  void accept() { service_ = Fd(::accept(door_.get(), nullptr, nullptr)); }
  void say(const Json& message) const {
    const auto frame = ipc::encode_frame(ipc::text_of(message));
    ASSERT_EQ(::send(service_.get(), frame->data(), frame->size(), 0),
              static_cast<ssize_t>(frame->size()));
  }
  static Json state(const char* level) {
    return {{"decision", {{"chromium", level}, {"firefox", level}}}, {"reasons", Json::array()}};
  }

  template <class Condition>
  static bool soon(Condition condition) {
    for (const auto end = MachineLink::Clock::now() + 60s; MachineLink::Clock::now() < end;) {
      if (condition()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

  test::TempFolder folder_;
  std::filesystem::path socket_ = folder_ / "door";
  Fd door_;
  Fd service_;
  const MachineLink::Clock::time_point start_ = MachineLink::Clock::now();
};

TEST_F(MachineLinkTest, AServiceThatComesLaterAndSaysNothingLocks) {
  MachineLink link(socket_, 300ms);
  EXPECT_FALSE(link.handle(start_)) << "there is none";
  listen();
  EXPECT_FALSE(link.handle(start_ + 61s)) << "asked";
  EXPECT_EQ(link.word().chromium, Level::unrestricted);
  EXPECT_GE(link.timeout(MachineLink::Clock::now()), 0) << "its silence has an end";
  EXPECT_TRUE(soon([&] { return link.handle(MachineLink::Clock::now()); }));
  EXPECT_EQ(link.word().chromium, Level::force_proxy);
  EXPECT_EQ(link.word().reasons.front().code, "service_silent");
  for (const auto end = MachineLink::Clock::now() + 2s; MachineLink::Clock::now() < end;) {
    EXPECT_FALSE(link.handle(MachineLink::Clock::now())) << "no news while it goes on";
    std::this_thread::sleep_for(20ms);
  }
  door_.reset();
  std::filesystem::remove(socket_);
  listen();
  EXPECT_TRUE(soon([&] {
    link.handle(MachineLink::Clock::now());
    pollfd wanted{door_.get(), POLLIN, 0};
    if (::poll(&wanted, 1, 0) == 1) {
      accept();
      say({{"event", "state"}, {"state", state("default_route_only")}});
    }
    return link.word().chromium == Level::default_route_only;
  })) << "its first word counts";
}

class Connected : public MachineLinkTest {
 protected:
  void SetUp() override {
    listen();
    // It answers before it is asked, so that one thread is enough.
    std::jthread other([this] {
      accept();
      say({{"v", 1}, {"id", 1}, {"ok", true}, {"state", state("unrestricted")}});
    });
    link_.handle(start_);
    ASSERT_TRUE(link_.word().present);
  }
  MachineLink link_{socket_, 10s};
};

TEST_F(Connected, ARequestIsAnsweredInTimeWhateverTheServiceDoes) {
  std::vector<Code> codes;
  ASSERT_TRUE(link_.request("set_mode", Json::object(), [&](const Result<Json>& result) {
    codes.push_back(result ? Code::internal : result.error().code);
  }));
  link_.handle(start_ + 1s);
  EXPECT_THAT(codes, testing::IsEmpty());
  EXPECT_GE(link_.timeout(start_), 0);
  link_.handle(start_ + 5s);
  EXPECT_THAT(codes, ElementsAre(Code::timeout));
  EXPECT_TRUE(link_.word().present) << "an answer that is late is no word";
}

TEST_F(Connected, NobodyWaitsForAServiceThatDoesNotRead) {
  const Json arguments = {{"value", std::string(200, 'x')}};
  const auto before = MachineLink::Clock::now();
  int taken = 0;
  while (taken < 5000 && link_.request("report", arguments, [](const Result<Json>&) {})) ++taken;
  EXPECT_LT(taken, 5000) << "what it does not take is not kept without end";
  EXPECT_LT(MachineLink::Clock::now() - before, 1500ms);
  EXPECT_TRUE(link_.handle(start_)) << "it is lost, and that is news";
  EXPECT_TRUE(link_.word().lost);
  EXPECT_EQ(link_.word().chromium, Level::unrestricted) << "its last word holds";
}

TEST_F(Connected, AnAnswerOfAnotherVersionIsAnError) {
  std::vector<Code> codes;
  link_.request("sites", Json::object(), [&](const Result<Json>& result) {
    codes.push_back(result ? Code::internal : result.error().code);
  });
  say({{"v", 1}, {"id", 1}, {"ok", "yes"}, {"code", "busy"}});
  link_.handle(start_);
  EXPECT_THAT(codes, ElementsAre(Code::busy));
}

TEST(Joined, WhatIsWrongHereIsSaidBesideTheServicesReasons) {
  guard::Decision own;
  own.chromium = own.firefox = Level::unrestricted;
  own.reasons = {{"no_tunnel", "", {}}, {"settings_broken", "line 2", {}}};
  MachineWord word;
  word.chromium = word.firefox = Level::force_proxy;
  word.reasons = {{"mode_locked", "", {}}};
  const auto both = joined(own, word);
  std::vector<std::string> codes;
  for (const auto& reason : both.reasons) codes.push_back(reason.code);
  EXPECT_THAT(codes, ElementsAre("mode_locked", "settings_broken"));
  EXPECT_EQ(both.chromium, Level::force_proxy);
}

}  // namespace
}  // namespace icelock::app
