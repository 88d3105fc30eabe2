// SPDX-License-Identifier: Apache-2.0
#include "packets.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace icelock::net::test {
namespace {

std::string name_of(const State& state, int index) {
  const auto link = std::ranges::find(state.links, index, &Link::index);
  return link == state.links.end() ? "link " + std::to_string(index) : link->name;
}

/// Others have a meaning of their own, whatever the routes say.
bool is_ordinary(const Ip& ip) {
  if (ip.family == Family::ipv4) return ip.bytes[0] != 0 && ip.bytes[0] < 224;
  return ip.bytes[0] != 0xff && !is_link_local(ip) && ip != Ip{Family::ipv6, {}};
}

}  // namespace

const std::optional<Ways>& Model::ways_for(const Question& question) {
  const auto [known, is_new] =
      ways_.try_emplace(std::tuple(question.destination.family, question.mark, question.from));
  if (is_new) {
    known->second = ways_of(routing_, {question.destination.family,
                                       {{{{0, 255}, {0, 65535}, {0, 65535}, {}, {0, 63}}}},
                                       question.mark,
                                       question.from});
  }
  return known->second;
}

Fate Model::fate_of(const Question& question) {
  const auto& ways = ways_for(question);
  if (!ways) return {.course = Course::unknown};
  const auto has = [&](const Share& share) {
    return both(share.traffic, question.traffic).has_value();
  };
  const auto& shares = ways->shares[value_at(ways->to, position(question.destination))];
  if (std::ranges::count_if(shares, has) != 1) {
    throw std::runtime_error("a packet is not in one share");
  }
  return routing_.fates[std::ranges::find_if(shares, has)->fate];
}

Question PacketDraw::draw() {
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

bool PacketDraw::is_ours(const Ip& ip) const {
  return std::ranges::any_of(state_.links, [&](const Link& link) {
    return link.up && std::ranges::find(link.addresses, ip, &Address::ip) != link.addresses.end();
  });
}

std::uint32_t PacketDraw::draw_value(Family family, std::size_t axis) {
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

Ip PacketDraw::draw_destination(const Question& question) {
  const Family family = question.destination.family;
  if (dice_.chance(20)) return ip_at(family, {dice_.number(), dice_.number()});
  const auto& ways = model_.ways_for(question);
  if (!ways) return ip_at(family, position(dice_.pick(own_addresses(family))));
  const Spans& to = ways->to;
  const auto at = dice_.below(static_cast<std::uint32_t>(to.size()));
  const Position first = to[at].first;
  const Position last = last_of(to, at);
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

bool agree(const Fate& fate, const Answer& answer, bool unreachable_rule) {
  if (fate.for_some) return true;
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

}  // namespace icelock::net::test
