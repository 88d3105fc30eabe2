// SPDX-License-Identifier: Apache-2.0
#include "net/roles.h"

#include <net/if_arp.h>

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <tuple>

namespace icelock::net {
namespace {

using enum LinkClass;

// The kernel's rtnl_link_ops kinds. "tap" and "tap port" are ours for the two uses of a tap.
constexpr std::string_view tunnels[] = {
    "tun", "tap",    "wireguard", "ovpn", "ovpn-dco", "ovpn-dco-v2", "ppp", "ipip",    "gre",
    "sit", "ip6tnl", "ip6gre",    "vti",  "vti6",     "xfrm",        "gtp", "bareudp", "amt"};
constexpr std::string_view sinks[] = {"dummy"};
constexpr std::string_view virtual_links[] = {
    "tap port", "bridge", "veth",   "macvlan",   "macvtap", "ipvlan",    "ipvtap",     "ifb",
    "vxlan",    "geneve", "gretap", "ip6gretap", "erspan",  "ip6erspan", "bond",       "team",
    "vlan",     "vrf",    "netkit", "nlmon",     "vcan",    "hsr",       "openvswitch"};
constexpr std::string_view uplinks[] = {"wwan", "rmnet"};

struct ClassRow {
  LinkClass link_class;
  std::span<const std::string_view> kinds;
};

constexpr ClassRow classes[] = {
    {tunnel, tunnels}, {sink, sinks}, {virtual_link, virtual_links}, {physical, uplinks}};

constexpr std::uint16_t tunnel_hardware[] = {
    ARPHRD_NONE, ARPHRD_RAWIP, ARPHRD_PPP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_IPGRE};

/// How a tunnel's role is told, by kind.
enum class Evidence : std::uint8_t { vpn, access, carrier, dial };
struct EvidenceRow {
  std::string_view kind;
  Evidence evidence;
};
constexpr EvidenceRow evidence_rows[] = {
    {"sit", Evidence::access},  {"ip6tnl", Evidence::access},  {"ipip", Evidence::carrier},
    {"gre", Evidence::carrier}, {"ip6gre", Evidence::carrier}, {"ppp", Evidence::dial},
    {"", Evidence::dial}};

Evidence evidence_for(const Link& link) {
  const auto row = std::ranges::find(evidence_rows, link.kind, &EvidenceRow::kind);
  return row == std::end(evidence_rows) ? Evidence::vpn : row->evidence;
}

std::string_view row_name(const LinkNature& nature) {
  if (nature.kind != "tun") return nature.kind;
  constexpr std::uint8_t tap = 2;
  // Kernels before 4.18 do not say; an Ethernet header then tells.
  const bool carries_ethernet =
      nature.tun_type ? *nature.tun_type == tap : nature.hardware == ARPHRD_ETHER;
  if (!carries_ethernet) return "tun";
  return nature.is_port ? "tap port" : "tap";
}

bool any_global(const Link& link, const auto& wanted) {
  return std::ranges::any_of(link.addresses, [&](const Address& address) {
    return address.global_scope && wanted(address);
  });
}

bool is_public_address(const Address& address) {
  return is_public(address.ip);
}

// RFC 7335: 192.0.0.0/29, of which CLAT takes one address for itself.
bool is_clat(const Link& link) {
  return any_global(link, [](const Address& address) {
    return inside(address.ip, {Family::ipv4, {192, 0, 0, 0}}, 29);
  });
}

/// The block that one service's hosts are likely to share.
Ip neighbourhood(const Ip& ip) {
  return ip_at(ip.family, first_of(position(ip), ip.family == Family::ipv4 ? 24 : 64));
}

class Judge {
 public:
  explicit Judge(const Snapshot& snapshot) : snapshot_(snapshot) {}

  std::map<int, Role> roles() {
    for (const Link& link : snapshot_.links) roles_[link.index] = by_itself(link);
    const bool has_uplink = std::ranges::any_of(snapshot_.links, [&](const Link& link) {
      return roles_[link.index] == Role::uplink && leads_out(link);
    });
    if (!has_uplink) find_lowest();
    return roles_;
  }

 private:
  const LinkUse& use(const Link& link) const {
    static const LinkUse nothing;
    const auto found = snapshot_.uses.find(link.index);
    return found == snapshot_.uses.end() ? nothing : found->second;
  }

  bool live(const Link& link) const { return link.up && link.running; }
  bool leads_out(const Link& link) const {
    return live(link) && (use(link).onward || !use(link).hosts.empty());
  }
  bool is_catch_all(const Link& link, std::size_t family) const {
    return use(link).whole[family] || use(link).half[family];
  }

  /// Whether another link that is no VPN leads its family out.
  bool has_other(const Link& link, std::size_t family) const {
    return std::ranges::any_of(snapshot_.links, [&](const Link& other) {
      return other.index != link.index && live(other) && is_catch_all(other, family) &&
             (other.link_class == physical || other.link_class == virtual_link ||
              (other.link_class == tunnel && evidence_for(other) == Evidence::dial));
    });
  }

  Role by_itself(const Link& link) const {
    switch (link.link_class) {
      case loopback:
      case sink:
        return Role::sink;
      case physical:
        return Role::uplink;
      case virtual_link:
        return use(link).onward || !use(link).hosts.empty() ? Role::uplink : Role::virtual_link;
      case tunnel:
        break;
    }
    switch (evidence_for(link)) {
      case Evidence::access:
        return Role::uplink;
      case Evidence::carrier:
        return is_carrier_access(link) ? Role::uplink : Role::vpn;
      case Evidence::dial:
        return has_underlay(link) ? Role::vpn : Role::uplink;
      case Evidence::vpn:
        break;
    }
    if (is_clat(link)) return Role::clat;
    if (link.tap) return use(link).onward ? Role::vpn : Role::virtual_link;
    return use(link).onward ? Role::vpn : Role::mesh;
  }

  bool is_carrier_access(const Link& link) const {
    if (any_global(link, is_public_address)) return true;
    for (const std::size_t family : {0U, 1U}) {
      if (is_catch_all(link, family) && has_other(link, family)) return false;
    }
    return true;
  }

  // The far end of a ppp VPN shows by a host route to it over another link. The far ends of other
  // VPNs do, too, and those are counted first.
  bool has_underlay(const Link& link) const {
    for (const std::size_t family : {0U, 1U}) {
      if (use(link).half[family] && has_other(link, family)) return true;
    }
    std::set<Ip> far_ends;
    bool is_provider = false;  // the far end's network is one that only the provider can tell of
    for (const Link& other : snapshot_.links) {
      if (other.index == link.index) continue;
      for (const Ip& host : use(other).hosts) {
        far_ends.insert(neighbourhood(host));
        is_provider = is_provider || !is_public(host) || use(other).told;
      }
    }
    const auto others = std::ranges::count_if(snapshot_.links, [&](const Link& other) {
      return other.link_class == tunnel && evidence_for(other) == Evidence::vpn &&
             use(other).onward;
    });
    if (far_ends.size() <= static_cast<std::size_t>(others)) return false;
    return !(is_provider && any_global(link, is_public_address));
  }

  /// A link beside these that could carry a tunnel's packets, though no route says so now.
  bool has_idle_card() const {
    return std::ranges::any_of(snapshot_.links, [&](const Link& link) {
      return live(link) && link.kind != "bridge" && link.link_class != tunnel &&
             link.link_class != loopback && link.link_class != sink &&
             any_global(link, [](const Address&) { return true; });
    });
  }

  /// Larger for what lies lower: who carries host routes, whose default stands in the main table,
  /// who has no half-default routes, whose metric is larger.
  std::tuple<bool, bool, bool, std::uint32_t, bool> depth(const Link& link) const {
    const LinkUse& used = use(link);
    return {!used.hosts.empty(), used.main[0] || used.main[1], !used.half[0] && !used.half[1],
            std::max(used.metric[0], used.metric[1]), link.tap};
  }

  // Only tunnels lead out.
  void find_lowest() {
    std::vector<const Link*> ways;
    for (const Link& link : snapshot_.links) {
      if (link.link_class == tunnel && leads_out(link)) ways.push_back(&link);
    }
    if (ways.empty()) return;
    const auto lower = [&](const Link* a, const Link* b) { return depth(*a) < depth(*b); };
    const Link* lowest = *std::ranges::max_element(ways, lower);
    const auto as_low = [&](const Link* link) { return depth(*link) == depth(*lowest); };
    if (std::ranges::count_if(ways, as_low) > 1) return;
    // A VPN outlives its uplink for a while; a container has never had another link.
    const bool is_plain =
        any_global(*lowest, is_public_address) && (use(*lowest).whole[0] || use(*lowest).whole[1]);
    if (ways.size() > 1 || is_plain || !has_idle_card()) roles_[lowest->index] = Role::uplink;
  }

  const Snapshot& snapshot_;
  std::map<int, Role> roles_;
};

bool matches(const std::string& pattern, const std::string& name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace

LinkClass link_class(const LinkNature& nature) {
  if (nature.loopback) return loopback;
  if (nature.has_parent_device) return physical;
  const std::string_view kind = row_name(nature);
  for (const ClassRow& row : classes) {
    if (std::ranges::find(row.kinds, kind) != row.kinds.end()) return row.link_class;
  }
  return std::ranges::find(tunnel_hardware, nature.hardware) != std::end(tunnel_hardware)
             ? tunnel
             : physical;
}

bool is_tap(const LinkNature& nature) {
  return row_name(nature) == "tap";
}

std::map<int, Role> roles_of(const Snapshot& snapshot, const std::vector<NamedRole>& named) {
  std::map<int, Role> roles = Judge(snapshot).roles();
  for (const Link& link : snapshot.links) {
    for (const NamedRole& one : named) {
      if (matches(one.links, link.name)) roles[link.index] = one.role;
    }
  }
  return roles;
}

}  // namespace icelock::net
