// SPDX-License-Identifier: Apache-2.0
// The conversation: interrupted and cut lists, errors, late replies, and bytes that make no sense.
#include "net/netlink_talk.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <random>

#include "fake_kernel.h"
#include "messages.h"

namespace icelock::net::netlink {
namespace {

using test::Bytes;
using test::numbered;
using test::operator+;

class Script final : public Wire {
 public:
  explicit Script(std::deque<Bytes> replies) : replies_(std::move(replies)) {}
  Result<void> send(std::span<const std::byte>) override { return {}; }
  Result<std::span<const std::byte>> receive() override {
    if (replies_.empty())
      return fail(Code::probe_failed, "the kernel gave no answer within a second");
    current_ = std::move(replies_.front());
    replies_.pop_front();
    return std::span<const std::byte>(current_);
  }

 private:
  std::deque<Bytes> replies_;
  Bytes current_;
};

Talk talk(std::deque<Bytes> replies) {
  return Talk(std::make_unique<Script>(std::move(replies)));
}

const Bytes link = test::message(test::LinkSpec{.index = 3, .name = "eth0"});

Result<std::vector<Link>> links(std::deque<Bytes> replies) {
  return talk(std::move(replies)).list<Link>(link_dump(), "reading the links", read_link);
}

TEST(Talk, ReadsAListOverSeveralDatagrams) {
  const auto result = links({numbered(link, 1) + numbered(link, 1), numbered(link, 1),
                             numbered(test::done_message(), 1)});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->size(), 3U);
}

TEST(Talk, SkipsLateRepliesToOtherQuestions) {
  const auto result =
      links({numbered(link, 77), numbered(link, 1) + numbered(test::done_message(), 1)});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->size(), 1U);
}

TEST(Talk, ReadsAnInterruptedListAgain) {
  const auto result = links({numbered(link, 1) + numbered(link, 1, NLM_F_DUMP_INTR),
                             numbered(test::done_message(), 1),
                             numbered(link, 2) + numbered(test::done_message(), 2)});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->size(), 1U);
}

TEST(Talk, AListThatKeepsChangingIsAnError) {
  std::deque<Bytes> replies;
  for (std::uint32_t i = 1; i <= 9; ++i) {
    replies.push_back(numbered(link, i) + numbered(test::done_message(), i, NLM_F_DUMP_INTR));
  }
  const auto result = links(std::move(replies));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::probe_failed);
}

TEST(Talk, AnErrorInAListIsAnError) {
  EXPECT_FALSE(links({numbered(link, 1), numbered(test::error_message(EOPNOTSUPP), 1)}));
  Bytes late_error = numbered(test::done_message(), 1);
  const int code = -ENOMEM;
  std::memcpy(late_error.data() + sizeof(nlmsghdr), &code, sizeof code);
  EXPECT_FALSE(links({numbered(link, 1), late_error}));
}

TEST(Talk, AListWithoutItsEndIsAnError) {
  EXPECT_FALSE(links({numbered(link, 1)}));
}

TEST(Talk, AMalformedEntryIsAnError) {
  Bytes nameless = test::message(test::LinkSpec{.index = 3, .name = "eth0"});
  test::header(nameless).nlmsg_len = sizeof(nlmsghdr) + sizeof(ifinfomsg);
  nameless.resize(test::header(nameless).nlmsg_len);
  EXPECT_FALSE(links({numbered(nameless, 1) + numbered(test::done_message(), 1)}));
}

TEST(Talk, AMessageLongerThanItsDatagramIsAnError) {
  for (const std::uint32_t length :
       {static_cast<std::uint32_t>(link.size()) + 1, 0x7fffffffU, 0x80000000U, ~0U}) {
    Bytes huge = numbered(link, 1);
    test::header(huge).nlmsg_len = length;
    EXPECT_FALSE(links({huge, numbered(test::done_message(), 1)})) << length;
  }
}

TEST(Talk, CutsAtItsBound) {
  Talk one = talk({numbered(link, 1), numbered(link, 1), numbered(link, 1)});
  int seen = 0;
  const auto end = one.dump(link_dump(), "reading",
                            [&](const nlmsghdr&) { return ++seen < 2 ? Read::ok : Read::enough; });
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, Talk::End::cut);
  EXPECT_EQ(seen, 2);
}

TEST(Talk, PutsAnswersInTheOrderOfTheQuestions) {
  const std::vector<Question> asked{{*parse_ip("8.8.8.8")}, {*parse_ip("1.1.1.1")}};
  const auto route = [](const char* to, int over) {
    return test::message(test::RouteSpec{.destination = std::string(to) + "/32", .link = over});
  };
  const auto answers =
      talk({numbered(route("1.1.1.1", 5), 2), numbered(route("8.8.8.8", 4), 1)}).ask(asked);
  ASSERT_TRUE(answers);
  EXPECT_EQ((*answers)[0].link, 4);
  EXPECT_EQ((*answers)[1].link, 5);
  const auto swapped =
      talk({numbered(route("1.1.1.1", 5), 1), numbered(route("8.8.8.8", 4), 2)}).ask(asked);
  ASSERT_TRUE(swapped);
  EXPECT_EQ((*swapped)[0].outcome, Outcome::failed) << "an answer to another question";
  EXPECT_FALSE(talk({numbered(route("8.8.8.8", 4), 1)}).ask(asked));
}

TEST(Answer, FollowsTheErrnoTable) {
  const Ip to = *parse_ip("8.8.8.8");
  const auto outcome = [&](int error_number, const std::string& why = {}) {
    Bytes bytes = test::error_message(error_number, why);
    return read_answer(test::header(bytes), to).outcome;
  };
  EXPECT_EQ(outcome(ENETUNREACH), Outcome::no_route);
  EXPECT_EQ(outcome(EHOSTUNREACH), Outcome::refused);
  EXPECT_EQ(outcome(EACCES), Outcome::refused);
  EXPECT_EQ(outcome(EINVAL), Outcome::refused);
  EXPECT_EQ(outcome(EINVAL, "Invalid values in header"), Outcome::failed);
  EXPECT_EQ(outcome(EPERM), Outcome::failed);
  EXPECT_EQ(outcome(EOPNOTSUPP), Outcome::failed);
  EXPECT_EQ(outcome(ENOMEM), Outcome::failed);
  EXPECT_EQ(outcome(0), Outcome::failed) << "an acknowledgement says nothing about the way";
}

TEST(Answer, OfAnotherRouteTypeLeadsNowhere) {
  const Ip to = *parse_ip("8.8.8.8");
  const auto outcome = [&](std::uint8_t type) {
    Bytes bytes =
        test::message(test::RouteSpec{.destination = "8.8.8.8/32", .link = 1, .type = type});
    return read_answer(test::header(bytes), to).outcome;
  };
  EXPECT_EQ(outcome(RTN_UNICAST), Outcome::unicast);
  EXPECT_EQ(outcome(RTN_LOCAL), Outcome::refused);
  EXPECT_EQ(outcome(RTN_BROADCAST), Outcome::refused) << "to all on a link of this machine";
  EXPECT_EQ(outcome(RTN_MULTICAST), Outcome::refused);
  EXPECT_EQ(outcome(RTN_ANYCAST), Outcome::refused) << "an own address of a machine that forwards";
  EXPECT_EQ(outcome(RTN_THROW), Outcome::failed);
}

TEST(Probe, RepeatsAnInterruptedList) {
  test::FakeKernel kernel;
  kernel.interrupted_lists = 2;
  const auto snapshot = kernel.snapshot();
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->links.size(), 1U);
  kernel.interrupted_lists = 100;
  EXPECT_FALSE(kernel.snapshot());
}

TEST(Probe, LooksAgainWhenALinkCameMeanwhile) {
  test::FakeKernel kernel;
  kernel.links.push_back({.index = 2, .name = "enp3s0", .parent_device = "0000:03:00.0"});
  kernel.routes.push_back({.destination = "0.0.0.0/0", .link = 2, .gateway = "192.168.77.1"});
  bool added = false;
  kernel.after_list = [&] {
    if (std::exchange(added, true)) return;
    kernel.links.push_back(
        {.index = 4, .name = "tun0", .kind = "tun", .hardware = 0xFFFE, .tun_type = 1});
    kernel.addresses.push_back({.link = 4, .ip = "10.8.0.2", .prefix = 24});
    kernel.routes.push_back({.destination = "0.0.0.0/1", .link = 4});
    kernel.routes.push_back({.destination = "128.0.0.0/1", .link = 4});
  };
  EXPECT_EQ(test::describe(kernel.network()), "ipv4 tunnel tun0 | ipv6 none | tun0 tun full none");
  kernel.routes.push_back({.destination = "1.0.0.0/8", .link = 99});
  EXPECT_FALSE(kernel.snapshot()) << "a link that stays unknown";
}

TEST(Probe, OpensANewWireAfterAnError) {
  test::FakeKernel kernel;
  SnapshotTaker taker([&](std::size_t) -> Result<std::unique_ptr<Wire>> { return kernel.wire(); },
                      1000);
  kernel.interrupted_lists = 100;
  EXPECT_FALSE(taker.take());
  kernel.interrupted_lists = 0;
  EXPECT_TRUE(taker.take());
  EXPECT_EQ(kernel.wires_opened, 2U);
}

/// Runs every reader over a message; nothing may be read outside it.
void read_with_everything(const nlmsghdr& message) {
  Link one;
  AddressMessage address;
  Rule rule;
  RouteMessage route;
  read_link(message, one);
  read_address(message, address);
  read_rule(message, rule);
  read_route(message, route);
  NexthopMessage nexthop;
  read_nexthop(message, nexthop);
  read_errno(message);
  read_answer(message, *parse_ip("8.8.8.8"));
  read_answer(message, *parse_ip("2001:4860:4860::8888"));
}

std::vector<Bytes> samples() {
  return {
      test::message(test::LinkSpec{.index = 3,
                                   .name = "vnet0",
                                   .kind = "tun",
                                   .tun_type = 2,
                                   .master = 4,
                                   .slave_kind = "bridge",
                                   .parent_device = "0000:03:00.0"}),
      test::message(test::AddressSpec{.link = 3, .ip = "10.0.0.1", .prefix = 24}),
      test::message(test::AddressSpec{.link = 3, .ip = "fe80::1", .prefix = 64}),
      test::message(
          test::RuleSpec{.table = 51820, .fwmark = 7, .inverted = true, .uids = {{1, 2}}}),
      test::message(test::RuleSpec{.table = 52,
                                   .protocol = 17,
                                   .source_ports = {{1, 2}},
                                   .destination_ports = {{3, 4}},
                                   .dscp = 5,
                                   .to = "45.0.0.0/8",
                                   .from = "10.0.0.0/8",
                                   .in = "lo"}),
      test::message(test::NexthopSpec{.id = 7, .link = 3, .gateway = "10.0.0.2"}),
      test::message(test::NexthopSpec{.id = 8, .group = {7, 9}}),
      test::message(test::RouteSpec{
          .destination = "8.8.8.8/32", .link = 3, .gateway = "10.0.0.2", .source = "10.0.0.1"}),
      test::message(
          test::RouteSpec{.destination = "45.0.0.0/8", .hops = {{3, "10.0.0.2"}, {4, "fe80::1"}}}),
      test::message(test::RouteSpec{.destination = "2001::/16", .hops = {{3, "fe80::1"}, {4, ""}}}),
      test::error_message(EINVAL, "Invalid values in header"),
      test::done_message(),
  };
}

TEST(Malformed, EveryTruncationIsRead) {
  for (const Bytes& sample : samples()) {
    for (std::size_t size = sizeof(nlmsghdr); size < sample.size(); ++size) {
      // A block of exactly this size, so that the sanitizer sees a read past its end.
      Bytes cut(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(size));
      cut.shrink_to_fit();
      test::header(cut).nlmsg_len = static_cast<std::uint32_t>(size);
      read_with_everything(test::header(cut));
    }
  }
}

TEST(Malformed, EveryTypeWithEveryBodyIsRead) {
  for (Bytes sample : samples()) {
    for (const int type : {NLMSG_ERROR, NLMSG_DONE, int{RTM_NEWLINK}, int{RTM_NEWADDR},
                           int{RTM_NEWRULE}, int{RTM_NEWROUTE}, int{RTM_NEWNEXTHOP}}) {
      test::header(sample).nlmsg_type = static_cast<std::uint16_t>(type);
      read_with_everything(test::header(sample));
    }
  }
}

TEST(Malformed, RandomDamageIsRead) {
  std::mt19937 random(20261122);
  for (const Bytes& sample : samples()) {
    for (int round = 0; round < 3000; ++round) {
      Bytes damaged = sample;
      for (int i = 0; i < 3; ++i) {
        const std::size_t at = sizeof(nlmsghdr) + random() % (sample.size() - sizeof(nlmsghdr));
        damaged[at] = static_cast<std::byte>(random());
      }
      read_with_everything(test::header(damaged));
    }
  }
}

TEST(Malformed, AWrongLengthIsNeverAGuess) {
  Bytes route = test::message(test::RouteSpec{.destination = "8.8.8.8/32", .link = 3});
  RouteMessage read;
  ASSERT_EQ(read_route(test::header(route), read), Read::ok);
  reinterpret_cast<rtmsg*>(&test::header(route) + 1)->rtm_dst_len = 33;
  EXPECT_EQ(read_route(test::header(route), read), Read::malformed);
  reinterpret_cast<rtmsg*>(&test::header(route) + 1)->rtm_family = AF_INET6;
  EXPECT_EQ(read_route(test::header(route), read), Read::malformed)
      << "four bytes are no IPv6 address";
  EXPECT_EQ(read_answer(test::header(route), *parse_ip("8.8.8.8")).outcome, Outcome::failed);
}

}  // namespace
}  // namespace icelock::net::netlink
