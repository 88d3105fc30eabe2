// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "net/network.h"

// What the ways of a snapshot mean: where each fate leads, seen from a person behind a VPN. Pure;
// classify()'s own.

namespace icelock::net {

/// From harmless to worst.
enum Heading : std::uint8_t {
  nearby,      ///< this machine, its neighbours, a mesh
  nowhere,     ///< no route
  refused,     ///< by a route, a sink, or a VPN whose program is gone
  inside_vpn,  ///< into a VPN's link
  by_ipsec,    ///< out of an ordinary link, but from an IPsec policy's address
  outside,     ///< out of an ordinary link
  untold,
};

constexpr bool is_inside(Heading heading) {
  return heading == inside_vpn || heading == by_ipsec;
}

class Headings {
 public:
  /// `snapshot` must outlive this.
  Headings(const Snapshot& snapshot, const std::vector<NamedRole>& named);

  Role role(int link) const;
  Heading of(const Fate& fate) const;
  /// Of what the kernel answered where `computed` was expected.
  Heading of(const Answer& answer, const Fate& computed) const;
  /// Whether this part of public_space() is public here: that of NAT64 is where there is evidence
  /// of one, a CLAT, a route for it, or no IPv4 by an uplink. A default route is none.
  bool counts(std::uint16_t space) const;
  /// How many VPNs may have a host route to their server in this family: all but those whose table
  /// is reached by `not fwmark`, for they mark their packets instead.
  std::size_t servers(Family family) const;
  /// Where IPv6 packets to NAT64 go, and so a CLAT's; empty when it is not known.
  const std::vector<std::uint16_t>& nat64_fates() const;

  const Snapshot& snapshot() const { return *snapshot_; }

 private:
  bool is_ipsec(const Fate& fate, const Link& out) const;
  Heading over(int link, const Fate& fate) const;
  Heading of_clat() const;
  bool finds_nat64() const;

  const Snapshot* snapshot_;
  std::map<int, Role> roles_;
  bool has_nat64_ = false;
};

/// Of the packets of a part that have one destination those count that go worst, or best.
enum class Counts : std::uint8_t { worst, best };

/// What one part of a family's traffic comes to.
struct Reading {
  const Part* part = nullptr;
  Spans seen;  ///< the set of every destination that counts as public here, `no_set` for the others
  std::vector<Heading> of_fate;  ///< after the kernel was heard
  std::vector<Heading> of_set;
  std::vector<double> shares;  ///< how much of the public space has each set
  Verdict verdict = Verdict::none;
  std::vector<Prefix> beside;  ///< what leaves a tunnel aside
  bool untold = false;         ///< some of that cannot be told
  std::optional<Prefix> disputed;
};

Reading read(const Headings& headings, const Part& part, Counts counts = Counts::worst);

/// Whether the verdict is that a VPN carries it all.
constexpr bool by_vpn(Verdict verdict) {
  return verdict == Verdict::tunnel || verdict == Verdict::ipsec;
}

}  // namespace icelock::net
