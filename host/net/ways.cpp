// SPDX-License-Identifier: Apache-2.0
#include "net/ways.h"

#include <algorithm>
#include <set>
#include <utility>

namespace icelock::net {
namespace {

constexpr std::size_t most_boxes = 4096;

/// From here on: undecided, and passed over until the rule of that index (goto).
constexpr std::uint16_t waiting = 0x8000;

/// What the rest of the selectors, those that are the same for all packets asked about, say.
bool may_select(const Rule& rule, const Packets& packets) {
  if (rule.never_ours) return false;
  if (((rule.mark ^ packets.mark) & rule.mask) != 0) return false;
  if (!rule.from || rule.from->length == 0) return true;
  // IPv6 never matches a source that is not chosen yet (fib6_rule_match, RT6_LOOKUP_F_HAS_SADDR).
  if (!packets.from && rule.family == Family::ipv6) return false;
  return inside(packets.from.value_or(Ip{rule.family, {}}), rule.from->base, rule.from->length);
}

/// Adds the part of `box` that is in `ranges` to one list and the rest, as boxes, to the other.
void split(Traffic box, const Traffic& ranges, std::vector<Traffic>& in,
           std::vector<Traffic>& rest) {
  if (!meet(box, ranges)) return rest.push_back(box);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const Range wanted = ranges[axis];
    if (box[axis].first < wanted.first) {
      rest.push_back(box);
      rest.back()[axis].last = wanted.first - 1;
      box[axis].first = wanted.first;
    }
    if (box[axis].last > wanted.last) {
      rest.push_back(box);
      rest.back()[axis].first = wanted.last + 1;
      box[axis].last = wanted.last;
    }
  }
  in.push_back(box);
}

/// Packets with one past: where each destination's look-up has come to.
struct Group {
  std::vector<Traffic> boxes;
  Spans to;
};

/// What is undecided from `first` to `last` takes what a rule found for it.
void fill(Group& group, const Spans& found, const Position& first = {},
          const Position& last = last_position) {
  const auto take = [](std::uint16_t old, std::uint16_t now) {
    return old == undecided_fate ? now : old;
  };
  overwrite(group.to, combine(group.to, found, take, first, last), last);
}

/// The same for the destinations of a rule that holds for a group's boxes.
void fill_selected(Group& group, const Rule& rule, const Spans& found) {
  const Prefix block = rule.to.value_or(Prefix{{rule.family, {}}, 0});
  const Position first = first_of(position(block.base), block.length);
  const Position last = last_of(block);
  if (!rule.inverted) return fill(group, found, first, last);
  if (rule.unknown_selector) return fill(group, found);
  if (first != Position{}) fill(group, found, {}, before(first));
  if (last != last_position) fill(group, found, after(last));
}

class Walk {
 public:
  Walk(Routing& routing, const Packets& packets) : routing_(routing), packets_(packets) {
    for (const Rule& rule : routing.rules) {
      if (rule.family == packets.family) rules_.push_back(&rule);
    }
    refused_ = fate_index(routing, {.course = Course::refused});
    no_route_ = fate_index(routing, {.course = Course::no_route});
    groups_.push_back({packets.traffic, {{{}, undecided_fate}}});
  }

  bool run() {
    if (rules_.size() >= waiting) return false;
    for (std::size_t number = 0; number < rules_.size(); ++number) {
      if (targets_.contains(number)) {
        const auto wake = [&](std::uint16_t fate) {
          return fate == (waiting | number) ? undecided_fate : fate;
        };
        for (Group& group : groups_) group.to = map(group.to, wake);
      }
      const Spans* found = found_by(number);
      if (found) apply(*rules_[number], *found);
      std::size_t boxes = 0;
      for (const Group& group : groups_) boxes += group.boxes.size();
      if (boxes > most_boxes) return false;
    }
    return true;
  }

  std::vector<Way> result() {
    const auto end = [&](std::uint16_t fate) {
      return fate == undecided_fate || fate >= waiting ? no_route_ : fate;
    };
    std::vector<Way> ways;
    for (Group& group : groups_) ways.push_back({std::move(group.boxes), map(group.to, end)});
    return ways;
  }

 private:
  /// What the rule has for each destination that it is for; nullptr when it leaves all undecided.
  const Spans* found_by(std::size_t number) {
    const Rule& rule = *rules_[number];
    if (rule.action == Action::pass) return nullptr;
    if (rule.unknown_selector || rule.action == Action::unknown) return all(unknown_fate);
    if (rule.action == Action::refuse) return all(refused_);
    if (rule.action == Action::go_to) return jump(number);
    const auto& answers = routing_.answers[index_of(rule.family)];
    const auto answer = answers.find(rule.look_up);
    return answer == answers.end() ? nullptr : &static_cast<const Spans&>(answer->second);
  }

  const Spans* all(std::uint16_t fate) {
    all_ = {{{}, fate}};
    return &all_;
  }

  const Spans* jump(std::size_t number) {
    // Only forward: the kernel refuses any other target (fib_nl_newrule).
    const std::uint32_t wanted = rules_[number]->target;
    std::size_t target = number + 1;
    while (target < rules_.size() && rules_[target]->priority < wanted) ++target;
    const bool is_there = target < rules_.size() && rules_[target]->priority == wanted;
    if (!is_there) return nullptr;  // an unresolved goto is passed over
    targets_.insert(target);
    return all(static_cast<std::uint16_t>(waiting | target));
  }

  void apply(const Rule& rule, const Spans& found) {
    const bool selects = may_select(rule, packets_);
    if (!selects && !rule.inverted) return;
    const std::size_t count = groups_.size();
    for (std::size_t at = 0; at < count; ++at) {
      std::vector<Traffic> selected;
      std::vector<Traffic> rest;
      if (selects) {
        for (const Traffic& box : groups_[at].boxes) split(box, rule.traffic, selected, rest);
      }
      if (selected.empty()) {
        if (rule.inverted) fill(groups_[at], found);
        continue;
      }
      if (!rest.empty()) {
        groups_.push_back({std::move(rest), groups_[at].to});
        if (rule.inverted) fill(groups_.back(), found);
        groups_[at].boxes = std::move(selected);
      }
      fill_selected(groups_[at], rule, found);
    }
  }

  Routing& routing_;
  const Packets& packets_;
  std::vector<const Rule*> rules_;
  std::vector<Group> groups_;
  std::set<std::size_t> targets_;  ///< of the jumps so far
  Spans all_;                      ///< one fate for every destination
  std::uint16_t refused_ = 0;
  std::uint16_t no_route_ = 0;
};

}  // namespace

bool meet(const Traffic& a, const Traffic& b) {
  for (std::size_t axis = 0; axis < axes; ++axis) {
    if (a[axis].last < b[axis].first || a[axis].first > b[axis].last) return false;
  }
  return true;
}

std::optional<std::vector<Way>> ways_of(Routing& routing, const Packets& packets) {
  Walk walk(routing, packets);
  if (!walk.run()) return std::nullopt;
  return walk.result();
}

}  // namespace icelock::net
