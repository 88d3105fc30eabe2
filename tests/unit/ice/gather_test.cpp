// SPDX-License-Identifier: Apache-2.0
// The gatherer on loopback. What it learns through NAT and from silent servers: tests/process/ice.
#include "ice/gather.h"

#include <arpa/inet.h>
#include <glib.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <thread>

#include "base/fd.h"

namespace icelock::ice {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

void PrintTo(const Candidate& candidate, std::ostream* out) {
  *out << candidate.type << ' ' << net::to_string(candidate.address);
}

namespace {

net::Ip ip(std::string_view text) {
  return net::parse_ip(text).value_or(net::Ip{});
}

/// A UDP socket on 127.0.0.1 that counts what comes. With `mapped`, it answers each STUN binding
/// request (RFC 8489) with that address as XOR-MAPPED-ADDRESS; without, it stays silent.
class StunServer {
 public:
  explicit StunServer(std::optional<net::Ip> mapped) : mapped_(mapped) {
    socket_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_.get(), any, size), 0);
    EXPECT_EQ(::getsockname(socket_.get(), any, &size), 0);
    port_ = ntohs(address.sin_port);
    const timeval slice{0, 20000};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }

  std::uint16_t port() const { return port_; }
  int requests() const { return requests_; }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::array<std::uint8_t, 1500> in{};
      sockaddr_in from{};
      socklen_t size = sizeof from;
      auto* any = reinterpret_cast<sockaddr*>(&from);
      const ssize_t n = ::recvfrom(socket_.get(), in.data(), in.size(), 0, any, &size);
      if (n < 20) continue;
      ++requests_;
      if (!mapped_) continue;
      std::array<std::uint8_t, 32> out{0x01, 0x01, 0, 12};
      std::memcpy(&out[4], &in[4], 16);  // cookie and transaction id
      const std::array<std::uint8_t, 8> attribute{0x00, 0x01, 0, 8, 0, 1, 0x12, 0x34};
      std::memcpy(&out[20], attribute.data(), attribute.size());
      std::memcpy(&out[28], mapped_->bytes.data(), 4);
      ::sendto(socket_.get(), out.data(), out.size(), 0, any, size);
    }
  }

  std::optional<net::Ip> mapped_;
  Fd socket_;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_ = 0;
  std::jthread thread_;
};

GatherOptions with(const StunServer& server) {
  GatherOptions options;
  options.stun_ipv4 = ip("127.0.0.1");
  options.stun_port = server.port();
  return options;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(folder), end(folder)));
}

TEST(Gather, WithoutServerShowsHostAddressesAndFinishesInsideTheCall) {
  const auto found = gather({ip("127.0.0.1")}, {});
  ASSERT_TRUE(found);
  ASSERT_THAT(*found, SizeIs(3));
  const Gathered& local = found->front();
  EXPECT_EQ(local.local, ip("127.0.0.1"));
  EXPECT_FALSE(local.wildcard);
  EXPECT_TRUE(local.bound);
  EXPECT_TRUE(local.finished);
  EXPECT_THAT(local.candidates, ElementsAre(Candidate{"host", ip("127.0.0.1")}));
}

TEST(Gather, WildcardsComeLastAndHaveNoHostCandidate) {
  const auto found = gather({}, {});
  ASSERT_TRUE(found);
  ASSERT_THAT(*found, SizeIs(2));
  EXPECT_EQ(found->at(0).local, ip("0.0.0.0"));
  EXPECT_EQ(found->at(1).local, ip("::"));
  EXPECT_TRUE(found->at(0).bound);
  for (const Gathered& one : *found) {
    EXPECT_TRUE(one.wildcard);
    EXPECT_THAT(one.candidates, IsEmpty());
  }
}

TEST(Gather, RepeatsAndWildcardsAmongTheLocalsAreLeftOut) {
  const auto found =
      gather({ip("127.0.0.2"), ip("0.0.0.0"), ip("127.0.0.1"), ip("127.0.0.2"), ip("::")}, {});
  ASSERT_TRUE(found);
  ASSERT_THAT(*found, SizeIs(4));
  EXPECT_EQ(found->at(0).local, ip("127.0.0.2"));
  EXPECT_EQ(found->at(1).local, ip("127.0.0.1"));
}

TEST(Gather, AnAddressThatIsNotHereIsUnboundAndHoldsNothingUp) {
  const auto found = gather({ip("192.0.2.77"), ip("127.0.0.1"), ip("fe80::1234")}, {});
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->at(0).bound);
  EXPECT_FALSE(found->at(0).finished);
  EXPECT_THAT(found->at(0).candidates, IsEmpty());
  EXPECT_THAT(found->at(1).candidates, SizeIs(1));
  EXPECT_FALSE(found->at(2).bound);
}

TEST(Gather, ServerReflexiveAddressIsSeenPerAddressAndOnTheWildcard) {
  const StunServer server(ip("203.0.113.9"));
  const auto found = gather({ip("127.0.0.1")}, with(server));
  ASSERT_TRUE(found);
  const Candidate srflx{"srflx", ip("203.0.113.9")};
  EXPECT_TRUE(found->at(0).finished);
  EXPECT_THAT(found->at(0).candidates, ElementsAre(Candidate{"host", ip("127.0.0.1")}, srflx));
  EXPECT_TRUE(found->at(1).finished);
  EXPECT_THAT(found->at(1).candidates, ElementsAre(srflx));
  EXPECT_THAT(found->at(2).candidates, IsEmpty());
}

TEST(Gather, DeadlineEndsItAndKeepsWhatWasFound) {
  const StunServer silent(std::nullopt);
  GatherOptions options = with(silent);
  options.deadline = 150ms;
  const auto start = std::chrono::steady_clock::now();
  const auto found = gather({ip("127.0.0.1")}, options);
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(found);
  EXPECT_GE(took, 145ms);
  EXPECT_LT(took, 20s);
  EXPECT_FALSE(found->at(0).finished) << "the deadline ended it";
  EXPECT_TRUE(found->at(0).bound);
  EXPECT_THAT(found->at(0).candidates, ElementsAre(Candidate{"host", ip("127.0.0.1")}));
  EXPECT_GE(silent.requests(), 2);
}

TEST(Gather, ASilentServerIsGivenUpAfterTwoRequestsForEachAgent) {
  const StunServer silent(std::nullopt);
  const auto start = std::chrono::steady_clock::now();
  const auto found = gather({ip("127.0.0.1")}, with(silent));
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(found);
  EXPECT_LT(took, 20s);
  EXPECT_TRUE(found->at(0).finished);
  EXPECT_TRUE(found->at(1).finished);
  EXPECT_EQ(silent.requests(), 4);
}

TEST(Gather, AnAgentNeverSeesAServerOfTheOtherFamily) {
  const StunServer server(ip("203.0.113.9"));
  GatherOptions options;
  options.stun_ipv6 = ip("::1");
  options.stun_port = server.port();
  const auto found = gather({ip("127.0.0.1")}, options);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->at(0).candidates, SizeIs(1));
  EXPECT_EQ(server.requests(), 0);
}

TEST(Gather, ADeadlineOfNothingBindsNothing) {
  GatherOptions options;
  options.deadline = -1ms;
  const auto found = gather({ip("127.0.0.1")}, options);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::unavailable);
}

TEST(Gather, RefusesAServerOfTheWrongFamilyAndTooManyAddresses) {
  GatherOptions options;
  options.stun_ipv4 = ip("::1");
  EXPECT_EQ(gather({}, options).error().code, Code::bad_request);
  options.stun_ipv4.reset();
  options.stun_ipv6 = ip("127.0.0.1");
  EXPECT_EQ(gather({}, options).error().code, Code::bad_request);
  EXPECT_EQ(gather(std::vector<net::Ip>(max_locals + 1), {}).error().code, Code::too_large);
}

TEST(Gather, TooFewDescriptorsIsAnErrorAndNotAnAbort) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit tight{open_descriptors() + 8, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  const auto found = gather({ip("127.0.0.1")}, {});
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::unavailable);
}

TEST(Gather, LeavesNoDescriptorAndNoThreadBehind) {
  const StunServer server(ip("203.0.113.9"));
  // GLib keeps a few of its own from the first time on.
  ASSERT_TRUE(gather({ip("127.0.0.1")}, with(server)));
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(gather({ip("127.0.0.1")}, with(server)));
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Gather, RunsNothingOfTheProgramsOwnContext) {
  bool ran = false;
  const guint source = g_idle_add(
      [](gpointer flag) -> gboolean {
        *static_cast<bool*>(flag) = true;
        return G_SOURCE_CONTINUE;
      },
      &ran);
  EXPECT_TRUE(gather({ip("127.0.0.1")}, {}));
  g_source_remove(source);
  EXPECT_FALSE(ran);
}

TEST(Gather, SeveralCallersAtOnceDoNotDisturbEachOther) {
  const StunServer server(ip("203.0.113.9"));
  std::array<std::size_t, 4> counts{};
  {
    std::vector<std::jthread> threads;
    threads.reserve(counts.size());
    for (std::size_t& count : counts) {
      threads.emplace_back([&] {
        const auto found = gather({ip("127.0.0.1")}, with(server));
        if (found) count = found->front().candidates.size();
      });
    }
  }
  EXPECT_THAT(counts, ::testing::Each(2));
}

}  // namespace
}  // namespace icelock::ice
