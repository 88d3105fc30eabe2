// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/ip.h"

// What the kernel said (Snapshot) and what that means (Network). Both are values; classify()
// between them is pure, so every network that a test machine cannot build is tested from recorded
// messages.

namespace icelock::net {

struct Address {
  Ip ip;
  std::uint8_t prefix = 0;
  bool global_scope = false;  ///< RT_SCOPE_UNIVERSE
  bool temporary = false;     ///< RFC 8981
  bool deprecated = false;
  bool tentative = false;  ///< duplicate address detection has not ended
  /// Looks made from a globally unique MAC address: the very test by which Chromium leaves an
  /// address out (WebRTC rtc_base/ip_address.cc, IPIsMacBased). One made from a random MAC does not
  /// pass it and is shown.
  bool mac_based = false;

  auto operator<=>(const Address&) const = default;
};

/// What kind of thing a link is, by kind, ARPHRD type, flags and parent device; never by its name.
enum class LinkClass : std::uint8_t {
  loopback,
  physical,      ///< a card, a modem, a VM's card
  tunnel,        ///< carries traffic to another end: tun, wireguard, ppp, ipip, ...
  sink,          ///< dummy: swallows what is routed to it (kill switches)
  virtual_link,  ///< bridge, veth, container and hypervisor links
};

struct Link {
  int index = 0;
  std::string name;
  std::string
      kind;  ///< IFLA_INFO_KIND ("tun", "wireguard", "bridge"); empty when the kernel gives none
  LinkClass link_class = LinkClass::physical;
  bool up = false;       ///< IFF_UP
  bool running = false;  ///< IFF_RUNNING
  std::vector<Address> addresses;

  auto operator<=>(const Link&) const = default;
};

/// What the kernel answered to "which way to this public address?" for this process's own uid. Root
/// asks for an ordinary user instead, since nobody browses as root; where rules tell users apart,
/// once for each side.
enum class Outcome : std::uint8_t {
  unicast,   ///< a route; link, source, gateway and table are set
  no_route,  ///< ENETUNREACH
  refused,  ///< a route of type unreachable, prohibit or blackhole (one into a sink is unicast: the
            ///< kernel's word)
  failed,   ///< the question itself went wrong: never read this as "no route"
};

struct Answer {
  Ip destination;
  Outcome outcome = Outcome::failed;
  int link = 0;  ///< interface index
  std::optional<Ip> source;
  std::optional<Ip> gateway;  ///< empty also for an IPv4 route through an IPv6 gateway (RFC 5549)
  std::uint32_t table = 0;

  auto operator<=>(const Answer&) const = default;
};

/// A policy-routing rule other than the kernel's own three. For hints in words, never for a
/// verdict.
struct Rule {
  Family family = Family::ipv4;
  std::uint32_t priority = 0;
  std::uint32_t table = 0;
  std::uint32_t fwmark = 0;
  bool inverted = false;  ///< "not fwmark ..."

  auto operator<=>(const Rule&) const = default;
};

/// A route to public addresses that leaves a full tunnel aside, and that the kernel confirmed to be
/// in effect (a rule of higher priority may hide it). Not listed: connected routes, which reach
/// neighbours only, and the one host route by which a tunnel reaches its own server; net/survey.h
/// has the reasoning.
struct ExcludedRoute {
  Ip destination;
  std::uint8_t prefix = 0;
  int link = 0;

  auto operator<=>(const ExcludedRoute&) const = default;
};

/// Everything read at one moment. Equal snapshots lead to equal decisions.
struct Snapshot {
  std::vector<Link> links;      ///< by index
  std::vector<Answer> answers;  ///< the IPv4 questions, then the IPv6 ones
  std::vector<Rule> rules;
  /// Links with a default route or a route to one public host in any table, sorted, without those
  /// that are tunnels for certain: each could carry another link's outer packets. 0 stands for one
  /// that the kernel did not name. Read only when an answer leaves by a tunnel and there is a ppp
  /// or modem link.
  std::vector<int> uplinks;
  std::vector<ExcludedRoute> excluded;  ///< read only when a family is fully tunnelled
  bool too_many_excluded = false;  ///< the dump was cut at its bound: treat as "there are some"

  auto operator<=>(const Snapshot&) const = default;
};

enum class Verdict : std::uint8_t { direct, tunnel, partial, ipsec, blocked, none };
enum class Coverage : std::uint8_t { none, split, full };

/// One address family, as a program without privileges sees it.
struct FamilyState {
  Verdict verdict = Verdict::none;
  /// The link that carries the family's public traffic. partial: the one outside the tunnel, empty
  /// when it is not known. blocked: the sink or the dead tunnel, empty for a route of type
  /// unreachable.
  std::string link;
  std::optional<Ip> source;      ///< the address the kernel would send from
  bool excluded_routes = false;  ///< some public addresses leave the tunnel aside
  std::string excluded_example;  ///< "192.0.2.0/24 over enp3s0", empty when none or not known
  /// What a STUN server saw, once one was asked (ice/outside.h): of a socket that is bound to no
  /// address, and of one bound to an address that is not the tunnel's. classify() asks nobody.
  std::optional<Ip> seen;
  std::optional<Ip> seen_beside;

  auto operator<=>(const FamilyState&) const = default;
};

/// A tunnel that is usable: up, running, and with a global address or with traffic. `full`: all
/// answers of the family leave by it; `split`: some, or none but it has an address of the family.
struct Tunnel {
  std::string link;  ///< for policy IPsec the link that the encrypted packets leave by
  std::string kind;  ///< "tun", "wireguard", "ppp", "ipsec", ...
  Coverage ipv4 = Coverage::none;
  Coverage ipv6 = Coverage::none;

  auto operator<=>(const Tunnel&) const = default;
};

/// An address that a browser would list once it may enumerate links: on a link that is up and
/// running, not loopback, not IPv6 link-local, not deprecated.
struct LocalAddress {
  Ip ip;
  std::string link;
  LinkClass link_class = LinkClass::physical;
  bool mac_based = false;

  auto operator<=>(const LocalAddress&) const = default;
};

/// The meaning of a snapshot.
struct Network {
  FamilyState ipv4;
  FamilyState ipv6;
  std::vector<Tunnel> tunnels;
  std::vector<LocalAddress> addresses;

  auto operator<=>(const Network&) const = default;
};

/// Pure. A family whose answers disagree is judged by the worst: tunnelled next to any other answer
/// is partial
/// ("cannot tell" is never "inside"), and so is a failed question next to any answer. When every
/// question of a family failed Prober::snapshot() has already returned an error.
///
/// A ppp link (or a modem that the kernel shows as a bare IP link) is a VPN only when another link
/// could carry its outer packets; as the only way out it is the uplink itself, and the verdict is
/// direct. Policy IPsec is told by its effect: a route outside the main table whose source is a
/// host-prefix address that is not the link's main one. A site-to-site policy without such an
/// address cannot be seen without privileges.
Network classify(const Snapshot& snapshot);

std::string_view name(Verdict verdict);
std::string_view name(Coverage coverage);
std::string_view name(LinkClass link_class);

}  // namespace icelock::net
