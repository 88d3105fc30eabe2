// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "net/collect.h"
#include "net/netlink_talk.h"
#include "net/network.h"

namespace icelock::net {

/// Puts the questions of a snapshot to the kernel. Not for two threads at once. Errors and bounds
/// as Prober::snapshot() says.
class SnapshotTaker {
 public:
  /// Opens a wire for datagrams of at most so many bytes: the kernel fills a list that far ahead.
  using OpenWire = std::function<Result<std::unique_ptr<netlink::Wire>>(std::size_t)>;

  /// False when no route has changed since the last call.
  using RoutesChanged = std::function<bool()>;

  /// `open` is called for each wire that is needed, and again after an error. `uid` is this
  /// process's own; for root the ways are those of all people, since nobody browses as root. With
  /// `routes_changed`, the ways are kept as long as nothing that they follow from changed: on a
  /// router with 100,000 routes the kernel needs 30 ms to list them.
  SnapshotTaker(OpenWire open, std::uint32_t uid, RoutesChanged routes_changed = {})
      : open_(std::move(open)), uid_(uid), routes_changed_(std::move(routes_changed)) {}

  Result<void> connect();
  Result<Snapshot> take();

 private:
  Result<Snapshot> read();
  Result<void> read_links(Snapshot& snapshot);
  Result<void> read_ways(Snapshot& snapshot);
  /// False when there are more than are read. `count`: how many there were.
  Result<bool> read_routes(RouteCollector& routes, Family family, std::size_t& count);
  Result<void> check(Snapshot& snapshot);

  OpenWire open_;
  std::uint32_t uid_;
  RoutesChanged routes_changed_;
  std::optional<Snapshot> known_;  ///< the last one whose ways may still hold
  bool was_interrupted_ = false;   ///< a list of routes, by a change
  std::unique_ptr<netlink::Talk> talk_;
};

}  // namespace icelock::net
