// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/level.h"
#include "guard/settings.h"
#include "ice/exposure.h"
#include "net/network.h"

namespace icelock::guard {

using Clock = std::chrono::steady_clock;

/// Why a decision is what it is: a stable code (docs/protocol.md), a sentence for a person, and the
/// values in it for programs that say the sentence in another language.
struct Reason {
  std::string code;
  std::string text;
  std::map<std::string, std::string> args;

  bool operator==(const Reason&) const = default;
};

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

/// Whether a VPN is in use (or its kill switch is closed), so that addresses outside it need
/// protection.
bool protects(const net::Network& network);

/// With a VPN (`vpn`: see protects()) what it is there to hide: LAN, ISP IPv4, ISP IPv6; and what
/// the admin protects besides. Not what plain web traffic shows too, for no level hides that.
bool is_protected(const ice::Exposure& exposure, bool vpn, const Protection& more);

/// The loosest level at which a page learns nothing protected, with or without microphone
/// permission.
Level loosest_safe(BrowserFamily family, const net::Network& network, const Protection& more);

/// Pure. Without a network to judge (the probe failed) the answer is force_proxy: "cannot tell" is
/// never safe.
Decision decide(const Result<net::Network>& network, const Settings& settings, Memory& memory,
                Clock::time_point now);

}  // namespace icelock::guard
