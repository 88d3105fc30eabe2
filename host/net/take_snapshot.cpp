// SPDX-License-Identifier: Apache-2.0
#include "net/take_snapshot.h"

#include <algorithm>
#include <set>

#include "net/survey.h"
#include "net/way.h"

namespace icelock::net {
namespace {

using netlink::AddressMessage;
using netlink::Read;
using netlink::RouteMessage;
using netlink::RuleMessage;
using netlink::Talk;

// The range that Linux systems give to people (login.defs UID_MIN, UID_MAX).
constexpr std::uint32_t first_person = 1000;
constexpr std::uint32_t last_person = 60000;
constexpr std::size_t most_uids = 8;

// The kernel fills at most 32 KiB for one read of a list, and one link's message stays below that.
// A list that is likely to be cut is better read in small pieces: 8 KiB is the kernel's own least
// size (NLMSG_GOODSIZE).
constexpr std::size_t large_datagram = 64 << 10;
constexpr std::size_t small_datagram = 8 << 10;
constexpr std::size_t survey_bytes = 64 << 10;  // of each list: about 900 routes
constexpr std::size_t most_candidates = 64;
constexpr std::size_t candidates_for_an_example = 4;
constexpr std::size_t most_filtered_links = 8;

/// One uid for each set of people that the rules treat alike.
std::vector<std::uint32_t> uids_to_ask(std::uint32_t own, const std::vector<RuleMessage>& rules) {
  if (own != 0) return {own};
  std::set<std::uint32_t> uids{first_person};
  const auto add = [&](std::uint64_t uid) {
    if (uid > first_person && uid <= last_person && uids.size() < most_uids) {
      uids.insert(static_cast<std::uint32_t>(uid));
    }
  };
  for (const RuleMessage& rule : rules) {
    if (!rule.uids) continue;
    add(rule.uids->first);
    add(std::uint64_t{rule.uids->second} + 1);
  }
  return {uids.begin(), uids.end()};
}

bool knows_every_link(const Snapshot& snapshot) {
  return std::ranges::all_of(snapshot.answers, [&](const Answer& answer) {
    return answer.outcome != Outcome::unicast || find_link(snapshot, answer.link);
  });
}

bool has_exit(std::span<const RouteMessage> routes, int link) {
  return std::ranges::any_of(routes, [&](const RouteMessage& route) {
    return route.prefix != 0 && std::ranges::any_of(route.hops, [&](const netlink::Hop& hop) {
             return hop.link == link && hop.gateway;
           });
  });
}

bool has_addresses(const Snapshot& snapshot, Family family) {
  return std::ranges::any_of(snapshot.links, [&](const Link& link) {
    return std::ranges::any_of(link.addresses,
                               [&](const Address& address) { return address.ip.family == family; });
  });
}

}  // namespace

std::vector<Ip> probe_addresses(Family family) {
  static const auto parse = [](std::initializer_list<std::string_view> texts) {
    std::vector<Ip> result;
    for (const auto text : texts) result.push_back(parse_ip(text).value_or(Ip{}));
    return result;
  };
  static const auto ipv4 = parse({"8.8.8.8", "1.1.1.1", "151.101.1.1", "198.41.0.4"});
  static const auto ipv6 =
      parse({"2001:4860:4860::8888", "2606:4700:4700::1111", "2a00:1450:4001::1", "2400:cb00::1"});
  return family == Family::ipv4 ? ipv4 : ipv6;
}

Result<void> SnapshotTaker::connect() {
  if (talk_) return {};
  auto wire = open_(large_datagram);
  if (!wire) return std::unexpected(wire.error());
  talk_ = std::make_unique<Talk>(std::move(*wire));
  return {};
}

Result<Snapshot> SnapshotTaker::take() {
  Result<Snapshot> snapshot;
  // A link that came up between the list of links and the answers is not in the list yet: look once
  // more.
  for (int attempt = 0; attempt < 3; ++attempt) {
    snapshot = read();
    if (!snapshot) {
      talk_.reset();
      routes_talk_.reset();
      return snapshot;
    }
    if (knows_every_link(*snapshot)) return snapshot;
  }
  return fail(Code::probe_failed, "the links kept changing while they were read");
}

Result<Snapshot> SnapshotTaker::read() {
  Snapshot snapshot;
  if (auto step = connect(); !step) return std::unexpected(step.error());
  if (auto step = read_links(snapshot); !step) return std::unexpected(step.error());
  if (auto step = read_rules(snapshot); !step) return std::unexpected(step.error());
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (auto step = read_answers(snapshot, family); !step) return std::unexpected(step.error());
  }
  if (auto step = survey(snapshot); !step) return std::unexpected(step.error());
  return snapshot;
}

Result<void> SnapshotTaker::read_links(Snapshot& snapshot) {
  auto links = talk_->list<Link>(netlink::link_dump(), "reading the links", netlink::read_link);
  if (!links) return std::unexpected(links.error());
  auto addresses = talk_->list<AddressMessage>(netlink::address_dump(), "reading the addresses",
                                               netlink::read_address);
  if (!addresses) return std::unexpected(addresses.error());
  snapshot.links = std::move(*links);
  std::ranges::sort(snapshot.links, {}, &Link::index);
  for (const AddressMessage& address : *addresses) {
    const auto link = std::ranges::lower_bound(snapshot.links, address.link, {}, &Link::index);
    if (link == snapshot.links.end() || link->index != address.link) continue;
    link->addresses.push_back(address.address);
  }
  return {};
}

Result<void> SnapshotTaker::read_rules(Snapshot& snapshot) {
  const auto rules =
      talk_->list<RuleMessage>(netlink::rule_dump(), "reading the rules", netlink::read_rule);
  if (!rules) return std::unexpected(rules.error());
  for (const RuleMessage& rule : *rules) {
    if (!rule.kernels_own) snapshot.rules.push_back(rule.rule);
  }
  uids_ = uids_to_ask(uid_, *rules);
  return {};
}

Result<void> SnapshotTaker::read_answers(Snapshot& snapshot, Family family) {
  const std::vector<Ip> destinations = probe_addresses(family);
  bool any = false;
  for (const std::uint32_t uid : uids_) {
    auto answers = talk_->ask(destinations, uid);
    if (!answers) return std::unexpected(answers.error());
    for (const Answer& answer : *answers) {
      any = any || answer.outcome != Outcome::failed;
      snapshot.answers.push_back(answer);
    }
  }
  if (any) return {};
  // A kernel without IPv6 refuses the question itself; then there is no IPv6 address either, not
  // even ::1.
  if (family == Family::ipv6 && !has_addresses(snapshot, Family::ipv6)) {
    for (Answer& answer : snapshot.answers) {
      if (answer.destination.family == family) answer.outcome = Outcome::no_route;
    }
    return {};
  }
  return fail(Code::probe_failed, "the kernel answered no question for a route",
              family == Family::ipv4 ? "IPv4" : "IPv6");
}

// The routes that lead beside a tunnel can only be the same when all else that was read is, too.
bool SnapshotTaker::recall_survey(Snapshot& snapshot) {
  if (!ways_changed_) return false;
  // Asked before the routes are read: a change from here on says so to the next call.
  const bool changed = ways_changed_(surveyed_.value_or(Snapshot{}));
  const bool holds = !changed && surveyed_ && surveyed_->links == snapshot.links &&
                     surveyed_->answers == snapshot.answers && surveyed_->rules == snapshot.rules;
  if (!holds) {
    surveyed_.reset();
    return false;
  }
  snapshot = *surveyed_;
  return true;
}

Result<void> SnapshotTaker::survey(Snapshot& snapshot) {
  if (!needs_survey(snapshot, Family::ipv4) && !needs_survey(snapshot, Family::ipv6)) return {};
  if (recall_survey(snapshot)) return {};
  survey_holds_ = true;
  std::vector<RouteMessage> routes;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!needs_survey(snapshot, family)) continue;
    if (auto step = survey_routes(snapshot, family, routes); !step) return step;
  }
  snapshot.uplinks = find_uplinks(snapshot, routes);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!fully_inside(snapshot, family)) continue;
    if (auto step = read_excluded(snapshot, family, routes); !step) return step;
  }
  if (survey_holds_) surveyed_ = snapshot;
  return {};
}

// Nearly every machine has few routes, and one list of all of them is the cheapest. Among very many
// the kernel has to look for those over the links beside the tunnel, which costs a walk over the
// whole table for each link, but tells a tunnel with a thousand routes of its own from a thousand
// routes beside it.
Result<void> SnapshotTaker::survey_routes(Snapshot& snapshot, Family family,
                                          std::vector<RouteMessage>& routes) {
  const std::size_t before = routes.size();
  auto whole = survey_list(family, 0, routes);
  if (!whole) return std::unexpected(whole.error());
  if (*whole) return {};
  std::vector<int> links = links_beside(snapshot);
  if (links.size() > most_filtered_links) {
    snapshot.too_many_excluded = true;
    return {};
  }
  // First the links that were seen to have routes: one that has too many ends the search.
  std::ranges::partition(
      links, [&](int link) { return has_exit(std::span(routes).subspan(before), link); });
  routes.resize(before);
  for (const int link : links) {
    whole = survey_list(family, link, routes);
    if (!whole) return std::unexpected(whole.error());
    if (*whole) continue;
    snapshot.too_many_excluded = true;
    break;
  }
  return {};
}

Result<bool> SnapshotTaker::survey_list(Family family, int link,
                                        std::vector<RouteMessage>& routes) {
  if (!routes_talk_) {
    auto wire = open_(small_datagram);
    if (!wire) return std::unexpected(wire.error());
    routes_talk_ = std::make_unique<Talk>(std::move(*wire));
  }
  std::size_t counting = 0;  // routes that could lead past the tunnel
  const auto keep = [&](const nlmsghdr& message) {
    RouteMessage route;
    const Read result = netlink::read_route(message, route);
    if (result != Read::ok) return result;
    const bool counts = route.prefix != 0 && holds_public(route.destination, route.prefix) &&
                        std::ranges::any_of(route.hops, &netlink::Hop::gateway);
    routes.push_back(std::move(route));
    return counts && ++counting > most_candidates ? Read::enough : Read::ok;
  };
  // What an interrupted list holds is true as far as it goes, so it is kept: repeats do no harm.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto end = routes_talk_->dump(netlink::route_dump(family, link),
                                        "reading the routes beside the tunnel", keep, survey_bytes);
    if (!end) return std::unexpected(end.error());
    if (*end == Talk::End::whole) return true;
    if (*end == Talk::End::interrupted) survey_holds_ = false;
    if (*end == Talk::End::cut) {
      routes_talk_.reset();
      return false;
    }
  }
  return false;
}

Result<bool> SnapshotTaker::is_in_effect(const Snapshot& snapshot, const ExcludedRoute& route) {
  const std::vector<Ip> destinations = samples(route);
  for (const std::uint32_t uid : uids_) {
    const auto answers = talk_->ask(destinations, uid);
    if (!answers) return std::unexpected(answers.error());
    for (const Answer& answer : *answers) {
      const Way found = way(snapshot, answer);
      if (found == Way::failed) survey_holds_ = false;
      if (found == Way::outside || found == Way::failed) return true;
    }
  }
  return false;
}

Result<void> SnapshotTaker::read_excluded(Snapshot& snapshot, Family family,
                                          const std::vector<RouteMessage>& routes) {
  std::vector<ExcludedRoute> candidates = find_candidates(snapshot, family, routes);
  if (candidates.size() > most_candidates) snapshot.too_many_excluded = true;
  if (snapshot.too_many_excluded && candidates.size() > candidates_for_an_example) {
    candidates.resize(candidates_for_an_example);
  }
  std::vector<ExcludedRoute> in_effect;
  for (const ExcludedRoute& candidate : candidates) {
    const auto effective = is_in_effect(snapshot, candidate);
    if (!effective) return std::unexpected(effective.error());
    if (*effective) in_effect.push_back(candidate);
  }
  in_effect = less_server_route(snapshot, family, std::move(in_effect));
  snapshot.excluded.insert(snapshot.excluded.end(), in_effect.begin(), in_effect.end());
  return {};
}

}  // namespace icelock::net
