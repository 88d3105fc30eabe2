// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "net/collect.h"
#include "net/netlink_talk.h"
#include "net/take_snapshot.h"

namespace icelock::net::test {
namespace {

template <class Value>
Value take(Result<Value> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return std::move(*result);
}

bool is_settled(const State& state) {
  return std::ranges::all_of(state.links,
                             [](const Link& link) { return !link.up || link.running; });
}

/// "route append ..." -> "route del ..."
std::string inverse(const std::string& step) {
  for (const std::string_view verb : {" add ", " append "}) {
    const std::size_t at = step.find(verb);
    if (at != std::string::npos)
      return step.substr(0, at) + " del " + step.substr(at + verb.size());
  }
  if (step == "rule del pref 0") return "rule add pref 0 table local";
  return "link set lo up";
}

}  // namespace

Machine::Machine(const std::vector<std::string>& links) {
  const auto is_tunnel = [](const std::string& step) { return step.starts_with("tun "); };
  for (const std::string& step : links) {
    if (is_tunnel(step)) space_.run(step);
  }
  space_.batch([&](std::ostream& out) {
    for (const std::string& step : links) {
      if (!is_tunnel(step)) out << step << '\n';
    }
  });
  talk_ = std::make_unique<netlink::Talk>(take(netlink::Socket::open(64 << 10)));
  for (int i = 0; i < 500; ++i) {
    empty_ = state();
    if (is_settled(empty_)) return;
    usleep(10000);
  }
  throw std::runtime_error("the links did not come up");
}

void Machine::apply(const std::vector<Step>& steps) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    space_.attempt(family == Family::ipv4 ? "-4" : "-6", [&](std::ostream& out) {
      for (const Step& step : steps) {
        if (step.family == family) out << step.text << '\n';
      }
    });
  }
}

bool Machine::undo(const std::vector<Step>& steps) {
  std::vector<Step> back;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (step->text.ends_with(" down")) return false;  // takes addresses and routes along
    back.push_back({step->family, inverse(step->text)});
  }
  apply(back);
  return state() == empty_;
}

State Machine::state() {
  State state;
  state.links = take(talk_->list<Link>(netlink::link_dump(), "links", netlink::read_link));
  std::ranges::sort(state.links, {}, &Link::index);
  for (const auto& address : take(talk_->list<netlink::AddressMessage>(
           netlink::address_dump(), "addresses", netlink::read_address))) {
    const auto link = std::ranges::find(state.links, address.link, &Link::index);
    if (link != state.links.end()) link->addresses.push_back(address.address);
  }
  state.routing.rules = take(talk_->list<Rule>(netlink::rule_dump(), "rules", netlink::read_rule));
  Nexthops nexthops;
  for (auto& object : take(talk_->list<netlink::NexthopMessage>(netlink::nexthop_dump(), "nexthops",
                                                                netlink::read_nexthop))) {
    nexthops.emplace(object.id, std::move(object));
  }
  RouteCollector routes(state.routing, state.links);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const auto& route : take(talk_->list<netlink::RouteMessage>(
             netlink::route_dump(family), "routes", netlink::read_route))) {
      routes.add(route, nexthops);
    }
  }
  routes.finish();
  return state;
}

Snapshot Machine::snapshot() {
  constexpr std::uint32_t person = 1000;
  SnapshotTaker taker([](std::size_t datagram) { return netlink::Socket::open(datagram); }, person);
  return take(taker.take());
}

std::vector<Answer> Machine::ask(const std::vector<Question>& questions) {
  return take(talk_->ask(questions));
}

}  // namespace icelock::net::test
