// SPDX-License-Identifier: Apache-2.0
// The prober and the watch against a real kernel, each test in an empty network namespace of its
// own. Run by in_namespace.sh, which gives an unprivileged user a user namespace.
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "fake_kernel.h"
#include "namespace.h"
#include "net/netlink_talk.h"
#include "net/probe.h"
#include "net/watch.h"
#include "recording.h"
#include "situations.h"

namespace icelock::net {
namespace {

using namespace std::literals;
using test::Namespace;

std::string describe_now() {
  auto prober = Prober::open();
  if (!prober) return to_string(prober.error());
  const auto snapshot = prober->snapshot();
  return snapshot ? test::describe(classify(*snapshot)) : to_string(snapshot.error());
}

std::string comment_for(const test::Situation& situation) {
  utsname system{};
  uname(&system);
  std::string text =
      "Linux "s + system.release + ", answers to an unprivileged user in a namespace made by:";
  for (const auto step : situation.steps) text += " " + std::string(step) + ";";
  return text;
}

class KernelSituation : public testing::TestWithParam<test::Situation> {};

TEST_P(KernelSituation, IsUnderstood) {
  Namespace space;
  space.run(GetParam().steps);
  std::vector<test::Exchange> exchanges;
  SnapshotTaker taker(
      [&](std::size_t datagram) -> Result<std::unique_ptr<netlink::Wire>> {
        auto wire = netlink::Socket::open(datagram);
        if (!wire) return wire;
        return std::make_unique<test::RecordingWire>(std::move(*wire), exchanges);
      },
      1000);
  const auto snapshot = taker.take();
  ASSERT_TRUE(snapshot) << to_string(snapshot.error());
  EXPECT_EQ(test::describe(classify(*snapshot)), GetParam().expected);
  EXPECT_EQ(describe_now(), GetParam().expected);
  if (const char* folder = std::getenv("ICELOCK_RECORD")) {
    test::save(std::string(folder) + "/" + std::string(GetParam().name) + ".hex",
               comment_for(GetParam()), exchanges);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernel, KernelSituation, testing::ValuesIn(test::situations()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Prober, ReadsLinksAddressesAndFlags) {
  Namespace space;
  space.run(test::laptop);
  space.run("addr add 2a0e:77:0:1:211:22ff:fe33:4455/64 dev enp3s0 nodad preferred_lft 0");
  space.run("tun tun0");
  auto prober = Prober::open();
  ASSERT_TRUE(prober);
  const auto snapshot = prober->snapshot();
  ASSERT_TRUE(snapshot) << to_string(snapshot.error());
  const auto find = [&](std::string_view name) {
    return *std::ranges::find(snapshot->links, name, &Link::name);
  };
  EXPECT_EQ(find("lo").link_class, LinkClass::loopback);
  EXPECT_EQ(find("tun0").link_class, LinkClass::tunnel);
  EXPECT_EQ(find("tun0").kind, "tun");
  EXPECT_FALSE(find("tun0").up);
  const Link lan = find("enp3s0");
  EXPECT_EQ(lan.link_class, LinkClass::virtual_link);
  EXPECT_EQ(lan.kind, "veth");
  EXPECT_TRUE(lan.up && lan.running);
  const auto aged =
      std::ranges::find(lan.addresses, *parse_ip("2a0e:77:0:1:211:22ff:fe33:4455"), &Address::ip);
  ASSERT_NE(aged, lan.addresses.end());
  EXPECT_TRUE(aged->deprecated);
  EXPECT_TRUE(aged->mac_based);
  EXPECT_TRUE(aged->global_scope);
  EXPECT_EQ(aged->prefix, 64);
  for (const LocalAddress& address : classify(*snapshot).addresses) EXPECT_NE(address.ip, aged->ip);
}

TEST(Prober, SeesTheNextState) {
  Namespace space;
  space.run(test::laptop);
  auto prober = Prober::open();
  ASSERT_TRUE(prober);
  const auto describe = [&] { return test::describe(classify(prober->snapshot().value())); };
  EXPECT_EQ(describe(), "ipv4 direct enp3s0 | ipv6 direct enp3s0");
  space.run(test::openvpn_def1);
  EXPECT_EQ(describe(), "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none");
  space.run("link del tun0");
  EXPECT_EQ(describe(), "ipv4 direct enp3s0 | ipv6 direct enp3s0");
}

TEST(Prober, SaysInFewBlocksWhatManyRoutesSay) {
  Namespace space;
  space.run(test::laptop);
  space.run(test::openvpn_def1);
  space.batch([](std::ostream& out) {
    for (int i = 0; i < 20000; ++i) {
      out << "route add 45." << i / 256 << '.' << i % 256 << ".0/24 via 192.168.77.1\n";
    }
  });
  auto prober = Prober::open();
  ASSERT_TRUE(prober);
  for (int i = 0; i < 3; ++i) {
    const auto snapshot = prober->snapshot();
    ASSERT_TRUE(snapshot) << to_string(snapshot.error());
    const FamilyState state = classify(*snapshot).ipv4;
    EXPECT_EQ(state.verdict, Verdict::tunnel);
    ASSERT_EQ(state.excluded.size(), 5U);
    EXPECT_EQ(to_string(state.excluded.front()), "45.0.0.0/10");
  }
}

// What is kept of an earlier look may never hide a way beside the tunnel.
TEST(Prober, KeepsNothingThatNoLongerHolds) {
  Namespace space;
  space.run(test::laptop);
  space.run(test::openvpn_def1);
  // A nexthop object that changes is then told of by its own message alone, and not by the routes'.
  std::ofstream("/proc/sys/net/ipv4/nexthop_compat_mode") << "0\n";
  auto kept = Prober::open();
  ASSERT_TRUE(kept);
  for (const auto step : {"route add 45.1.0.0/16 via 10.8.0.1"sv,
                          "route add 45.2.0.0/16 via 192.168.77.1"sv,
                          "route add 45.2.0.0/17 via 10.8.0.1"sv,
                          "route add 45.2.128.0/17 via 10.8.0.1"sv,
                          "route del 45.2.128.0/17"sv,
                          "route del 45.2.0.0/17"sv,
                          "route replace 45.1.0.0/16 via 192.168.77.1"sv,
                          "route del 45.2.0.0/16"sv,
                          "route replace 45.1.0.0/16 via 10.8.0.1"sv,
                          "rule add pref 10 table 77"sv,
                          "route add 45.3.0.0/16 via 192.168.77.1 table 77"sv,
                          "rule del pref 10"sv,
                          "rule add pref 10 table 77"sv,
                          "route add throw 45.3.0.0/24 table 77"sv,
                          "link set enp3s0 down"sv,
                          "link set enp3s0 up"sv,
                          "route add 45.4.0.0/16 nexthop via 10.8.0.1 nexthop via 192.168.77.1"sv,
                          "link set tun0 down"sv,
                          "link set tun0 up"sv,
                          "route add 0.0.0.0/1 via 10.8.0.1"sv,
                          "route add 128.0.0.0/1 via 10.8.0.1"sv,
                          "nexthop add id 7 via 10.8.0.1 dev tun0"sv,
                          "route add 45.5.0.0/16 nhid 7"sv,
                          "nexthop replace id 7 via 192.168.77.1 dev enp3s0"sv,
                          "route flush table 77"sv}) {
    space.run(step);
    space.settle();
    EXPECT_EQ(test::describe(classify(kept->snapshot().value())), describe_now()) << step;
    // Once more, now from what was kept.
    EXPECT_EQ(test::describe(classify(kept->snapshot().value())), describe_now()) << step;
  }
}

// A second user namespace below ours has no rights over this network namespace at all.
TEST(Prober, NeedsNoCapability) {
  Namespace space;
  space.run(test::laptop);
  space.run(test::openvpn_def1);
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWUSER) != 0) _exit(77);
    const bool powerless = std::system("ip link set lo down 2>/dev/null") != 0;
    const auto watch = Watch::open();
    _exit(powerless && watch && describe_now().starts_with("ipv4 tunnel tun0 |") ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no nested user namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Prober, ReadsAThousandLinks) {
  Namespace space;
  space.run("link set lo up");
  space.batch([](std::ostream& out) {
    for (int i = 0; i < 500; ++i) {
      out << "link add port" << i << " type veth peer name far" << i << '\n';
    }
  });
  auto prober = Prober::open();
  ASSERT_TRUE(prober);
  const auto snapshot = prober->snapshot();
  ASSERT_TRUE(snapshot) << to_string(snapshot.error());
  EXPECT_EQ(snapshot->links.size(), 1001U);
}

bool readable(const Watch& watch, int milliseconds) {
  pollfd entry{watch.fd(), POLLIN, 0};
  return poll(&entry, 1, milliseconds) == 1;
}

TEST(Watch, SeesEachKindOfChangeOnce) {
  Namespace space;
  space.run(test::laptop);
  auto watch = Watch::open();
  ASSERT_TRUE(watch);
  EXPECT_FALSE(watch->drain());
  for (const auto step :
       {"link set lo down"sv, "addr add 10.1.0.1/24 dev far0"sv,
        "-6 addr add 2a0e:1::1/64 dev far0"sv, "route add 10.2.0.0/16 via 192.168.77.1"sv,
        "-6 route add 2a0e:2::/32 via 2a0e:77:0:1::1"sv, "rule add pref 300 table 300"sv,
        "-6 rule add pref 300 table 300"sv, "tun tun0"sv}) {
    // Duplicate address detection sends messages of its own later.
    usleep(20000);
    watch->drain();
    space.run(step);
    EXPECT_TRUE(readable(*watch, 1000)) << step;
    EXPECT_TRUE(watch->drain()) << step;
  }
}

TEST(Watch, ReportsLostMessages) {
  Namespace space;
  space.run(test::laptop);
  auto watch = Watch::open();
  ASSERT_TRUE(watch);
  const int small = 1;
  ASSERT_EQ(setsockopt(watch->fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  for (int i = 0; i < 20; ++i) {
    space.run("route add 10." + std::to_string(i + 1) + ".0.0/16 via 192.168.77.1");
  }
  // All that was queued is read away, so that only the report of the loss can be left.
  std::array<char, 8192> buffer{};
  std::array<char, 1> peek{};
  bool lost = false;
  while (recv(watch->fd(), peek.data(), peek.size(), MSG_PEEK | MSG_DONTWAIT) > 0) {
    recv(watch->fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  }
  lost = errno == ENOBUFS;
  EXPECT_TRUE(lost) << "the queue did not overflow";
  space.run("link set lo down");
  EXPECT_TRUE(watch->drain());
  EXPECT_FALSE(watch->drain());
}

/// Sends bytes to another netlink socket from one that is not the kernel.
bool forge(int to, std::span<const std::byte> bytes) {
  sockaddr_nl target{};
  socklen_t size = sizeof target;
  getsockname(to, reinterpret_cast<sockaddr*>(&target), &size);
  const Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  target.nl_groups = 0;
  return sendto(fd.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&target),
                sizeof target) == static_cast<ssize_t>(bytes.size());
}

TEST(Watch, IgnoresOtherSenders) {
  Namespace space;
  auto watch = Watch::open();
  ASSERT_TRUE(watch);
  const auto bytes = test::message(test::LinkSpec{.index = 9, .name = "tun9", .kind = "tun"});
  ASSERT_TRUE(forge(watch->fd(), bytes));
  EXPECT_TRUE(readable(*watch, 1000)) << "the forged message did not arrive";
  EXPECT_FALSE(watch->drain());
  space.run("link set lo up");
  ASSERT_TRUE(forge(watch->fd(), bytes));
  EXPECT_TRUE(watch->drain());
}

TEST(Socket, IgnoresOtherSenders) {
  Namespace space;
  auto wire = netlink::Socket::open(8192);
  ASSERT_TRUE(wire);
  const int fd = static_cast<netlink::Socket&>(**wire).fd();
  const auto forged = test::message(test::LinkSpec{.index = 9, .name = "tun9", .kind = "tun"});
  netlink::Talk talk(std::move(*wire));
  ASSERT_TRUE(forge(fd, test::numbered(forged, 1)));
  const auto links = talk.list<Link>(netlink::link_dump(), "reading the links", netlink::read_link);
  ASSERT_TRUE(links) << to_string(links.error());
  ASSERT_EQ(links->size(), 1U);
  EXPECT_EQ(links->front().name, "lo");
}

TEST(Socket, GivesUpAfterASecond) {
  Namespace space;
  auto wire = netlink::Socket::open(8192);
  ASSERT_TRUE(wire);
  const auto before = std::chrono::steady_clock::now();
  const auto datagram = (*wire)->receive();
  const auto waited = std::chrono::steady_clock::now() - before;
  ASSERT_FALSE(datagram);
  EXPECT_EQ(datagram.error().code, Code::probe_failed);
  EXPECT_GE(waited, 900ms);
  EXPECT_LE(waited, 30s);
}

// The kernel explains a bad request and does not explain a blackhole; the reading of EINVAL rests
// on that.
TEST(Socket, TellsABadQuestionFromABlackhole) {
  Namespace space;
  space.run(test::laptop);
  space.run("-6 route add blackhole 2000::/3");
  auto wire = netlink::Socket::open(8192);
  ASSERT_TRUE(wire);
  const Ip target = *parse_ip("2606:4700:4700::1111");
  Question question{.destination = target};
  question.traffic[protocol] = {udp, udp};
  const auto ask = [&](bool bad) {
    auto request = netlink::route_question(question);
    request.header()->nlmsg_seq = 1;
    auto* route = reinterpret_cast<rtmsg*>(request.header() + 1);
    if (bad) route->rtm_flags = RTM_F_LOOKUP_TABLE;
    EXPECT_TRUE((*wire)->send(request.bytes()));
    const auto datagram = (*wire)->receive();
    EXPECT_TRUE(datagram);
    return netlink::read_answer(*reinterpret_cast<const nlmsghdr*>(datagram->data()), target)
        .outcome;
  };
  EXPECT_EQ(ask(false), Outcome::refused);
  EXPECT_EQ(ask(true), Outcome::failed);
}

}  // namespace
}  // namespace icelock::net
