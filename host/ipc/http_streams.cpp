// SPDX-License-Identifier: Apache-2.0
#include "ipc/http_streams.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

namespace icelock::ipc {

bool PerUid::enter(const Peer& peer) {
  if (peer.uid == 0) return true;
  auto& held = held_[peer.uid];
  if (held >= most_) return false;
  ++held;
  return true;
}

void PerUid::leave(const Peer& peer) {
  const auto found = held_.find(peer.uid);
  if (found != held_.end() && --found->second == 0) held_.erase(found);
}

EventStreams::Place::Place(EventStreams& streams, Peer peer, Fd bell)
    : streams_(streams), peer_(std::move(peer)), bell_(std::move(bell)) {}

EventStreams::Place::~Place() {
  streams_.leave(*this);
}

void EventStreams::Place::silence() {
  eventfd_t rings = 0;
  ::eventfd_read(bell_.get(), &rings);
}

Result<std::shared_ptr<EventStreams::Place>> EventStreams::open(const Peer& peer) {
  Fd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) return fail_errno(errno, "cannot make an eventfd");
  // Before the lock, so that it is destroyed after it: its destructor takes the lock.
  auto place = std::make_shared<Place>(*this, peer, std::move(bell));
  const std::lock_guard lock(mutex_);
  if (places_.size() >= most_) return fail(Code::busy, "too many event streams");
  place->counted_ = uids_.enter(peer);
  if (!place->counted_) return fail(Code::busy, "too many event streams of one user");
  places_.insert(place.get());
  return place;
}

void EventStreams::ring() {
  const std::lock_guard lock(mutex_);
  for (const auto* place : places_) ::eventfd_write(place->bell(), 1);
}

void EventStreams::leave(const Place& place) {
  const std::lock_guard lock(mutex_);
  places_.erase(&place);
  if (place.counted_) uids_.leave(place.peer_);
}

}  // namespace icelock::ipc
