// SPDX-License-Identifier: Apache-2.0
// Random rules and routes, and random packets: what is computed of their ways has to be what the
// kernel answers. ICELOCK_PACKETS says how many are asked for, ICELOCK_SEED repeats a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "machine.h"
#include "packets.h"

namespace icelock::net::test {
namespace {

constexpr std::size_t packets_of_a_network = 800;

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

/// Where a snapshot's own questions were answered otherwise than was computed; empty if nowhere.
std::string dispute_in(const Snapshot& snapshot, const std::vector<Step>& steps) {
  const State state{snapshot.links, {}};
  for (const Part& part : snapshot.parts) {
    for (const Check& check : part.checks) {
      const Fate& fate = snapshot.fates[check.fate];
      if (agree(fate, check.answer, has_unreachable_rule(steps, part.family))) continue;
      return describe(check.question) + "\ncomputed for a snapshot: " + describe(state, fate) +
             "\nthe kernel: " + describe(state, check.answer);
    }
  }
  return {};
}

/// Takes what selectors a rule can do without out of it.
template <class Fails>
void shrink_rules(std::vector<Step>& steps, const Fails& fails) {
  static constexpr std::string_view optional[] = {" not",
                                                  " from ",
                                                  " to ",
                                                  " fwmark ",
                                                  " iif ",
                                                  " uidrange ",
                                                  " ipproto ",
                                                  " sport ",
                                                  " dport ",
                                                  " dsfield ",
                                                  " suppress_prefixlength ",
                                                  " suppress_ifgroup "};
  for (Step& step : steps) {
    if (!step.text.starts_with("rule add")) continue;
    for (const std::string_view word : optional) {
      const std::size_t at = step.text.find(word);
      if (at == std::string::npos) continue;
      const std::string whole = step.text;
      const std::size_t end = whole.find(' ', at + word.size());
      step.text.erase(at, end == std::string::npos ? end : end - at);
      if (!fails(steps)) step.text = whole;
    }
  }
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
    PacketDraw packets_of_it(dice_, state, model, all_users_);
    std::vector<Question> questions;
    for (std::size_t i = 0; i < packets; ++i) questions.push_back(packets_of_it.draw());
    const std::vector<Answer> answers = machine_->ask(questions);
    if (machine_->state() != state) {
      machine_.reset();  // the kernel was not done yet
      return true;
    }
    Shares& shares = shares_[plan.odd ? 1 : 0];
    for (std::size_t i = 0; i < packets; ++i) {
      const Fate fate = model.fate_of(questions[i]);
      ++shares.packets;
      shares.unknown += fate.course == Course::unknown || fate.for_some ? 1 : 0;
      if (agree(fate, answers[i],
                has_unreachable_rule(plan.steps, questions[i].destination.family))) {
        continue;
      }
      report(plan.steps, questions[i]);
      machine_.reset();
      return false;
    }
    // Without other users the kernel refuses a question about one.
    if (all_users_ && !dispute_in(machine_->snapshot(), plan.steps).empty()) {
      report(plan.steps);
      machine_.reset();
      return false;
    }
    if (!machine_->undo(plan.steps)) machine_.reset();
    return true;
  }

  /// The answer of `look` for a machine of its own with these steps.
  template <class Look>
  std::string with(const std::vector<Step>& steps, const Look& look) {
    if (!machine_) machine_.emplace(links_);
    machine_->apply(steps);
    const std::string words = look(*machine_);
    if (!machine_->undo(steps)) machine_.reset();
    return words;
  }

  /// What differs for this packet in this network, in words; empty when nothing does.
  std::string difference(const std::vector<Step>& steps, const Question& question) {
    return with(steps, [&](Machine& machine) -> std::string {
      const State state = machine.state();
      const Answer answer = machine.ask({question}).front();
      const Fate fate = Model(state).fate_of(question);
      if (agree(fate, answer, has_unreachable_rule(steps, question.destination.family))) return {};
      return describe(question) + "\ncomputed: " + describe(state, fate) +
             "\nthe kernel: " + describe(state, answer);
    });
  }

  /// The same for the product's own questions.
  std::string dispute(const std::vector<Step>& steps) {
    return with(steps, [&](Machine& machine) { return dispute_in(machine.snapshot(), steps); });
  }

  Question simplify(const std::vector<Step>& steps, Question question) {
    const auto take_if_it_fails = [&](const Question& simpler) {
      if (simpler != question && !difference(steps, simpler).empty()) question = simpler;
    };
    Question simpler = question;
    simpler.from.reset();
    take_if_it_fails(simpler);
    simpler = question;
    simpler.mark = 0;
    take_if_it_fails(simpler);
    for (const std::size_t axis : {source_port, destination_port, user, dscp}) {
      simpler = question;
      simpler.traffic[axis] = {0, 0};
      take_if_it_fails(simpler);
    }
    return question;
  }

  void report(std::vector<Step> steps, Question question) {
    machine_.reset();
    const auto fails = [&](const std::vector<Step>& fewer) {
      return !difference(fewer, question).empty();
    };
    steps = shrink(std::move(steps), fails);
    shrink_rules(steps, fails);
    question = simplify(steps, std::move(question));
    machine_.reset();
    print(steps, difference(steps, question));
  }

  void report(std::vector<Step> steps) {
    machine_.reset();
    const auto fails = [&](const std::vector<Step>& fewer) { return !dispute(fewer).empty(); };
    steps = shrink(std::move(steps), fails);
    shrink_rules(steps, fails);
    machine_.reset();
    print(steps, dispute(steps));
  }

  void print(const std::vector<Step>& steps, const std::string& words) {
    std::ostringstream out;
    for (const std::string& link : links_) out << "ip " << link << '\n';
    for (const Step& step : steps) {
      out << (step.family == Family::ipv4 ? "ip -4 " : "ip -6 ") << step.text << '\n';
    }
    ADD_FAILURE() << "seed " << seed_ << "\n"
                  << out.str()
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
