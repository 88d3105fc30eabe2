// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/error.h"
#include "net/netlink_talk.h"
#include "net/network.h"

namespace icelock::net {

/// Puts the questions of a snapshot to the kernel. Not for two threads at once. Errors and bounds
/// as Prober::snapshot() says.
class SnapshotTaker {
 public:
  /// Opens a wire for datagrams of at most so many bytes: the kernel fills a list that far ahead.
  using OpenWire = std::function<Result<std::unique_ptr<netlink::Wire>>(std::size_t)>;

  /// False when what the survey found in `surveyed` still holds, by what happened since the last
  /// call.
  using WaysChanged = std::function<bool(const Snapshot& surveyed)>;

  /// `open` is called for each wire that is needed, and again after an error. `uid` is this
  /// process's own. With `ways_changed`, what the last survey found is kept as long as it holds: on
  /// a router with 100,000 routes the kernel needs 30 ms to list those beside the tunnel.
  SnapshotTaker(OpenWire open, std::uint32_t uid, WaysChanged ways_changed = {})
      : open_(std::move(open)), uid_(uid), ways_changed_(std::move(ways_changed)) {}

  Result<void> connect();
  Result<Snapshot> take();

 private:
  Result<Snapshot> read();
  Result<void> read_links(Snapshot& snapshot);
  Result<void> read_rules(Snapshot& snapshot);
  Result<void> read_answers(Snapshot& snapshot, Family family);
  Result<void> survey(Snapshot& snapshot);
  bool recall_survey(Snapshot& snapshot);
  Result<void> survey_routes(Snapshot& snapshot, Family family,
                             std::vector<netlink::RouteMessage>& routes);
  /// Adds routes over the link, 0 for all; false when there are more than may be read.
  Result<bool> survey_list(Family family, int link, std::vector<netlink::RouteMessage>& routes);
  Result<bool> is_in_effect(const Snapshot& snapshot, const ExcludedRoute& route);
  Result<void> read_excluded(Snapshot& snapshot, Family family,
                             const std::vector<netlink::RouteMessage>& routes);

  OpenWire open_;
  std::uint32_t uid_;
  WaysChanged ways_changed_;
  std::optional<Snapshot> surveyed_;  ///< the last one with a survey that holds
  bool survey_holds_ = false;         ///< the kernel's lists stood still while they were read
  std::vector<std::uint32_t> uids_;   ///< whose questions are asked, by the rules of this snapshot
  std::unique_ptr<netlink::Talk> talk_;
  std::unique_ptr<netlink::Talk>
      routes_talk_;  ///< on its own: a dump that is cut leaves the wire unusable
};

/// Public addresses spread over both halves of the IPv4 space, and over the global IPv6 space; the
/// first is the one that WebRTC itself asks for to find the default local address
/// (rtc_base/network.cc).
std::vector<Ip> probe_addresses(Family family);

}  // namespace icelock::net
