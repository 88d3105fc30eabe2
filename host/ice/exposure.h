// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/level.h"
#include "net/network.h"

namespace icelock::ice {

enum class ExposureClass { lan, tunnel, egress, isp_v4, isp_v6 };
enum class Channel {
  script,  ///< a page reads it from candidates, SDP or getStats()
  wire     ///< only the operator of a STUN or TURN server sees it
};

/// Whether the origin holds microphone or camera permission. A browser lists every local address
/// once it does, so a decision must hold for `granted`.
enum class Permission { none, granted };

/// An address that a page could learn.
struct Exposure {
  ExposureClass exposure_class = ExposureClass::lan;
  Channel channel = Channel::script;
  std::string
      address;  ///< empty when it is known to exist but not its value (a public side of a NAT)
  std::string link;
  /// The page already knows it from its own HTTP connection, so no WebRTC setting can hide it.
  bool http_shows_too = false;
  /// Only a page that came over the provider's IPv6, beside a VPN for IPv4, learns it.
  bool with_isp_v6 = false;

  auto operator<=>(const Exposure&) const = default;
};

/// What a page could learn from WebRTC in a browser of this family at this level on this network.
/// Pure; a model of what Chromium 156 and Firefox ESR 153 were measured to do on Linux (tests/lab
/// keeps proving it). Sorted, without repeats.
std::vector<Exposure> exposure(BrowserFamily family, Level level, const net::Network& network,
                               Permission permission);

/// What one of this machine's own addresses is.
ExposureClass class_of(const net::LocalAddress& local, const net::Network& network);

std::string_view name(ExposureClass exposure_class);
std::string_view name(Channel channel);
std::string_view name(Permission permission);

}  // namespace icelock::ice
