// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "net/netlink_socket.h"
#include "net/probe.h"
#include "net/routes_watch.h"
#include "net/take_snapshot.h"

namespace icelock::net {

struct Prober::State {
  RoutesWatch routes;
  SnapshotTaker taker{netlink::Socket::open, getuid(), [this] { return routes.changed(); }};
};

Prober::Prober(std::unique_ptr<State> state) : state_(std::move(state)) {}
Prober::Prober(Prober&&) noexcept = default;
Prober& Prober::operator=(Prober&&) noexcept = default;
Prober::~Prober() = default;

Result<Prober> Prober::open() {
  auto state = std::make_unique<State>();
  if (auto connected = state->taker.connect(); !connected) {
    return std::unexpected(connected.error());
  }
  return Prober(std::move(state));
}

Result<Snapshot> Prober::snapshot() {
  return state_->taker.take();
}

}  // namespace icelock::net
