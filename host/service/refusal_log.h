// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

namespace icelock::app {

/// Keeps refusals, of which anybody can cause as many as they like, from filling the journal, which
/// would drop the service's own lines then.
class RefusalLog {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t most = 30;  ///< lines in one span
  static constexpr std::chrono::seconds span{60};

  /// Counts one refusal. nullopt: it is not to be logged; else how many were not since the last
  /// that was.
  std::optional<std::size_t> count(Time now) {
    if (now - begin_ >= span) {
      begin_ = now;
      logged_ = 0;
    }
    if (logged_ == most) {
      ++left_out_;
      return std::nullopt;
    }
    ++logged_;
    return std::exchange(left_out_, 0);
  }

 private:
  Time begin_;
  std::size_t logged_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace icelock::app
