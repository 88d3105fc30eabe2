// SPDX-License-Identifier: Apache-2.0
#include "fake_kernel.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <stdexcept>

#include "net/netlink_attributes.h"

namespace icelock::net::test {
namespace {

using netlink::Attributes;

struct Prefix {
  Ip base;
  int length = 0;

  bool holds(const Ip& ip) const {
    if (ip.family != base.family) return false;
    for (int bit = 0; bit < length; ++bit) {
      const auto at = static_cast<std::size_t>(bit / 8);
      if (((ip.bytes[at] ^ base.bytes[at]) & (0x80 >> (bit % 8))) != 0) return false;
    }
    return true;
  }
};

Prefix prefix_of(const std::string& text) {
  const std::size_t slash = text.find('/');
  return {parse_ip(text.substr(0, slash)).value(), std::stoi(text.substr(slash + 1))};
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

bool uses_link(const RouteSpec& route, int link) {
  if (route.link == link) return true;
  return std::ranges::any_of(route.hops, [&](const HopSpec& hop) { return hop.link == link; });
}

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
  const auto* message = reinterpret_cast<const nlmsghdr*>(request.data());
  auto left = static_cast<int>(request.size());
  for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
    if ((message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
      for (Bytes& datagram : list(*message)) datagrams.push_back(std::move(datagram));
    } else {
      datagrams.push_back(numbered(answer(*message), message->nlmsg_seq));
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
  if (request.nlmsg_type == RTM_GETRULE) add_all(rules);
  if (request.nlmsg_type == RTM_GETROUTE) {
    const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&request));
    auto attributes = Attributes<RTA_OIF + 1>::after<rtmsg>(request);
    const auto link = attributes.u32(RTA_OIF);
    const Family family = info->rtm_family == AF_INET ? Family::ipv4 : Family::ipv6;
    for (const RouteSpec& route : routes) {
      if (prefix_of(route.destination).base.family != family || route.type != info->rtm_type)
        continue;
      if (link && !uses_link(route, static_cast<int>(*link))) continue;
      messages.push_back(message(route));
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

bool FakeKernel::rule_applies(const RuleSpec& rule, Family family, std::uint32_t uid) const {
  if (rule.family != family) return false;
  if (rule.uids && (uid < rule.uids->first || uid > rule.uids->second)) return false;
  const bool selected = rule.fwmark == 0;  // the questions carry no mark
  return selected != rule.inverted;
}

const RouteSpec* FakeKernel::look_up(const Ip& destination, const RuleSpec& rule) const {
  const RouteSpec* best = nullptr;
  int best_length = -1;
  for (const RouteSpec& route : routes) {
    const Prefix prefix = prefix_of(route.destination);
    if (route.table != rule.table || !prefix.holds(destination)) continue;
    if (prefix.length <= best_length) continue;
    best = &route;
    best_length = prefix.length;
  }
  return best_length > rule.suppress_prefix ? best : nullptr;
}

std::string FakeKernel::source_for(const RouteSpec& route, Family family) const {
  if (!route.source.empty()) return route.source;
  for (const AddressSpec& address : addresses) {
    if (address.link == route.link && address.scope == 0 &&
        parse_ip(address.ip).value().family == family) {
      return address.ip;
    }
  }
  return {};
}

Bytes FakeKernel::answer(const nlmsghdr& request) const {
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&request));
  const Family family = info->rtm_family == AF_INET ? Family::ipv4 : Family::ipv6;
  auto attributes = Attributes<RTA_UID + 1>::after<rtmsg>(request);
  const auto destination = attributes.ip(RTA_DST, family);
  const auto uid = attributes.u32(RTA_UID);
  if (!destination || !uid) return error_message(EINVAL, "no destination");
  if (failing.contains(to_string(*destination))) return error_message(EIO);
  std::vector<RuleSpec> ordered = rules;
  std::ranges::stable_sort(ordered, {}, &RuleSpec::priority);
  for (const RuleSpec& rule : ordered) {
    if (!rule_applies(rule, family, *uid)) continue;
    const RouteSpec* route = look_up(*destination, rule);
    if (!route || route->type == RTN_THROW) continue;
    if (route->type == RTN_UNREACHABLE) return error_message(EHOSTUNREACH);
    if (route->type == RTN_PROHIBIT) return error_message(EACCES);
    if (route->type == RTN_BLACKHOLE) return error_message(EINVAL);
    RouteSpec found = *route;
    found.destination = to_string(*destination) + (family == Family::ipv4 ? "/32" : "/128");
    if (!found.hops.empty()) {
      found.link = found.hops.front().link;
      found.gateway = found.hops.front().gateway;
      found.hops.clear();
    }
    found.source = source_for(found, family);
    return message(found);
  }
  return error_message(ENETUNREACH);
}

std::string describe(const Network& network) {
  std::string text;
  const auto add = [&](std::string_view family, const FamilyState& state) {
    text += family;
    text += name(state.verdict);
    if (!state.link.empty()) text += " " + state.link;
    if (state.excluded_routes) text += " (excluded " + state.excluded_example + ")";
  };
  add("ipv4 ", network.ipv4);
  add(" | ipv6 ", network.ipv6);
  for (const Tunnel& tunnel : network.tunnels) {
    text += " | " + tunnel.link + " " + tunnel.kind + " ";
    text += name(tunnel.ipv4);
    text += " ";
    text += name(tunnel.ipv6);
  }
  return text;
}

}  // namespace icelock::net::test
