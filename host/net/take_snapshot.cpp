// SPDX-License-Identifier: Apache-2.0
#include "net/take_snapshot.h"

#include <linux/rtnetlink.h>
#include <malloc.h>

#include <algorithm>

#include "net/collect.h"
#include "net/roles.h"

namespace icelock::net {
namespace {

using netlink::AddressMessage;
using netlink::NexthopMessage;
using netlink::Read;
using netlink::RouteMessage;
using netlink::Talk;

// The kernel fills at most 32 KiB for one read of a list, and one link's message stays below that.
constexpr std::size_t datagram_bytes = 64 << 10;
// Of each family. A machine with more counts as one whose ways cannot be told.
constexpr std::size_t most_routes = 200'000;
constexpr std::size_t many_routes = 1000;

bool has_addresses(const std::vector<Link>& links, Family family) {
  return std::ranges::any_of(links, [&](const Link& link) {
    return std::ranges::any_of(link.addresses,
                               [&](const Address& address) { return address.ip.family == family; });
  });
}

bool knows_every_link(const Snapshot& snapshot) {
  const auto is_known = [&](int link) { return find_link(snapshot, link) != nullptr; };
  for (const Part& part : snapshot.parts) {
    for (const Check& check : part.checks) {
      if (check.answer.outcome == Outcome::unicast && !is_known(check.answer.link)) return false;
    }
  }
  return std::ranges::all_of(
      snapshot.fates, [&](const Fate& fate) { return std::ranges::all_of(fate.links, is_known); });
}

/// What WebRTC asks for to find the default local address.
Question usual_question(Family family, std::uint32_t uid) {
  static const Ip ipv4 = parse_ip("8.8.8.8").value_or(Ip{});
  static const Ip ipv6 = parse_ip("2001:4860:4860::8888").value_or(Ip{});
  Question question{.destination = family == Family::ipv4 ? ipv4 : ipv6};
  question.traffic[protocol] = {udp, udp};
  question.traffic[destination_port] = {53, 53};
  question.traffic[user] = {uid, uid};
  return question;
}

}  // namespace

Result<void> SnapshotTaker::connect() {
  if (talk_) return {};
  auto wire = open_(datagram_bytes);
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
      known_.reset();
      return snapshot;
    }
    if (knows_every_link(*snapshot)) return snapshot;
    known_.reset();
  }
  return fail(Code::probe_failed, "the links kept changing while they were read");
}

Result<Snapshot> SnapshotTaker::read() {
  Snapshot snapshot;
  if (auto step = connect(); !step) return std::unexpected(step.error());
  if (auto step = read_links(snapshot); !step) return std::unexpected(step.error());
  auto rules = talk_->list<Rule>(netlink::rule_dump(), "reading the rules", netlink::read_rule);
  if (!rules) return std::unexpected(rules.error());
  snapshot.rules = std::move(*rules);
  // Asked before the routes are read: a change from here on says so to the next call.
  const bool changed = !routes_changed_ || routes_changed_();
  if (!changed && known_ && known_->links == snapshot.links && known_->rules == snapshot.rules) {
    snapshot = *known_;
  } else {
    known_.reset();
    was_interrupted_ = false;
    if (auto step = read_ways(snapshot); !step) return std::unexpected(step.error());
    if (routes_changed_ && !was_interrupted_) known_ = snapshot;
  }
  if (auto step = check(snapshot); !step) return std::unexpected(step.error());
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

Result<void> SnapshotTaker::read_ways(Snapshot& snapshot) {
  Routing routing;
  routing.rules = snapshot.rules;
  RouteCollector routes(routing, snapshot.links);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto whole = read_routes(routes, family);
    if (!whole) return std::unexpected(whole.error());
    routing.incomplete[index_of(family)] = !*whole;
  }
  routes.finish();
  const std::vector<Range> users = users_of(uid_, routing.rules);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    std::vector<Part> parts = parts_of(routing, snapshot.links, family, users);
    // A kernel without IPv6 refuses each question itself; then there is no IPv6 address either, not
    // even ::1.
    if (!has_addresses(snapshot.links, family)) {
      for (Part& part : parts) part.checks.clear();
    }
    std::ranges::move(parts, std::back_inserter(snapshot.parts));
  }
  snapshot.fates = std::move(routing.fates);
  snapshot.uses = std::move(routing.uses);
  const auto is_long = [](const auto& table) { return table.second.size() > many_routes; };
  for (auto& tables : routing.tables) {
    if (std::ranges::none_of(tables, is_long)) continue;
    tables.clear();
    malloc_trim(0);  // glibc would keep what a long list took
  }
  return {};
}

Result<bool> SnapshotTaker::read_routes(RouteCollector& routes, Family family) {
  std::vector<RouteMessage> by_object;  // routes that name a nexthop object only
  std::size_t count = 0;
  RouteMessage route;
  const auto take = [&](const nlmsghdr& message) {
    route.hops.clear();
    const Read result = netlink::read_route(message, route);
    if (result != Read::ok) return result;
    // Without IPv6 the kernel lists every other family.
    if (route.destination.base.family != family) return Read::ignored;
    if (++count > most_routes) return Read::enough;
    if (route.nexthop != 0) {
      by_object.push_back(route);
    } else {
      routes.add(route, {});
    }
    return Read::ok;
  };
  const auto end = talk_->dump(netlink::route_dump(family), "reading the routes", take);
  if (!end) return std::unexpected(end.error());
  was_interrupted_ = was_interrupted_ || *end == Talk::End::interrupted;
  if (*end == Talk::End::cut) talk_.reset();  // the rest of the list is still on its way
  if (auto step = connect(); !step) return std::unexpected(step.error());
  if (by_object.empty()) return *end == Talk::End::whole;
  auto objects = talk_->list<NexthopMessage>(netlink::nexthop_dump(), "reading the nexthops",
                                             netlink::read_nexthop);
  if (!objects) return std::unexpected(objects.error());
  Nexthops nexthops;
  for (NexthopMessage& object : *objects) nexthops.emplace(object.id, std::move(object));
  for (const RouteMessage& one : by_object) routes.add(one, nexthops);
  return *end == Talk::End::whole;
}

// The kernel is the judge of what was computed.
Result<void> SnapshotTaker::check(Snapshot& snapshot) {
  std::vector<Question> questions;
  std::vector<Check*> checks;
  for (Part& part : snapshot.parts) {
    for (Check& check : part.checks) {
      questions.push_back(check.question);
      checks.push_back(&check);
    }
  }
  const std::size_t count = questions.size();
  const std::uint32_t uid = users_of(uid_, {}).front().first;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    questions.push_back(usual_question(family, uid));
  }
  auto answers = talk_->ask(questions);
  if (!answers) return std::unexpected(answers.error());
  std::ranges::copy(answers->end() - 2, answers->end(), snapshot.defaults.begin());
  answers->resize(count);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    bool asked = false;
    bool any = false;
    for (std::size_t i = 0; i < count; ++i) {
      if (questions[i].destination.family != family) continue;
      asked = true;
      any = any || (*answers)[i].outcome != Outcome::failed;
    }
    if (asked && !any) {
      return fail(Code::probe_failed, "the kernel answered no question for a route",
                  family == Family::ipv4 ? "IPv4" : "IPv6");
    }
  }
  questions.resize(count);
  std::vector<std::size_t> again;  // those of connect(2), which looks twice
  std::vector<Question> seconds;
  for (std::size_t i = 0; i < count; ++i) {
    const bool web = questions[i].traffic[protocol].first == tcp;
    checks[i]->answer = (*answers)[i];
    if (!web || !(*answers)[i].source ||
        !looks_twice(snapshot.rules, questions[i].destination.family)) {
      continue;
    }
    again.push_back(i);
    seconds.push_back(questions[i]);
    seconds.back().from = (*answers)[i].source;
  }
  if (seconds.empty()) return {};
  answers = talk_->ask(seconds);
  if (!answers) return std::unexpected(answers.error());
  for (std::size_t i = 0; i < again.size(); ++i) checks[again[i]]->answer = (*answers)[i];
  return {};
}

}  // namespace icelock::net
