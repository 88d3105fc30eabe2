// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "base/level.h"
#include "ice/exposure.h"
#include "net/ip.h"
#include "net/network.h"

// What a real browser showed, in the model's words. Pure.

namespace icelock::ice {

/// An address that a page learnt.
struct Shown {
  net::Ip address;
  bool reflexive =
      false;  ///< a STUN server told it: it is the outside of a route, not a link's own

  auto operator<=>(const Shown&) const = default;
};

/// What one page learnt from one fresh connection.
struct Sight {
  bool api = true;     ///< the browser has WebRTC at all
  bool names = false;  ///< random .local names stood for addresses
  std::vector<Shown> shown;
};

/// The exposure that an address is on this network. FamilyState::seen says how the STUN server sees
/// a plain socket. An address that nobody knows counts as the provider's, or as the LAN's when it
/// is no public one: never as harmless. None for loopback.
std::optional<Exposure> judge(const Shown& shown, const net::Network& network);

struct LevelRange {
  Level loosest = Level::unrestricted;
  Level tightest = Level::unrestricted;
};

/// The levels that fit what a page without and one with microphone permission learnt. More than one
/// where the network has nothing that would tell them apart.
LevelRange obeyed(BrowserFamily family, const Sight& without, const Sight& with,
                  const net::Network& network);

}  // namespace icelock::ice
