// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/level.h"
#include "guard/explain.h"
#include "guard/settings.h"
#include "ice/exposure.h"
#include "net/network.h"

namespace icelock::guard {

using Clock = std::chrono::steady_clock;

struct Decision {
  Level chromium = Level::force_proxy;
  Level firefox = Level::force_proxy;
  std::vector<Reason> reasons;
  std::chrono::seconds held{0};  ///< how long the lock is still held after a drop

  bool operator==(const Decision&) const = default;
  Level of(BrowserFamily family) const {
    return family == BrowserFamily::chromium ? chromium : firefox;
  }
};

/// What one decision leaves for the next. Starts out knowing nothing, which is locked.
struct Memory {
  bool tunnel_was_up = false;
  std::optional<Clock::time_point> held_until;

  bool operator==(const Memory&) const = default;
};

/// With a VPN (`vpn`: see protects()) what it is there to hide: LAN, ISP IPv4, ISP IPv6; and what
/// the admin protects besides. Not what plain web traffic shows too, for no level hides that.
bool is_protected(const ice::Exposure& exposure, bool vpn, const Protection& more);

/// The loosest level at which a page learns nothing protected, with or without microphone
/// permission.
Level loosest_safe(BrowserFamily family, const net::Network& network, const Protection& more);

/// Pure. Without a network to judge (the probe failed) the answer is force_proxy: "cannot tell" is
/// never safe. `by_user`: the network as it is when the user's own words for links hold too; the
/// stricter of the two counts.
Decision decide(const Result<net::Network>& network, const Settings& settings, Memory& memory,
                Clock::time_point now, const net::Network* by_user = nullptr);

}  // namespace icelock::guard
