// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "messages.h"
#include "net/routing.h"
#include "net/take_snapshot.h"

namespace icelock::net::test {

/// A network as data, which answers rtnetlink requests with real bytes. It lists what it was given;
/// its answers to questions are those of the model (net/ways.h), unless `otherwise` has another
/// one: whether the model is right, only a real kernel can tell (tests/process/net,
/// tests/networks).
class FakeKernel {
 public:
  std::vector<LinkSpec> links;
  std::vector<AddressSpec> addresses;
  std::vector<RuleSpec> rules;
  std::vector<RouteSpec> routes;
  std::vector<NexthopSpec> nexthops;

  /// By address, over which link it answers in spite of its lists; 0: not at all (ENETUNREACH).
  std::map<std::string, int> otherwise;
  std::optional<int> only_answer;  ///< the same for every address
  std::set<std::string> failing;   ///< questions for these addresses end in EIO
  int interrupted_lists = 0;       ///< so many lists come with NLM_F_DUMP_INTR
  std::size_t lists_read = 0;
  std::size_t wires_opened = 0;
  std::function<void()> after_list;  ///< called after each list, to change the network meanwhile

  /// The kernel's own rules are there from the start.
  FakeKernel();
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;

  void add(LinkSpec link) { links.push_back(std::move(link)); }
  void add(AddressSpec address) { addresses.push_back(std::move(address)); }
  void add(RuleSpec rule) { rules.push_back(std::move(rule)); }
  void add(RouteSpec route) { routes.push_back(std::move(route)); }

  /// As the program reads it.
  Routing routing() const;
  /// Must not outlive the kernel.
  std::unique_ptr<netlink::Wire> wire();
  Result<Snapshot> snapshot(std::uint32_t uid = 1000);
  Network network(std::uint32_t uid = 1000);

  /// The datagrams that answer what was sent.
  std::vector<Bytes> reply(std::span<const std::byte> request);

 private:
  std::vector<Bytes> list(const nlmsghdr& request);
  Bytes answer(const nlmsghdr& request, std::optional<Routing>& known) const;
  Bytes answer_over(const Ip& destination, const Fate& fate) const;
};

/// "ipv4 tunnel tun0 | ipv6 direct eth0 | tun0 tun full none": what a person would check.
std::string describe(const Network& network);

}  // namespace icelock::net::test
