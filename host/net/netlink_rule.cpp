// SPDX-License-Identifier: Apache-2.0
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "net/netlink_attributes.h"
#include "net/netlink_message.h"

namespace icelock::net::netlink {
namespace {

// linux/fib_rules.h of Linux 6.15. What comes later is a selector that is not known here.
constexpr std::uint16_t fra_dscp = 25;
constexpr std::uint16_t fra_source_port_mask = 28;
constexpr std::uint16_t fra_destination_port_mask = 29;
constexpr std::uint16_t fra_dscp_mask = 30;
constexpr std::size_t fra_end = 31;

// What a rule can have that is no selector: FRA_FLOW names a realm, FRA_PROTOCOL who wrote the
// rule.
constexpr std::uint16_t known_to_rules[] = {FRA_DST,
                                            FRA_SRC,
                                            FRA_IIFNAME,
                                            FRA_GOTO,
                                            FRA_PRIORITY,
                                            FRA_FWMARK,
                                            FRA_FLOW,
                                            FRA_TUN_ID,
                                            FRA_SUPPRESS_IFGROUP,
                                            FRA_SUPPRESS_PREFIXLEN,
                                            FRA_TABLE,
                                            FRA_FWMASK,
                                            FRA_OIFNAME,
                                            FRA_PAD,
                                            FRA_L3MDEV,
                                            FRA_UID_RANGE,
                                            FRA_PROTOCOL,
                                            FRA_IP_PROTO,
                                            FRA_SPORT_RANGE,
                                            FRA_DPORT_RANGE,
                                            fra_dscp,
                                            fra_source_port_mask,
                                            fra_destination_port_mask,
                                            fra_dscp_mask};

Action action_of(std::uint8_t action) {
  switch (action) {
    case FR_ACT_TO_TBL:
      return Action::look_up;
    case FR_ACT_GOTO:
      return Action::go_to;
    case FR_ACT_NOP:
      return Action::pass;
    case FR_ACT_BLACKHOLE:
    case FR_ACT_UNREACHABLE:
    case FR_ACT_PROHIBIT:
      return Action::refuse;
    default:
      return Action::unknown;
  }
}

using RuleAttributes = Attributes<fra_end>;

void read_ranges(RuleAttributes& attributes, const fib_rule_hdr& info, Rule& rule) {
  if (const auto range = attributes.number<fib_rule_uid_range>(FRA_UID_RANGE)) {
    rule.traffic[user] = {range->start, range->end};
  }
  if (const auto number = attributes.u8(FRA_IP_PROTO); number && *number != 0) {
    rule.traffic[protocol] = {*number, *number};
  }
  if (const auto range = attributes.number<fib_rule_port_range>(FRA_SPORT_RANGE)) {
    rule.traffic[source_port] = {range->start, range->end};
  }
  if (const auto range = attributes.number<fib_rule_port_range>(FRA_DPORT_RANGE)) {
    rule.traffic[destination_port] = {range->start, range->end};
  }
  const auto put_dscp = [&](std::uint32_t code_point, std::uint32_t others) {
    const std::uint32_t first = swap_dscp(code_point);
    rule.traffic[dscp] = {first, first + others};
  };
  if (info.tos != 0) put_dscp(info.tos / 4U, info.family == AF_INET ? 7 : 0);
  if (const auto number = attributes.u8(fra_dscp)) put_dscp(*number, 0);
}

// The kernel tells a mask of all bits with each single port and each code point.
bool has_masks(RuleAttributes& attributes) {
  return attributes.number<std::uint16_t>(fra_source_port_mask).value_or(0xffff) != 0xffff ||
         attributes.number<std::uint16_t>(fra_destination_port_mask).value_or(0xffff) != 0xffff ||
         attributes.u8(fra_dscp_mask).value_or(0x3f) != 0x3f;
}

std::optional<Prefix> prefix_of(RuleAttributes& attributes, std::uint16_t type, Family family,
                                std::uint8_t length) {
  const auto base = attributes.ip(type, family);
  if (length == 0) return std::nullopt;
  return Prefix{base.value_or(Ip{family, {}}), length};
}

}  // namespace

Read read_rule(const nlmsghdr& message, Rule& rule) {
  if (message.nlmsg_type != RTM_NEWRULE) return Read::ignored;
  const auto* info = fixed_header<fib_rule_hdr>(message);
  if (!info) return Read::malformed;
  const auto family = family_of(info->family);
  if (!family) return Read::ignored;
  auto attributes = RuleAttributes::after<fib_rule_hdr>(message);
  rule.family = *family;
  rule.priority = attributes.u32(FRA_PRIORITY).value_or(0);
  rule.action = action_of(info->action);
  rule.table = attributes.u32(FRA_TABLE).value_or(info->table);
  rule.target = attributes.u32(FRA_GOTO).value_or(0);
  rule.inverted = (info->flags & FIB_RULE_INVERT) != 0;
  rule.to = prefix_of(attributes, FRA_DST, *family, info->dst_len);
  rule.from = prefix_of(attributes, FRA_SRC, *family, info->src_len);
  rule.mark = attributes.u32(FRA_FWMARK).value_or(0);
  rule.mask = attributes.u32(FRA_FWMASK).value_or(rule.mark != 0 ? ~0U : 0);
  read_ranges(attributes, *info, rule);
  const auto in = attributes.text(FRA_IIFNAME);
  rule.never_ours = (in && *in != "lo") || attributes.has(FRA_OIFNAME) ||
                    attributes.u8(FRA_L3MDEV).value_or(0) != 0 || attributes.has(FRA_TUN_ID);
  rule.suppress_length = static_cast<int>(attributes.u32(FRA_SUPPRESS_PREFIXLEN).value_or(~0U));
  rule.suppress_group = static_cast<int>(attributes.u32(FRA_SUPPRESS_IFGROUP).value_or(~0U));
  rule.unknown_selector = attributes.beyond() || (info->flags & FIB_RULE_FIND_SADDR) != 0 ||
                          !attributes.only(known_to_rules) || has_masks(attributes);
  const bool bad_length = info->dst_len > bits(*family) || info->src_len > bits(*family);
  return attributes.bad() || bad_length ? Read::malformed : Read::ok;
}

}  // namespace icelock::net::netlink
