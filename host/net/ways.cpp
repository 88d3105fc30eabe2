// SPDX-License-Identifier: Apache-2.0
#include "net/ways.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace icelock::net {
namespace {

constexpr std::size_t most_steps = 0xffff;
constexpr std::size_t most_work = 1 << 21;  // boxes that are cut or handed on

/// Which of the packets asked about a rule holds for.
enum class Holds : std::uint8_t { for_all, for_selected, for_others };

/// One rule's word about some destinations, after what the rules before it said there.
struct Step {
  std::uint16_t before = 0;
  std::uint16_t rule = 0;
  std::uint16_t fate = 0;
  std::uint16_t target = 0;  ///< not 0: instead of a fate the rule that they wait for (goto)
  Holds holds = Holds::for_all;
  bool some_wait = false;
  bool all_decided = false;
  std::uint16_t latest_after = 0;    ///< the latest step after this one
  std::uint16_t earlier_beside = 0;  ///< the one before that, after the same
};

/// Packets that are undecided, and pass over the rules before `next`.
struct Rest {
  Traffic traffic{};
  std::uint16_t next = 0;
};

/// What the rest of the selectors, those that are the same for all packets asked about, say.
bool may_select(const Rule& rule, const Packets& packets) {
  if (rule.never_ours) return false;
  if (((rule.mark ^ packets.mark) & rule.mask) != 0) return false;
  if (!rule.from || rule.from->length == 0) return true;
  // IPv6 never matches a source that is not chosen yet (fib6_rule_match, RT6_LOOKUP_F_HAS_SADDR).
  if (!packets.from && rule.family == Family::ipv6) return false;
  return inside(packets.from.value_or(Ip{rule.family, {}}), rule.from->base, rule.from->length);
}

/// Calls `each` for boxes that together are what of `box` is not in `ranges`.
template <class Each>
void without(Traffic box, const Traffic& ranges, const Each& each) {
  if (!both(box, ranges)) return each(box);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const Range whole = box[axis];
    const Range wanted = ranges[axis];
    if (whole.first < wanted.first) {
      box[axis].last = wanted.first - 1;
      each(box);
    }
    if (whole.last > wanted.last) {
      box[axis] = {wanted.last + 1, whole.last};
      each(box);
    }
    box[axis] = {std::max(whole.first, wanted.first), std::min(whole.last, wanted.last)};
  }
}

class Walk {
 public:
  Walk(Routing& routing, const Packets& packets) : routing_(routing), packets_(packets) {
    for (const Rule& rule : routing.rules) {
      if (rule.family == packets.family) rules_.push_back(&rule);
    }
  }

  std::optional<Ways> run() {
    if (rules_.size() > most_steps) return std::nullopt;
    for (std::size_t number = 0; number < rules_.size(); ++number) {
      apply(static_cast<std::uint16_t>(number));
      if (steps_.size() > most_steps) return std::nullopt;
    }
    return result();
  }

 private:
  void apply(std::uint16_t number) {
    const Rule& rule = *rules_[number];
    const auto has_some = [&](const Traffic& box) { return both(box, rule.traffic).has_value(); };
    const auto has_all = [&](const Traffic& box) { return both(box, rule.traffic) == box; };
    const bool selects =
        may_select(rule, packets_) && std::ranges::any_of(packets_.traffic, has_some);
    if (!selects && !rule.inverted) return;
    Step step{.rule = number};
    const Spans* found = found_by(number, step.target);
    if (!found) return;
    if (!selects || (rule.inverted && rule.unknown_selector)) return say(step, *found);
    const Prefix block = rule.to.value_or(Prefix{{rule.family, {}}, 0});
    const Position first = first_of(position(block.base), block.length);
    const Position last = last_of(block);
    if (rule.inverted) {
      if (first != Position{}) say(step, *found, {}, before(first));
      if (last != last_position) say(step, *found, after(last));
      step.holds = Holds::for_others;
    } else if (!std::ranges::all_of(packets_.traffic, has_all)) {
      step.holds = Holds::for_selected;
    }
    say(step, *found, first, last);
  }

  /// What the rule has for each destination that it is for; nullptr when it leaves all undecided.
  const Spans* found_by(std::uint16_t number, std::uint16_t& target) {
    const Rule& rule = *rules_[number];
    if (rule.action == Action::pass) return nullptr;
    if (rule.unknown_selector || rule.action == Action::unknown) return all(unknown_fate);
    if (rule.action == Action::refuse) {
      return all(fate_index(routing_, {.course = Course::refused}));
    }
    if (rule.action == Action::go_to) {
      target = target_of(number);
      return target == 0 ? nullptr : all(unknown_fate);
    }
    const auto& answers = routing_.answers[index_of(rule.family)];
    const auto answer = answers.find(rule.look_up);
    return answer == answers.end() ? nullptr : &answer->second;
  }

  const Spans* all(std::uint16_t fate) {
    all_ = {{{}, fate}};
    return &all_;
  }

  /// Where a jump leads; 0 when it has no target, and is passed over. Only forward: the kernel
  /// refuses any other target (fib_nl_newrule).
  std::uint16_t target_of(std::uint16_t number) const {
    const auto later = std::ranges::subrange(rules_.begin() + number + 1, rules_.end());
    const std::uint32_t wanted = rules_[number]->target;
    const auto target = std::ranges::lower_bound(later, wanted, {},
                                                 [](const Rule* rule) { return rule->priority; });
    if (target == rules_.end() || (*target)->priority != wanted) return 0;
    return static_cast<std::uint16_t>(target - rules_.begin());
  }

  /// Adds the step for each destination from `first` to `last` where packets are undecided and the
  /// rule found something.
  void say(Step step, const Spans& found, const Position& first = {},
           const Position& last = last_position) {
    const std::size_t begin = steps_.size();
    const auto take = [&](std::uint16_t before, std::uint16_t fate) {
      if (fate == undecided_fate || steps_[before].all_decided) return before;
      std::uint16_t at = steps_[before].latest_after;
      while (at >= begin && steps_[at].fate != fate) at = steps_[at].earlier_beside;
      if (at >= begin || steps_.size() > most_steps) return at;
      step.before = before;
      step.fate = fate;
      step.some_wait = steps_[before].some_wait || step.target != 0;
      step.all_decided = step.holds == Holds::for_all && !step.some_wait;
      step.earlier_beside =
          std::exchange(steps_[before].latest_after, static_cast<std::uint16_t>(steps_.size()));
      steps_.push_back(step);
      return steps_[before].latest_after;
    };
    overwrite(to_, combine(to_, found, take, first, last), last);
  }

  /// Deals with the packets that a step finds undecided.
  void take_step(const Step& step, const std::vector<Rest>& undecided, std::vector<Rest>& rest,
                 std::vector<Share>& shares) const {
    const Traffic& ranges = rules_[step.rule]->traffic;
    for (const Rest& one : undecided) {
      const auto put = [&](const Traffic& box, bool taken) {
        if (taken && step.target == 0) {
          shares.push_back({box, step.fate});
        } else {
          rest.push_back({box, taken ? step.target : one.next});
        }
      };
      if (one.next > step.rule) {
        rest.push_back(one);
      } else if (step.holds == Holds::for_all) {
        put(one.traffic, true);
      } else {
        const bool selected = step.holds == Holds::for_selected;
        if (const auto meeting = both(one.traffic, ranges)) put(*meeting, selected);
        without(one.traffic, ranges, [&](const Traffic& box) { put(box, !selected); });
      }
    }
  }

  std::optional<Ways> result() {
    std::vector<std::size_t> last_after(steps_.size());
    for (std::size_t i = 1; i < steps_.size(); ++i) last_after[steps_[i].before] = i;
    std::vector<bool> is_end(steps_.size());
    for (const Span& span : to_) is_end[span.value] = true;
    const std::uint16_t no_route = fate_index(routing_, {.course = Course::no_route});
    std::vector<std::vector<Rest>> rest(steps_.size());
    std::vector<std::vector<Share>> shares(steps_.size());
    for (const Traffic& box : packets_.traffic) rest.front().push_back({box, 0});
    std::size_t work = 0;
    Ways ways;
    std::vector<std::uint16_t> row_of(steps_.size());
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const std::size_t before = steps_[i].before;
      if (i > 0) take_step(steps_[i], rest[before], rest[i], shares[i]);
      if (i > 0 && last_after[before] == i) rest[before] = {};
      work += rest[i].size() + shares[i].size();
      if (work > most_work) return std::nullopt;
      if (!is_end[i]) continue;
      row_of[i] = static_cast<std::uint16_t>(ways.shares.size());
      std::vector<Share>& row = ways.shares.emplace_back();
      for (std::size_t at = i; at > 0; at = steps_[at].before) {
        row.insert(row.end(), shares[at].begin(), shares[at].end());
      }
      for (const Rest& one : rest[i]) row.push_back({one.traffic, no_route});
      work += row.size();
    }
    ways.to = map(to_, [&](std::uint16_t step) { return row_of[step]; });
    return ways;
  }

  Routing& routing_;
  const Packets& packets_;
  std::vector<const Rule*> rules_;
  std::vector<Step> steps_{Step{}};
  Spans to_{{{}, 0}};  ///< for every destination the last step so far
  Spans all_;          ///< one fate for every destination
};

}  // namespace

std::optional<Traffic> both(const Traffic& a, const Traffic& b) {
  Traffic result;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    result[axis] = {std::max(a[axis].first, b[axis].first), std::min(a[axis].last, b[axis].last)};
    if (result[axis].first > result[axis].last) return std::nullopt;
  }
  return result;
}

bool tells_apart(const Routing& routing, const Packets& packets, const Ip& source) {
  Packets again = packets;
  again.from = source;
  return std::ranges::any_of(routing.rules, [&](const Rule& rule) {
    return rule.family == packets.family && may_select(rule, packets) != may_select(rule, again);
  });
}

std::optional<Ways> ways_of(Routing& routing, const Packets& packets) {
  return Walk(routing, packets).run();
}

}  // namespace icelock::net
