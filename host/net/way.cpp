// SPDX-License-Identifier: Apache-2.0
#include "net/way.h"

#include <linux/rtnetlink.h>

#include <algorithm>

#include "net/link_class.h"

namespace icelock::net {
namespace {

bool has_other_global(const Link& link, const Ip& ip) {
  return std::ranges::any_of(link.addresses, [&](const Address& address) {
    return address.global_scope && address.ip.family == ip.family && address.ip != ip;
  });
}

// strongSwan's route: "default ... src <virtual address>/32" in a table of its own. The table alone
// proves nothing (its rule stays when no tunnel is up), nor does a host-prefix address (DHCPv6 and
// some clouds give one).
bool is_ipsec(const Snapshot& snapshot, const Answer& answer, const Link& out) {
  if (!answer.source || answer.table == RT_TABLE_MAIN || answer.table == RT_TABLE_DEFAULT ||
      answer.table == RT_TABLE_LOCAL || answer.table == RT_TABLE_UNSPEC) {
    return false;
  }
  for (const Link& link : snapshot.links) {
    for (const Address& address : link.addresses) {
      if (address.ip != *answer.source) continue;
      if (address.prefix != bits(address.ip.family)) return false;
      return link.index != out.index || has_other_global(out, address.ip);
    }
  }
  return false;
}

}  // namespace

const Link* find_link(const Snapshot& snapshot, int index) {
  const auto at = std::ranges::lower_bound(snapshot.links, index, {}, &Link::index);
  return at != snapshot.links.end() && at->index == index ? &*at : nullptr;
}

bool is_vpn(const Snapshot& snapshot, const Link& link) {
  if (link.link_class != LinkClass::tunnel) return false;
  if (!may_be_uplink(link)) return true;
  if (snapshot.too_many_excluded) return true;  // not known what else there is
  return std::ranges::any_of(snapshot.uplinks, [&](int other) { return other != link.index; });
}

Way way(const Snapshot& snapshot, const Answer& answer) {
  switch (answer.outcome) {
    case Outcome::no_route:
      return Way::no_route;
    case Outcome::refused:
      return Way::refused;
    case Outcome::failed:
      return Way::failed;
    case Outcome::unicast:
      break;
  }
  const Link* link = find_link(snapshot, answer.link);
  if (!link) return Way::failed;
  if (link->link_class == LinkClass::sink || link->link_class == LinkClass::loopback) {
    return Way::refused;
  }
  if (is_vpn(snapshot, *link)) return link->up && link->running ? Way::tunnel : Way::refused;
  return is_ipsec(snapshot, answer, *link) ? Way::ipsec : Way::outside;
}

bool fully_inside(const Snapshot& snapshot, Family family) {
  bool any = false;
  for (const Answer& answer : snapshot.answers) {
    if (answer.destination.family != family) continue;
    const Way found = way(snapshot, answer);
    if (found != Way::tunnel && found != Way::ipsec) return false;
    any = true;
  }
  return any;
}

}  // namespace icelock::net
