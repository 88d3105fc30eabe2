// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "guard/decide.h"

namespace icelock::guard {

/// What everybody is told. `serial` grows by one with each change that matters.
struct State {
  std::uint64_t serial = 0;
  Settings settings;
  std::optional<net::Network> network;  ///< none while the network cannot be read
  Decision decision;
};

/// The one owner of state: takes looks at the network, decides, tightens at once and loosens late.
/// Does no I/O and knows no clock of its own, so every timing is testable. One thread.
class Guard {
 public:
  /// Loosening waits until this long after the last network event, but no longer than
  /// `longest_wait` after the first moment at which it could have happened.
  static constexpr std::chrono::milliseconds quiet{300};
  static constexpr std::chrono::milliseconds longest_wait{2000};

  /// `memory`: what the guard before this one knew, if anything.
  explicit Guard(Settings settings, Memory memory = {});

  /// A fresh look. `event`: the kernel reported a change just now (false for a look by the timer).
  /// True when state() changed. `by_user`: as decide() says.
  bool look(const Result<net::Network>& network, bool event, Clock::time_point now,
            const std::optional<net::Network>& by_user = std::nullopt);

  /// New settings. A person's own choice (`chosen`) is in force at once; what a file says loosens
  /// as late as the network does, because editors take a file away before they write it. True when
  /// state() changed.
  bool set(Settings settings, bool chosen, Clock::time_point now);

  /// When to look again without an event: a hold that ends, a loosening that waits. None: nothing
  /// is due.
  std::optional<Clock::time_point> due() const;

  const State& state() const { return state_; }
  const Memory& memory() const { return memory_; }

 private:
  bool update(bool may_loosen, Clock::time_point now);
  bool ripe(Clock::time_point now) const;

  State state_;
  Result<net::Network> seen_;
  std::optional<net::Network> seen_by_user_;
  Memory memory_;
  Clock::time_point last_event_;
  std::optional<Clock::time_point> looser_since_;
};

}  // namespace icelock::guard
