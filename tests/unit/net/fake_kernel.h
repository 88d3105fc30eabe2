// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "messages.h"
#include "net/take_snapshot.h"

namespace icelock::net::test {

/// A network as data, which answers rtnetlink requests with real bytes: lists, and route questions
/// by rules and longest prefix as the kernel does for packets without a mark. Enough of it for
/// these tests, no more.
class FakeKernel {
 public:
  std::vector<LinkSpec> links;
  std::vector<AddressSpec> addresses;
  std::vector<RuleSpec> rules;
  std::vector<RouteSpec> routes;

  std::set<std::string> failing;  ///< questions for these addresses end in EIO
  int interrupted_lists = 0;      ///< so many lists come with NLM_F_DUMP_INTR
  std::size_t lists_read = 0;
  std::size_t wires_opened = 0;
  std::function<void()> after_list;  ///< called after each list, to change the network meanwhile

  /// The kernel's own rules are there from the start.
  FakeKernel();
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;

  /// Must not outlive the kernel.
  std::unique_ptr<netlink::Wire> wire();
  Result<Snapshot> snapshot(std::uint32_t uid = 1000);
  Network network(std::uint32_t uid = 1000);

  /// The datagrams that answer what was sent.
  std::vector<Bytes> reply(std::span<const std::byte> request);

 private:
  std::vector<Bytes> list(const nlmsghdr& request);
  Bytes answer(const nlmsghdr& request) const;
  const RouteSpec* look_up(const Ip& destination, const RuleSpec& rule) const;
  bool rule_applies(const RuleSpec& rule, Family family, std::uint32_t uid) const;
  std::string source_for(const RouteSpec& route, Family family) const;
};

/// "ipv4 tunnel tun0 | ipv6 direct eth0 | tun0 tun full none": what a person would check.
std::string describe(const Network& network);

}  // namespace icelock::net::test
