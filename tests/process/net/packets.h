// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "machine.h"
#include "net/ways.h"
#include "random_network.h"

// Packets, what is computed of their ways, and whether the kernel's answer is the same.

namespace icelock::net::test {

/// What is computed for one state.
class Model {
 public:
  explicit Model(const State& state) : routing_(state.routing) {}

  /// None: the rules split the traffic too far.
  const std::optional<Ways>& ways_for(const Question& question);
  Fate fate_of(const Question& question);

 private:
  Routing routing_;
  std::map<std::tuple<Family, std::uint32_t, std::optional<Ip>>, std::optional<Ways>> ways_;
};

/// Draws packets that lie where the answer changes more often than chance would have it.
class PacketDraw {
 public:
  PacketDraw(Dice& dice, const State& state, Model& model, bool all_users)
      : dice_(dice), state_(state), model_(model), all_users_(all_users) {}

  Question draw();

 private:
  bool is_ours(const Ip& ip) const;
  std::uint32_t draw_value(Family family, std::size_t axis);
  Ip draw_destination(const Question& question);

  Dice& dice_;
  const State& state_;
  Model& model_;
  bool all_users_;
};

/// Any answer agrees with what cannot be told. `unreachable_rule`: a rule of type unreachable is
/// answered like the lack of any route (fib4_rule_action, __fib6_rule_action), and a route of that
/// type is not.
bool agree(const Fate& fate, const Answer& answer, bool unreachable_rule);
bool has_unreachable_rule(const std::vector<Step>& steps, Family family);

std::string describe(const State& state, const Fate& fate);
std::string describe(const State& state, const Answer& answer);
/// As a command that puts the question.
std::string describe(const Question& question);

}  // namespace icelock::net::test
