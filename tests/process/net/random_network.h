// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "net/ip.h"

// Networks that nobody would set up by hand: each is a list of ip(8) commands, drawn by a seed.

namespace icelock::net::test {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  /// Below `count`, which is not 0. The standard's distributions differ between libraries; a seed
  /// has to mean the same everywhere.
  std::uint32_t below(std::uint32_t count) { return static_cast<std::uint32_t>(engine_() % count); }
  bool chance(std::uint32_t percent) { return below(100) < percent; }
  template <class Values>
  const auto& pick(const Values& values) {
    return values[below(static_cast<std::uint32_t>(values.size()))];
  }
  std::uint64_t number() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

struct Step {
  Family family = Family::ipv4;
  std::string text;  ///< arguments of ip
};

/// The links that the steps lead over, as steps of Namespace: three pairs of cards, two tunnels.
/// Their groups are drawn.
std::vector<std::string> draw_links(Dice& dice);

struct Plan {
  std::vector<Step> steps;
  /// It has routes of which even a perfect reader can only say "one of these": by type of service,
  /// by source, or as good as another one.
  bool odd = false;
};

/// `all_users`: whether this user namespace has more users than its root; a rule that names another
/// one is refused then.
Plan draw_plan(Dice& dice, bool all_users);

/// This machine's addresses on those links.
const std::vector<Ip>& own_addresses(Family family);
/// Firewall marks that the rules ask for, and others.
const std::vector<std::uint32_t>& marks();

}  // namespace icelock::net::test
