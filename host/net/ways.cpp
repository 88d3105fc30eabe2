// SPDX-License-Identifier: Apache-2.0
#include "net/ways.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace icelock::net {
namespace {

constexpr std::size_t most_boxes = 4096;

/// From here on: undecided, and passed over until the rule of that index (goto).
constexpr std::uint16_t waiting = 0x8000;

using SpansPtr = std::shared_ptr<const Spans>;

struct Box {
  Traffic traffic;
  SpansPtr to;
};

/// Which destinations of a matching box a rule is for.
enum class Extent : std::uint8_t { none, all, inside_to, outside_to };

/// What the rest of the selectors, those that are the same for all packets asked about, say.
bool may_select(const Rule& rule, const Packets& packets) {
  if (rule.never_ours) return false;
  if (((rule.mark ^ packets.mark) & rule.mask) != 0) return false;
  if (!rule.from || rule.from->length == 0) return true;
  // IPv6 never matches a source that is not chosen yet (fib6_rule_match, RT6_LOOKUP_F_HAS_SADDR).
  if (!packets.from && rule.family == Family::ipv6) return false;
  return inside(packets.from.value_or(Ip{rule.family, {}}), rule.from->base, rule.from->length);
}

/// The part of `box` that the rule's ranges hold for, and the rest as boxes.
std::optional<Traffic> split(const Traffic& box, const Traffic& ranges,
                             std::vector<Traffic>& rest) {
  if (!meet(box, ranges)) return std::nullopt;
  Traffic in = box;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const Range wanted = ranges[axis];
    if (in[axis].first < wanted.first) {
      rest.push_back(in);
      rest.back()[axis].last = wanted.first - 1;
      in[axis].first = wanted.first;
    }
    if (in[axis].last > wanted.last) {
      rest.push_back(in);
      rest.back()[axis].first = wanted.last + 1;
      in[axis].last = wanted.last;
    }
  }
  return in;
}

/// What the rule makes of a route that it found: itself, or "undecided" when that is no answer.
std::uint16_t answer_of(const Rule& rule, const Routing& routing, const Entry& entry) {
  const Fate& fate = routing.fates[entry.fate];
  // A route that refuses is an answer at once, and one that cannot be told may refuse.
  if (fate.course < Course::local || fate.course == Course::unknown) return entry.fate;
  if (entry.length <= rule.suppress_length) return undecided_fate;
  if (rule.suppress_group < 0) return entry.fate;
  if (fate.group == any_group) return unknown_fate;
  return fate.group == rule.suppress_group ? undecided_fate : entry.fate;
}

/// The table's routes as a map: of the blocks around an address the longest counts.
Spans table_spans(const Routing& routing, const Table& table, const Rule& rule) {
  Spans spans{{{}, undecided_fate}};
  std::vector<std::pair<Position, std::uint16_t>> open;  // the blocks around, with their ends
  const auto close = [&] {
    const Position end = open.back().first;
    open.pop_back();
    if (end == last_position) return;
    append(spans, after(end), open.empty() ? undecided_fate : open.back().second);
  };
  for (const Entry& entry : table) {
    while (!open.empty() && open.back().first < entry.base) close();
    const std::uint16_t fate = answer_of(rule, routing, entry);
    append(spans, entry.base, fate);
    open.emplace_back(last_of(entry.base, entry.length), fate);
  }
  while (!open.empty()) close();
  return spans;
}

class Walk {
 public:
  Walk(Routing& routing, const Packets& packets) : routing_(routing), packets_(packets) {
    for (const Rule& rule : routing.rules) {
      if (rule.family == packets.family) rules_.push_back(&rule);
    }
    refused_ = fate_index(routing, {.course = Course::refused});
    no_route_ = fate_index(routing, {.course = Course::no_route});
    boxes_.push_back({packets.traffic, std::make_shared<Spans>(Spans{{{}, undecided_fate}})});
  }

  bool run() {
    if (rules_.size() >= waiting) return false;
    for (std::size_t at = 0; at < rules_.size(); ++at) {
      done_.clear();  // a step's results are shared by the boxes of this rule only
      if (targets_.contains(at)) wake(at);
      const std::size_t count = boxes_.size();
      for (std::size_t i = 0; i < count; ++i) step(i, at);
      if (boxes_.size() > most_boxes) return false;
    }
    return true;
  }

  std::vector<Way> result() {
    std::map<SpansPtr, SpansPtr> ended;
    std::vector<Way> ways;
    for (const Box& box : boxes_) {
      SpansPtr& end = ended[box.to];
      if (!end) {
        end = std::make_shared<Spans>(map(*box.to, [&](std::uint16_t fate) {
          return fate == undecided_fate || fate >= waiting ? no_route_ : fate;
        }));
      }
      ways.push_back({box.traffic, end});
    }
    return ways;
  }

 private:
  void wake(std::size_t rule) {
    for (Box& box : boxes_) {
      SpansPtr& awake = done_[{box.to, Extent::none}];
      if (!awake) {
        awake = std::make_shared<Spans>(map(*box.to, [&](std::uint16_t fate) {
          return fate == (waiting | rule) ? undecided_fate : fate;
        }));
      }
      box.to = awake;
    }
  }

  void step(std::size_t at, std::size_t number) {
    const Rule& rule = *rules_[number];
    const bool selects = may_select(rule, packets_);
    if (!selects && !rule.inverted) return;
    const Extent unmatched = rule.inverted ? Extent::all : Extent::none;
    if (!selects) return apply(at, number, Extent::all);
    std::vector<Traffic> rest;
    const auto in = split(boxes_[at].traffic, rule.traffic, rest);
    if (!in) {
      if (unmatched == Extent::all) apply(at, number, Extent::all);
      return;
    }
    for (const Traffic& traffic : rest) {
      boxes_.push_back({traffic, boxes_[at].to});
      if (unmatched == Extent::all) apply(boxes_.size() - 1, number, Extent::all);
    }
    boxes_[at].traffic = *in;
    const bool all = !rule.to || rule.to->length == 0;
    if (rule.inverted) {
      if (rule.unknown_selector) return apply(at, number, Extent::all);
      if (!all) apply(at, number, Extent::outside_to);
    } else {
      apply(at, number, all ? Extent::all : Extent::inside_to);
    }
  }

  void apply(std::size_t at, std::size_t number, Extent extent) {
    const Rule& rule = *rules_[number];
    if (rule.unknown_selector && rule.action != Action::pass) {
      return decide(at, rule, extent, unknown_fate);
    }
    switch (rule.action) {
      case Action::pass:
        return;
      case Action::refuse:
        return decide(at, rule, extent, refused_);
      case Action::unknown:
        return decide(at, rule, extent, unknown_fate);
      case Action::go_to:
        return jump(at, number, extent);
      case Action::look_up:
        return look_up(at, rule, extent);
    }
  }

  /// 1 where the rule is for.
  static Spans extent_spans(const Rule& rule, Extent extent) {
    if (extent == Extent::all) return {{{}, 1}};
    const Spans block = block_spans(*rule.to);
    return extent == Extent::inside_to
               ? block
               : map(block, [](std::uint16_t in) { return std::uint16_t(in == 0); });
  }

  /// `make` is called once for all the boxes that share their past.
  template <class Make>
  void replace(std::size_t at, Extent extent, const Make& make) {
    SpansPtr& known = done_[{boxes_[at].to, extent}];
    if (!known) known = std::make_shared<Spans>(make(*boxes_[at].to));
    boxes_[at].to = known;
  }

  void decide(std::size_t at, const Rule& rule, Extent extent, std::uint16_t fate) {
    replace(at, extent, [&](const Spans& before) {
      return combine(before, extent_spans(rule, extent), [&](std::uint16_t old, std::uint16_t in) {
        return old == undecided_fate && in != 0 ? fate : old;
      });
    });
  }

  void look_up(std::size_t at, const Rule& rule, Extent extent) {
    const SpansPtr found = spans_of(rule);
    if (!found) return;
    replace(at, extent, [&](const Spans& before) {
      const auto fill = [](std::uint16_t old, std::uint16_t now) {
        return old == undecided_fate ? now : old;
      };
      if (extent == Extent::all) return combine(before, *found, fill);
      const Spans here = combine(
          *found, extent_spans(rule, extent),
          [](std::uint16_t fate, std::uint16_t in) { return in != 0 ? fate : undecided_fate; });
      return combine(before, here, fill);
    });
  }

  void jump(std::size_t at, std::size_t number, Extent extent) {
    // Only forward: the kernel refuses any other target (fib_nl_newrule).
    const Rule& rule = *rules_[number];
    std::size_t target = number + 1;
    while (target < rules_.size() && rules_[target]->priority < rule.target) ++target;
    const bool is_there = target < rules_.size() && rules_[target]->priority == rule.target;
    if (!is_there) return;  // an unresolved goto is passed over
    targets_.insert(target);
    decide(at, rule, extent, static_cast<std::uint16_t>(waiting | target));
  }

  SpansPtr spans_of(const Rule& rule) {
    const auto& tables = routing_.tables[index_of(rule.family)];
    const auto table = tables.find(rule.table);
    if (table == tables.end()) return nullptr;
    SpansPtr& known = tables_[{rule.table, rule.suppress_length, rule.suppress_group}];
    if (!known) known = std::make_shared<Spans>(table_spans(routing_, table->second, rule));
    return known;
  }

  Routing& routing_;
  const Packets& packets_;
  std::vector<const Rule*> rules_;
  std::vector<Box> boxes_;
  std::set<std::size_t> targets_;  ///< of the jumps so far
  std::map<std::tuple<std::uint32_t, int, int>, SpansPtr> tables_;
  std::map<std::pair<SpansPtr, Extent>, SpansPtr> done_;
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
