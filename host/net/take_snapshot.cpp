// SPDX-License-Identifier: Apache-2.0
#include "net/take_snapshot.h"

#include <linux/rtnetlink.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "net/parts.h"
#include "net/probe.h"
#include "net/roles.h"
#include "net/watch.h"

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
constexpr std::size_t many_routes = 20'000;

bool has_addresses(const std::vector<Link>& links, Family family) {
  const auto is_its = [&](const Address& address) { return address.ip.family == family; };
  return std::ranges::any_of(
      links, [&](const Link& link) { return std::ranges::any_of(link.addresses, is_its); });
}

bool knows_every_link(const Snapshot& snapshot) {
  const auto is_known = [&](int link) { return find_link(snapshot.links, link) != nullptr; };
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
  const auto* place = family == Family::ipv4 ? "8.8.8.8" : "2001:4860:4860::8888";
  Question question{.destination = parse_ip(place).value_or(Ip{})};
  question.traffic[protocol] = {udp, udp};
  question.traffic[destination_port] = {53, 53};
  question.traffic[user] = {uid, uid};
  return question;
}

/// False when the kernel refused each question of this family itself.
bool was_answered(const std::vector<Check*>& checks, Family family) {
  bool asked = false;
  for (const Check* check : checks) {
    if (check->question.destination.family != family) continue;
    if (check->answer.outcome != Outcome::failed) return true;
    asked = true;
  }
  return !asked;
}

}  // namespace

Result<void> SnapshotTaker::connect() {
  if (talk_) return {};
  auto wire = TRY(open_(datagram_bytes));
  talk_ = std::make_unique<Talk>(std::move(wire));
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
  TRY(connect());
  TRY(read_links(snapshot));
  snapshot.rules =
      TRY(talk_->list<Rule>(netlink::rule_dump(), "reading the rules", netlink::read_rule));
  // Asked before the routes are read: a change from here on says so to the next call.
  const bool changed = !routes_changed_ || routes_changed_();
  if (!changed && known_ && known_->links == snapshot.links && known_->rules == snapshot.rules) {
    snapshot = *known_;
  } else {
    known_.reset();
    was_interrupted_ = false;
    TRY(read_ways(snapshot));
    if (routes_changed_ && !was_interrupted_) known_ = snapshot;
  }
  TRY(check(snapshot));
  return snapshot;
}

Result<void> SnapshotTaker::read_links(Snapshot& snapshot) {
  snapshot.links =
      TRY(talk_->list<Link>(netlink::link_dump(), "reading the links", netlink::read_link));
  const auto addresses = TRY(talk_->list<AddressMessage>(
      netlink::address_dump(), "reading the addresses", netlink::read_address));
  std::map<int, std::vector<Address>> by_link;
  for (const AddressMessage& one : addresses) by_link[one.link].push_back(one.address);
  std::ranges::sort(snapshot.links, {}, &Link::index);
  for (Link& link : snapshot.links) link.addresses = std::move(by_link[link.index]);
  return {};
}

Result<void> SnapshotTaker::read_ways(Snapshot& snapshot) {
  Routing routing;
  routing.rules = snapshot.rules;
  RouteCollector routes(routing, snapshot.links);
  std::size_t count = 0;
  for (const Family family : both_families) {
    std::size_t of_family = 0;
    const bool whole = TRY(read_routes(routes, family, of_family));
    routing.incomplete[index_of(family)] = !whole;
    count += of_family;
  }
  routes.finish();
  const std::vector<Range> users = users_of(uid_, routing.rules);
  for (const Family family : both_families) add_parts(snapshot, routing, family, users);
  // A kernel without IPv6 refuses each question itself; then there is no IPv6 address either, not
  // even ::1.
  for (Part& part : snapshot.parts) {
    if (!has_addresses(snapshot.links, part.family)) part.checks.clear();
  }
  snapshot.fates = std::move(routing.fates);
  snapshot.uses = std::move(routing.uses);
  if (count > many_routes) {
    routing = {};
    malloc_trim(0);  // glibc would keep what a long list took
  }
  return {};
}

Result<bool> SnapshotTaker::read_routes(RouteCollector& routes, Family family, std::size_t& count) {
  std::vector<RouteMessage> by_object;  // routes that name a nexthop object only
  RouteMessage route;
  netlink::AlikeRoutes alike;
  const auto take = [&](const nlmsghdr& message) {
    const auto destination = alike.destination(message);
    if (destination && routes.add_alike(*destination)) {
      return ++count > most_routes ? Read::enough : Read::ok;
    }
    const Read result = netlink::read_route(message, route);
    if (result != Read::ok) return result;
    // Without IPv6 the kernel lists every other family.
    if (route.destination.base.family != family) return Read::ignored;
    if (++count > most_routes) return Read::enough;
    if (route.nexthop != 0) {
      by_object.push_back(route);
    } else if (routes.add(route, {})) {
      alike.set(message);
    } else {
      alike.reset();
    }
    return Read::ok;
  };
  const auto end = TRY(talk_->dump(netlink::route_dump(family), "reading the routes", take));
  was_interrupted_ = was_interrupted_ || end == Talk::End::interrupted;
  if (end == Talk::End::cut) talk_.reset();  // the rest of the list is still on its way
  TRY(connect());
  if (by_object.empty()) return end == Talk::End::whole;
  auto objects = TRY(talk_->list<NexthopMessage>(netlink::nexthop_dump(), "reading the nexthops",
                                                 netlink::read_nexthop));
  Nexthops nexthops;
  for (NexthopMessage& object : objects) nexthops.emplace(object.id, std::move(object));
  for (const RouteMessage& one : by_object) routes.add(one, nexthops);
  return end == Talk::End::whole;
}

// The kernel is the judge of what was computed.
Result<void> SnapshotTaker::check(Snapshot& snapshot) {
  std::vector<Check*> checks;
  std::vector<Question> questions;
  for (Part& part : snapshot.parts) {
    for (Check& check : part.checks) {
      checks.push_back(&check);
      questions.push_back(check.question);
    }
  }
  const std::uint32_t uid = users_of(uid_, {}).front().first;
  for (const Family family : both_families) questions.push_back(usual_question(family, uid));
  auto answers = TRY(talk_->ask(questions));
  for (std::size_t i = 0; i < checks.size(); ++i) checks[i]->answer = answers[i];
  std::ranges::copy(answers.end() - 2, answers.end(), snapshot.defaults.begin());
  for (const Family family : both_families) {
    if (!was_answered(checks, family)) {
      return fail(Code::probe_failed, "the kernel answered no question for a route",
                  family == Family::ipv4 ? "IPv4" : "IPv6");
    }
  }
  // connect(2) looks twice.
  std::erase_if(checks, [&](const Check* check) {
    const Question& question = check->question;
    return question.traffic[protocol].first != tcp || !check->answer.source ||
           !looks_twice(snapshot.rules, question.destination.family);
  });
  questions.clear();
  for (const Check* check : checks) {
    questions.push_back(check->question);
    questions.back().from = check->answer.source;
  }
  answers = TRY(talk_->ask(questions));
  for (std::size_t i = 0; i < checks.size(); ++i) checks[i]->answer = answers[i];
  return {};
}

struct Prober::State {
  RoutesWatch routes;
  SnapshotTaker taker{netlink::Socket::open, getuid(), [this] { return routes.changed(); }};
};

Prober::Prober(std::unique_ptr<State> state) : state_(std::move(state)) {}
Prober::Prober(Prober&&) noexcept = default;
Prober& Prober::operator=(Prober&&) noexcept = default;
Prober::~Prober() = default;

Result<Prober> Prober::open() {
  auto state = std::make_unique<State>();
  TRY(state->taker.connect());
  return Prober(std::move(state));
}

Result<Snapshot> Prober::snapshot() {
  return state_->taker.take();
}

}  // namespace icelock::net
