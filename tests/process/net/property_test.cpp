// SPDX-License-Identifier: Apache-2.0
// Random rules and routes, and random packets: what is computed of their ways has to be what the
// kernel answers. ICELOCK_PACKETS says how many are asked for, ICELOCK_SEED repeats a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>

#include "machine.h"
#include "net/ways.h"

namespace icelock::net::test {
namespace {

constexpr std::size_t packets_of_a_network = 1000;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

bool has_all_users() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  map >> inside >> outside >> count;
  return inside == 0 && count > 65535;
}

/// What is computed for one state.
class Model {
 public:
  explicit Model(const State& state) : routing_(state.routing) {}

  /// None: the rules split the traffic too far.
  const Way* way_of(const Question& question) {
    const auto [known, is_new] =
        ways_.try_emplace(std::tuple(question.destination.family, question.mark, question.from));
    if (is_new) {
      known->second = ways_of(routing_, {question.destination.family,
                                         {{{0, 255}, {0, 65535}, {0, 65535}, {}, {0, 63}}},
                                         question.mark,
                                         question.from});
    }
    if (!known->second) return nullptr;
    for (const Way& way : *known->second) {
      if (meet(way.traffic, question.traffic)) return &way;
    }
    throw std::runtime_error("a packet is in no box");
  }

  Fate fate_of(const Question& question) {
    const Way* way = way_of(question);
    if (!way) return {.course = Course::unknown};
    return routing_.fates[value_at(*way->to, position(question.destination))];
  }

 private:
  Routing routing_;
  std::map<std::tuple<Family, std::uint32_t, std::optional<Ip>>, std::optional<std::vector<Way>>>
      ways_;
};

/// A rule of type unreachable is answered like the lack of any route (fib4_rule_action,
/// __fib6_rule_action), and a route of that type is not.
bool agree(const Fate& fate, const Answer& answer, bool unreachable_rule) {
  switch (fate.course) {
    case Course::unknown:
      return true;
    case Course::onward:
    case Course::neighbours:
      return answer.outcome == Outcome::unicast &&
             std::ranges::binary_search(fate.links, answer.link);
    case Course::refused:
      return answer.outcome == Outcome::refused ||
             (unreachable_rule && answer.outcome == Outcome::no_route);
    case Course::local:
      return answer.outcome == Outcome::refused;
    case Course::no_route:
      return answer.outcome == Outcome::no_route;
    case Course::undecided:
      return false;
  }
  return false;
}

bool has_unreachable_rule(const std::vector<Step>& steps, Family family) {
  return std::ranges::any_of(steps, [&](const Step& step) {
    return step.family == family && step.text.starts_with("rule ") &&
           step.text.ends_with(" unreachable");
  });
}

std::string name_of(const State& state, int index) {
  const auto link = std::ranges::find(state.links, index, &Link::index);
  return link == state.links.end() ? "link " + std::to_string(index) : link->name;
}

std::string describe(const State& state, const Fate& fate) {
  static constexpr const char* names[] = {"undecided", "no route",   "refused", "local",
                                          "unknown",   "neighbours", "onward"};
  std::string text = names[static_cast<std::size_t>(fate.course)];
  for (const int link : fate.links) text += " " + name_of(state, link);
  return text;
}

std::string describe(const State& state, const Answer& answer) {
  static constexpr const char* names[] = {"unicast", "no route", "refused", "failed"};
  std::string text = names[static_cast<std::size_t>(answer.outcome)];
  if (answer.outcome == Outcome::unicast) text += " " + name_of(state, answer.link);
  return text;
}

/// As a command that puts the question.
std::string describe(const Question& question) {
  std::ostringstream out;
  const Traffic& traffic = question.traffic;
  out << "ip route get " << to_string(question.destination);
  if (question.from) out << " from " << to_string(*question.from);
  if (question.mark != 0) out << " mark " << question.mark;
  out << " uid " << traffic[user].first << " ipproto " << traffic[protocol].first;
  if (traffic[source_port].first != 0) out << " sport " << traffic[source_port].first;
  if (traffic[destination_port].first != 0) out << " dport " << traffic[destination_port].first;
  if (traffic[dscp].first != 0) out << " tos " << 4 * swap_dscp(traffic[dscp].first);
  return out.str();
}

/// Others have a meaning of their own, whatever the routes say.
bool is_ordinary(const Ip& ip) {
  if (ip.family == Family::ipv4) return ip.bytes[0] != 0 && ip.bytes[0] < 224;
  return ip.bytes[0] != 0xff && !is_link_local(ip) && ip != Ip{Family::ipv6, {}};
}

class Packeteer {
 public:
  Packeteer(Dice& dice, const State& state, Model& model, bool all_users)
      : dice_(dice), state_(state), model_(model), all_users_(all_users) {}

  Question draw() {
    const Family family = dice_.chance(50) ? Family::ipv4 : Family::ipv6;
    Question question{.destination = {family, {}}};
    for (std::size_t axis = 0; axis < axes; ++axis) {
      const std::uint32_t value = draw_value(family, axis);
      question.traffic[axis] = {value, value};
    }
    if (dice_.chance(40)) question.mark = dice_.pick(marks());
    if (dice_.chance(family == Family::ipv4 ? 30 : 15)) {
      // One whose link is down is no longer this machine's, and no packet comes from it.
      const Ip own = dice_.pick(own_addresses(family));
      if (is_ours(own)) question.from = own;
    }
    do {
      question.destination = draw_destination(question);
    } while (!is_ordinary(question.destination));
    return question;
  }

 private:
  bool is_ours(const Ip& ip) const {
    return std::ranges::any_of(state_.links, [&](const Link& link) {
      return link.up && std::ranges::find(link.addresses, ip, &Address::ip) != link.addresses.end();
    });
  }

  std::uint32_t draw_value(Family family, std::size_t axis) {
    if (axis == user && !all_users_) return 0;
    if (axis == protocol) {
      return dice_.chance(50) ? tcp : dice_.chance(80) ? udp : family == Family::ipv4 ? 1 : 58;
    }
    static constexpr std::uint32_t last[axes] = {255, 65535, 65535, 0xffff'fffe, 63};
    if (dice_.chance(60) && !state_.routing.rules.empty()) {
      const Range& range = dice_.pick(state_.routing.rules).traffic[axis];
      const std::uint32_t edges[] = {range.first, range.first - 1, range.last, range.last + 1};
      const std::uint32_t edge = edges[dice_.below(4)];
      if (edge <= last[axis]) return edge;
    }
    if (axis == dscp && dice_.chance(50)) return 0;
    if (axis == user && dice_.chance(80)) return dice_.chance(50) ? 1000 : 0;
    return dice_.below(last[axis] + 1);
  }

  Ip draw_destination(const Question& question) {
    const Family family = question.destination.family;
    if (dice_.chance(20)) return ip_at(family, {dice_.number(), dice_.number()});
    const Way* way = model_.way_of(question);
    if (!way) return ip_at(family, position(dice_.pick(own_addresses(family))));
    const auto at = dice_.below(static_cast<std::uint32_t>(way->to->size()));
    const Position first = (*way->to)[at].first;
    const Position last = last_of(*way->to, at);
    switch (dice_.below(5)) {
      case 0:
        return ip_at(family, before(first));
      case 1:
        return ip_at(family, last);
      case 2:
        return ip_at(family, after(last));
      case 3:
        return ip_at(family, {first.high, first.low | dice_.below(4)});
      default:
        return ip_at(family, first);
    }
  }

  Dice& dice_;
  const State& state_;
  Model& model_;
  bool all_users_;
};

/// Takes away what is not needed for `fails`, first many at once, then one at a time.
template <class Fails>
std::vector<Step> shrink(std::vector<Step> steps, const Fails& fails) {
  for (std::size_t size = std::max<std::size_t>(steps.size() / 2, 1); size > 0;) {
    bool shorter = false;
    for (std::size_t end = steps.size(); end > 0; end -= std::min(end, size)) {
      const std::size_t begin = end - std::min(end, size);
      if (begin >= steps.size()) continue;
      std::vector<Step> fewer = steps;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(begin),
                  fewer.begin() + static_cast<std::ptrdiff_t>(std::min(end, steps.size())));
      if (!fails(fewer)) continue;
      steps = std::move(fewer);
      shorter = true;
    }
    if (size > 1) {
      size /= 2;
    } else if (!shorter) {
      break;
    }
  }
  return steps;
}

class Property : public testing::Test {
 protected:
  struct Shares {
    std::size_t packets = 0;
    std::size_t unknown = 0;
  };

  void new_machine() {
    links_ = draw_links(dice_);
    machine_.emplace(links_);
    age_ = 0;
  }

  /// One network with its packets; false after a counter-example.
  bool try_network(std::size_t packets) {
    if (!machine_ || ++age_ > 20) new_machine();
    const Plan plan = draw_plan(dice_, all_users_);
    machine_->apply(plan.steps);
    const State state = machine_->state();
    Model model(state);
    Packeteer packeteer(dice_, state, model, all_users_);
    std::vector<Question> questions;
    for (std::size_t i = 0; i < packets; ++i) questions.push_back(packeteer.draw());
    const std::vector<Answer> answers = machine_->ask(questions);
    if (machine_->state() != state) {
      machine_.reset();  // the kernel was not done yet
      return true;
    }
    Shares& shares = shares_[plan.odd ? 1 : 0];
    for (std::size_t i = 0; i < packets; ++i) {
      const Fate fate = model.fate_of(questions[i]);
      ++shares.packets;
      shares.unknown += fate.course == Course::unknown ? 1 : 0;
      if (agree(fate, answers[i],
                has_unreachable_rule(plan.steps, questions[i].destination.family))) {
        continue;
      }
      report(plan.steps, questions[i]);
      machine_.reset();
      return false;
    }
    if (!machine_->undo(plan.steps)) machine_.reset();
    return true;
  }

  /// What differs for this packet in this network, in words; empty when nothing does.
  std::string difference(const std::vector<Step>& steps, const Question& question) {
    if (!machine_) machine_.emplace(links_);
    machine_->apply(steps);
    const State state = machine_->state();
    const Answer answer = machine_->ask({question}).front();
    const Fate fate = Model(state).fate_of(question);
    if (!machine_->undo(steps)) machine_.reset();
    if (agree(fate, answer, has_unreachable_rule(steps, question.destination.family))) return {};
    return "computed: " + describe(state, fate) + "\nthe kernel: " + describe(state, answer);
  }

  void report(std::vector<Step> steps, Question question) {
    machine_.reset();
    const auto fails = [&](const std::vector<Step>& fewer) {
      return !difference(fewer, question).empty();
    };
    steps = shrink(std::move(steps), fails);
    const auto simplify = [&](const Question& simpler) {
      if (simpler != question && !difference(steps, simpler).empty()) question = simpler;
    };
    Question simpler = question;
    simpler.from.reset();
    simplify(simpler);
    simpler = question;
    simpler.mark = 0;
    simplify(simpler);
    for (const std::size_t axis : {source_port, destination_port, user, dscp}) {
      simpler = question;
      simpler.traffic[axis] = {0, 0};
      simplify(simpler);
    }
    std::ostringstream out;
    for (const std::string& link : links_) out << "ip " << link << '\n';
    for (const Step& step : steps) {
      out << (step.family == Family::ipv4 ? "ip -4 " : "ip -6 ") << step.text << '\n';
    }
    machine_.reset();
    const std::string words = difference(steps, question);
    ADD_FAILURE() << "seed " << seed_ << "\n"
                  << out.str() << describe(question) << '\n'
                  << (words.empty() ? "they differed once, and then no longer" : words);
  }

  std::uint64_t seed_ = setting("ICELOCK_SEED", std::random_device{}());
  Dice dice_{seed_};
  bool all_users_ = has_all_users();
  std::vector<std::string> links_;
  std::optional<Machine> machine_;
  std::size_t age_ = 0;
  Shares shares_[2];  ///< of plain networks, of odd ones
};

TEST_F(Property, TheKernelGoesTheWaysThatAreComputed) {
  const std::uint64_t wanted = setting("ICELOCK_PACKETS", 200'000);
  std::cout << "ICELOCK_SEED=" << seed_ << std::endl;
  const auto start = std::chrono::steady_clock::now();
  const auto asked = [&] { return shares_[0].packets + shares_[1].packets; };
  while (asked() < wanted) {
    if (!try_network(std::min(packets_of_a_network, wanted - asked()))) return;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const auto percent = [](const Shares& shares) {
    return shares.packets == 0
               ? 0.0
               : 100.0 * static_cast<double>(shares.unknown) / static_cast<double>(shares.packets);
  };
  std::cout << asked() << " packets, " << static_cast<double>(asked()) / took.count()
            << " a second; cannot be told: " << percent(shares_[0]) << " %, in odd networks "
            << percent(shares_[1]) << " %" << std::endl;
  EXPECT_LT(percent(shares_[0]), 2.0);
}

}  // namespace
}  // namespace icelock::net::test
