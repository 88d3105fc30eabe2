// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "namespace.h"
#include "net/netlink_talk.h"
#include "net/routing.h"
#include "random_network.h"

// A kernel with random rules and routes, as the product reads it.

namespace icelock::net::test {

/// What SnapshotTaker::read_ways() makes the ways from.
struct State {
  std::vector<Link> links;
  Routing routing;

  auto operator<=>(const State&) const = default;
};

/// Throws std::runtime_error when something is wrong with the test itself.
class Machine {
 public:
  /// In a new namespace. Links are slow to make, so a machine is good for many networks.
  explicit Machine(const std::vector<std::string>& links);

  void apply(const std::vector<Step>& steps);
  /// Takes everything away again. False when something stayed: this machine is of no further use.
  bool undo(const std::vector<Step>& steps);

  State state();
  /// As the product takes it for a person.
  Snapshot snapshot();
  std::vector<Answer> ask(const std::vector<Question>& questions);

 private:
  Namespace space_;
  std::unique_ptr<netlink::Talk> talk_;
  State empty_;
};

}  // namespace icelock::net::test
