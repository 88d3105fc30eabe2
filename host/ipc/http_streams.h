// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/fd.h"
#include "ipc/peer.h"

namespace icelock::ipc {

/// How much each uid has of something. Root is not counted; peers without a uid are one. Not
/// locked.
class PerUid {
 public:
  explicit PerUid(std::size_t most) : most_(most) {}

  /// False: that uid has as much as it may.
  bool enter(const Peer& peer);
  void leave(const Peer& peer);

 private:
  std::size_t most_;
  std::map<std::optional<uid_t>, std::size_t> held_;
};

/// The event streams that are open: how many there may be, and a bell for each.
class EventStreams {
 public:
  /// One stream's place, given back when it is destroyed.
  class Place {
   public:
    Place(EventStreams& streams, Peer peer, Fd bell);
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

    /// Readable after ring(), once for any number of them.
    int bell() const { return bell_.get(); }
    void silence();

   private:
    friend class EventStreams;
    EventStreams& streams_;
    Peer peer_;
    Fd bell_;
    bool counted_ = false;
  };

  EventStreams(std::size_t most, std::size_t most_per_uid) : most_(most), uids_(most_per_uid) {}

  /// Errors: busy; io when there is no descriptor for the bell. The streams must outlive the place.
  Result<std::shared_ptr<Place>> open(const Peer& peer);
  void ring();

 private:
  void leave(const Place& place);

  std::mutex mutex_;
  std::size_t most_;
  PerUid uids_;
  std::set<const Place*> places_;
};

}  // namespace icelock::ipc
