// SPDX-License-Identifier: Apache-2.0
#include "fake_kernel.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <stdexcept>

#include "net/collect.h"
#include "net/netlink_attributes.h"
#include "net/ways.h"

namespace icelock::net::test {
namespace {

/// What the readers make of specs.
template <class Value, class Spec>
Value read_back(netlink::Read (*read)(const nlmsghdr&, Value&), const Spec& spec) {
  Bytes bytes = message(spec);
  Value value;
  if (read(header(bytes), value) != netlink::Read::ok) throw std::invalid_argument("not a message");
  return value;
}

class FakeWire final : public netlink::Wire {
 public:
  explicit FakeWire(FakeKernel& kernel) : kernel_(kernel) {}

  Result<void> send(std::span<const std::byte> bytes) override {
    for (Bytes& datagram : kernel_.reply(bytes)) queue_.push_back(std::move(datagram));
    return {};
  }

  Result<std::span<const std::byte>> receive() override {
    if (queue_.empty()) return fail(Code::probe_failed, "nothing more to read");
    current_ = std::move(queue_.front());
    queue_.pop_front();
    return std::span<const std::byte>(current_);
  }

 private:
  FakeKernel& kernel_;
  std::deque<Bytes> queue_;
  Bytes current_;
};

}  // namespace

FakeKernel::FakeKernel() {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    rules.push_back({family, 0, 255});
    rules.push_back({family, 32766, 254});
  }
  rules.push_back({Family::ipv4, 32767, 253});
  links.push_back({.index = 1, .name = "lo", .hardware = 772, .flags = 0x1 | 0x8 | 0x40});
  addresses.push_back({.link = 1, .ip = "127.0.0.1", .prefix = 8, .scope = 254});
  addresses.push_back({.link = 1, .ip = "::1", .prefix = 128, .scope = 254});
}

Routing FakeKernel::routing() const {
  Routing result;
  std::vector<Link> known;
  for (const LinkSpec& link : links) {
    known.push_back(read_back<Link>(netlink::read_link, link));
  }
  std::ranges::sort(known, {}, &Link::index);
  for (const RuleSpec& rule : rules) {
    result.rules.push_back(read_back<Rule>(netlink::read_rule, rule));
  }
  std::ranges::stable_sort(result.rules, {}, &Rule::priority);
  Nexthops objects;
  for (const NexthopSpec& spec : nexthops) {
    objects[spec.id] = read_back<netlink::NexthopMessage>(netlink::read_nexthop, spec);
  }
  RouteCollector collector(result, known);
  for (const RouteSpec& route : routes) {
    collector.add(read_back<netlink::RouteMessage>(netlink::read_route, route), objects);
  }
  collector.finish();
  return result;
}

std::unique_ptr<netlink::Wire> FakeKernel::wire() {
  ++wires_opened;
  return std::make_unique<FakeWire>(*this);
}

Result<Snapshot> FakeKernel::snapshot(std::uint32_t uid) {
  SnapshotTaker taker(
      [this](std::size_t) -> Result<std::unique_ptr<netlink::Wire>> { return wire(); }, uid);
  return taker.take();
}

Network FakeKernel::network(std::uint32_t uid) {
  const auto taken = snapshot(uid);
  if (!taken) throw std::runtime_error(to_string(taken.error()));
  return classify(*taken);
}

std::vector<Bytes> FakeKernel::reply(std::span<const std::byte> request) {
  std::vector<Bytes> datagrams;
  std::optional<Routing> known;  // as it is while these are answered
  const auto* message = reinterpret_cast<const nlmsghdr*>(request.data());
  auto left = static_cast<int>(request.size());
  for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
    if ((message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
      for (Bytes& datagram : list(*message)) datagrams.push_back(std::move(datagram));
    } else {
      datagrams.push_back(numbered(answer(*message, known), message->nlmsg_seq));
    }
  }
  return datagrams;
}

std::vector<Bytes> FakeKernel::list(const nlmsghdr& request) {
  ++lists_read;
  std::vector<Bytes> messages;
  const auto add_all = [&](const auto& specs) {
    for (const auto& spec : specs) messages.push_back(message(spec));
  };
  if (request.nlmsg_type == RTM_GETLINK) add_all(links);
  if (request.nlmsg_type == RTM_GETADDR) add_all(addresses);
  if (request.nlmsg_type == RTM_GETRULE) {
    std::vector<RuleSpec> in_order = rules;
    std::ranges::stable_sort(in_order, {}, &RuleSpec::priority);
    add_all(in_order);
  }
  if (request.nlmsg_type == RTM_GETNEXTHOP) add_all(nexthops);
  if (request.nlmsg_type == RTM_GETROUTE) {
    const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&request));
    const bool ipv6 = info->rtm_family == AF_INET6;
    for (const RouteSpec& route : routes) {
      if (route.destination.contains(':') == ipv6) messages.push_back(message(route));
    }
  }
  messages.push_back(done_message());
  const std::uint16_t extra = interrupted_lists > 0 ? NLM_F_DUMP_INTR : 0;
  if (interrupted_lists > 0) --interrupted_lists;
  std::vector<Bytes> datagrams(1);
  for (const Bytes& one : messages) {
    if (datagrams.back().size() > 8000) datagrams.emplace_back();
    datagrams.back() = std::move(datagrams.back()) + numbered(one, request.nlmsg_seq, extra);
  }
  if (after_list) after_list();
  return datagrams;
}

Bytes FakeKernel::answer(const nlmsghdr& request, std::optional<Routing>& known) const {
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&request));
  const Family family = info->rtm_family == AF_INET ? Family::ipv4 : Family::ipv6;
  bool bad = false;
  const auto asked = netlink::attributes_after<rtmsg>(request, bad);
  const auto destination = asked.ip(RTA_DST, family);
  if (!destination) return error_message(EINVAL, "no destination");
  const std::string text = to_string(*destination);
  if (failing.contains(text)) return error_message(EIO);
  if (only_answer) {
    return answer_over(*destination, {.course = Course::onward, .links = {*only_answer}});
  }
  if (const auto found = otherwise.find(text); found != otherwise.end()) {
    if (found->second == 0) return error_message(ENETUNREACH);
    return answer_over(*destination, {.course = Course::onward, .links = {found->second}});
  }
  Packets packets;
  packets.family = family;
  const auto port = [&](std::uint16_t type) -> std::uint32_t {
    return ntohs(asked.number<std::uint16_t>(type).value_or(0));
  };
  const std::array<std::uint32_t, axes> values = {
      asked.u8(RTA_IP_PROTO).value_or(0), port(RTA_SPORT), port(RTA_DPORT),
      asked.u32(RTA_UID).value_or(0), swap_dscp(info->rtm_tos / 4U)};
  Traffic& traffic = packets.traffic.emplace_back();
  for (std::size_t axis = 0; axis < axes; ++axis) traffic[axis] = {values[axis], values[axis]};
  packets.mark = asked.u32(RTA_MARK).value_or(0);
  packets.from = asked.ip(RTA_SRC, family);
  if (!known) known = routing();
  const auto ways = ways_of(*known, packets);
  const auto& shares = ways->shares[value_at(ways->to, position(*destination))];
  const Fate& fate = known->fates[shares.front().fate];
  switch (fate.course) {
    case Course::no_route:
      return error_message(ENETUNREACH);
    case Course::refused:
      return error_message(EHOSTUNREACH);
    case Course::local:
      return message(RouteSpec{.destination = text + (family == Family::ipv4 ? "/32" : "/128"),
                               .link = 1,
                               .type = RTN_LOCAL});
    case Course::neighbours:
    case Course::onward:
      return answer_over(*destination, fate);
    case Course::undecided:
    case Course::unknown:
      break;
  }
  return error_message(ENETUNREACH);  // a kernel knows, and this is the most harmless answer
}

Bytes FakeKernel::answer_over(const Ip& destination, const Fate& fate) const {
  const bool ipv4 = destination.family == Family::ipv4;
  RouteSpec route{.destination = to_string(destination) + (ipv4 ? "/32" : "/128"),
                  .link = fate.links.front()};
  if (fate.source) route.source = to_string(*fate.source);
  for (const AddressSpec& address : addresses) {
    const bool fits = address.link == route.link && address.scope == 0 &&
                      parse_ip(address.ip).value().family == destination.family;
    if (fits && route.source.empty()) route.source = address.ip;
  }
  return message(route);
}

namespace {

std::string list_of(const std::vector<Prefix>& blocks) {
  std::string text;
  for (const Prefix& block : blocks) text += (text.empty() ? "" : ", ") + to_string(block);
  return text;
}

std::string describe(const FamilyState& state) {
  std::string text(name(state.verdict));
  const auto add = [&](bool is_so, const std::string& what) {
    if (is_so) text += " (" + what + ")";
  };
  const auto over = [](const std::string& link) { return link.empty() ? "" : " over " + link; };
  if (!state.link.empty()) text += " " + state.link;
  add(state.excluded_routes != (!state.excluded.empty() || !state.datagrams_link.empty()),
      "excluded routes without a list");
  add(!state.excluded.empty(), "excluded " + list_of(state.excluded) + over(state.excluded_link));
  add(!state.datagrams_link.empty(), "datagrams over " + state.datagrams_link);
  add(state.unknown_ways, "unknown ways");
  add(state.disputed.has_value(), "disputed " + to_string(state.disputed.value_or(Prefix{})));
  add(!state.neighbours.empty(),
      "neighbours " + list_of(state.neighbours) + over(state.neighbours_link));
  add(!state.marked_into.empty(), "marked into " + state.marked_into);
  add(state.marked_beside, "marked beside");
  return text;
}

}  // namespace

std::string describe(const Network& network) {
  std::string text = "ipv4 " + describe(network.ipv4) + " | ipv6 " + describe(network.ipv6);
  for (const Tunnel& tunnel : network.tunnels) {
    text += " | " + tunnel.link + " " + tunnel.kind + " ";
    text += name(tunnel.ipv4);
    text += " ";
    text += name(tunnel.ipv6);
  }
  return text;
}

}  // namespace icelock::net::test
