// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/error.h"
#include "net/network.h"

namespace icelock::net {

/// Reads the network from rtnetlink; needs no privilege. One per thread; keeps one socket open.
class Prober {
 public:
  static Result<Prober> open();
  Prober(Prober&&) noexcept;
  Prober& operator=(Prober&&) noexcept;
  ~Prober();

  /// A fresh snapshot: links, addresses, rules, and the kernel's answers for public addresses of
  /// both families. Bounded: 1 s for each reply. Errors: probe_failed, with the step in words. A
  /// dump that the kernel marks as interrupted is repeated; one that stays inconsistent is an
  /// error, never a short list.
  Result<Snapshot> snapshot();

 private:
  struct State;
  explicit Prober(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace icelock::net
