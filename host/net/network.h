// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/ip.h"
#include "net/routing.h"

// What the kernel said (Snapshot) and what that means (Network). Both are values; classify()
// between them is pure, so every network that a test machine cannot build is tested from recorded
// messages.

namespace icelock::net {

struct Address {
  Ip ip;
  std::uint8_t prefix = 0;
  bool global_scope = false;  ///< RT_SCOPE_UNIVERSE
  bool deprecated = false;
  /// Looks made from a globally unique MAC address: the very test by which Chromium leaves an
  /// address out (WebRTC rtc_base/ip_address.cc, IPIsMacBased). One made from a random MAC does not
  /// pass it and is shown.
  bool mac_based = false;

  auto operator<=>(const Address&) const = default;
};

/// What kind of thing a link is, by kind, ARPHRD type, flags and parent device; never by its name,
/// and not what it is for (Role).
enum class LinkClass : std::uint8_t {
  loopback,
  physical,      ///< a card, a modem, a VM's card
  tunnel,        ///< carries traffic to another end: tun, wireguard, ppp, ipip, ...
  sink,          ///< dummy: swallows what is routed to it (kill switches)
  virtual_link,  ///< bridge, veth, container and hypervisor links
};

/// What a link is for (net/roles.h).
enum class Role : std::uint8_t {
  uplink,        ///< a way to the provider, or none at all: what is on it is the person's own
  vpn,           ///< hides the machine behind another end
  mesh,          ///< leads to some hosts or private networks only
  clat,          ///< turns IPv4 into IPv6 for a network that has nothing else (RFC 6877)
  sink,          ///< swallows
  virtual_link,  ///< leads to containers and virtual machines of this machine
};

struct Link {
  int index = 0;
  std::string name;
  std::string
      kind;  ///< IFLA_INFO_KIND ("tun", "wireguard", "bridge"); empty when the kernel gives none
  LinkClass link_class = LinkClass::physical;
  bool tap = false;             ///< a tun device that carries Ethernet, and is no bridge's port
  bool point_to_point = false;  ///< IFF_POINTOPOINT, or without link-layer addresses
  bool up = false;              ///< IFF_UP
  bool running = false;         ///< IFF_RUNNING
  int group = 0;
  std::vector<Address> addresses;

  auto operator<=>(const Link&) const = default;
};

/// The one with this index, of links sorted by it; nullptr when there is none.
const Link* find_link(const std::vector<Link>& links, int index);

/// What the kernel answered to "which way to this address?".
enum class Outcome : std::uint8_t {
  unicast,   ///< a route; link and source are set
  no_route,  ///< ENETUNREACH
  refused,   ///< a route of type unreachable, prohibit or blackhole, or to this machine itself
  failed,    ///< the question itself went wrong: never read this as "no route"
};

/// One question, with the selectors that a rule can have.
struct Question {
  Ip destination;
  Traffic traffic{};  ///< the first of each range is asked for
  std::uint32_t mark = 0;
  std::optional<Ip> from{};

  auto operator<=>(const Question&) const = default;
};

struct Answer {
  Outcome outcome = Outcome::failed;
  int link = 0;  ///< interface index
  std::optional<Ip> source{};
};

/// One question that confirms a part, and its answer.
struct Check {
  Question question;
  std::uint16_t fate = 0;  ///< what was computed
  Answer answer;
};

/// Packets of one use, and where they go.
struct Part {
  enum class Use : std::uint8_t {
    web,        ///< TCP to the web's ports
    datagrams,  ///< UDP to any port, from any port
    marked,     ///< as `web`, if a firewall gave the packets a mark that a rule asks for
  };
  Use use = Use::web;
  Family family = Family::ipv4;
  std::uint32_t mark = 0;
  SharedSpans to;  ///< for every destination what some or all of them meet: of Snapshot::sets
  std::vector<Check> checks;
};

inline constexpr std::uint16_t no_set = 0;
inline constexpr std::uint16_t unknown_set = 1;

/// Everything read at one moment.
struct Snapshot {
  std::vector<Link> links;  ///< by index
  std::vector<Rule> rules;
  std::vector<Fate> fates;
  /// Of fates. The first is empty, the second "unknown".
  std::vector<std::vector<std::uint16_t>> sets{{}, {unknown_fate}};
  std::map<int, LinkUse> uses;
  std::vector<Part> parts;
  /// By family: which way WebRTC's own question for the default local address goes
  /// (rtc_base/network.cc connects to 8.8.8.8:53 and 2001:4860:4860::8888).
  std::array<Answer, 2> defaults{};
};

enum class Verdict : std::uint8_t { direct, tunnel, partial, ipsec, blocked, none };
enum class Coverage : std::uint8_t { none, split, full };

/// One address family, as a program without privileges sees it.
struct FamilyState {
  /// Of the web's traffic.
  Verdict verdict = Verdict::none;
  /// The link that carries the family's public traffic. partial: the one outside the tunnel, empty
  /// when it is not known. blocked: the sink or the dead tunnel, empty for a route of type
  /// unreachable.
  std::string link;
  std::optional<Ip> source;  ///< the address the kernel would send from
  /// Beside a tunnel: some of what WebRTC could send leaves it aside.
  bool excluded_routes = false;
  std::vector<Prefix> excluded;        ///< the shortest true list of the destinations that do
  std::string excluded_link;           ///< over which link, empty when there are several
  std::string datagrams_link;          ///< set when UDP leaves the tunnel that carries the web
  std::optional<Ip> datagrams_source;  ///< the address it leaves from
  bool unknown_ways = false;           ///< some of it cannot be told, and counts as outside
  std::optional<Prefix> disputed;      ///< where the kernel answered otherwise than was computed
  std::vector<Prefix> neighbours;  ///< public blocks that are reached on a link, beside the tunnel
  std::string neighbours_link;
  std::string
      marked_into;  ///< the VPN into which a firewall mark leads while the rest goes beside it
  bool marked_beside = false;  ///< a mark, not the VPN's own, leads out beside it
  /// What a STUN server saw, once one was asked (ice/outside.h): of a socket that is bound to no
  /// address, and of one bound to an address that is not the tunnel's. classify() asks nobody.
  std::optional<Ip> seen;
  std::optional<Ip> seen_beside;

  auto operator<=>(const FamilyState&) const = default;
};

/// A tunnel that is usable: up, running, and with a global address or with traffic. `full`: the
/// family leaves by it; `split`: some, or none but it has an address of the family.
struct Tunnel {
  std::string link;  ///< for policy IPsec the link that the encrypted packets leave by
  std::string kind;  ///< "tun", "wireguard", "ppp", "ipsec", ...
  Coverage ipv4 = Coverage::none;
  Coverage ipv6 = Coverage::none;

  auto operator<=>(const Tunnel&) const = default;
};

/// An address that a browser would list once it may enumerate links: on a link that is up and
/// running, not loopback, not IPv6 link-local, not deprecated. Firefox lists those on lo, too, that
/// are none of loopback.
struct LocalAddress {
  Ip ip;
  std::string link;
  Role role = Role::uplink;
  bool mac_based = false;
  bool on_loopback = false;  ///< on lo, but for others to reach

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

/// The role that a person gives to links, by name, "he-*" for all that begin so.
struct NamedRole {
  std::string links;
  Role role = Role::uplink;

  auto operator<=>(const NamedRole&) const = default;
};

/// Pure. The web's traffic gives a family its verdict. Inside a VPN for at least a sixteenth of the
/// public destinations and outside for none: tunnel, or ipsec; what is refused or has no route is
/// no leak. With up to a quarter outside: tunnel with excluded routes; with more, or when some of
/// the web's ports or users go inside and some outside: partial. Less inside is a split tunnel, and
/// the verdict direct. What cannot be told counts as outside, and where the kernel answers
/// otherwise than was computed, the worse of the two.
///
/// A full tunnel with one public route aside leaks: Chromium at every level below force_proxy
/// answers a STUN server on that route from the ISP's address. But most VPNs need a host route to
/// their own server, and nothing that can be read without privileges tells the two apart. So single
/// hosts in one block (/24, /64) are taken for one VPN's servers, of as many such blocks as there
/// are VPNs that do not mark their packets instead. A page would have to run its STUN server on
/// that very address to use it.
///
/// Policy IPsec is told by its effect: a route whose source is a host-prefix address that is not
/// the link's main one, and that no protocol wrote. A site-to-site policy without such an address
/// cannot be seen without privileges.
Network classify(const Snapshot& snapshot, const std::vector<NamedRole>& named = {});

std::string_view name(Verdict verdict);
std::string_view name(Coverage coverage);
std::string_view name(LinkClass link_class);
std::string_view name(Role role);
std::optional<Role> parse_role(std::string_view text);

}  // namespace icelock::net
