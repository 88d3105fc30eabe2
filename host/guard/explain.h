// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "guard/settings.h"
#include "net/network.h"

namespace icelock::guard {

/// Why a decision is what it is: a stable code (docs/protocol.md), a sentence for a person, and the
/// values in it for programs that say the sentence in another language.
struct Reason {
  std::string code;
  std::string text;
  std::map<std::string, std::string> args;

  bool operator==(const Reason&) const = default;
};

Reason reason(std::string code, std::string text, std::map<std::string, std::string> args = {});

/// Whether the family's web traffic goes into a VPN, all or some of it.
bool in_vpn(net::Verdict verdict);

/// Whether a VPN is in use (or its kill switch is closed), so that addresses outside it need
/// protection.
bool protects(const net::Network& network);

/// What the network is, in sentences that say no more than the routes prove. Pure.
std::vector<Reason> explain(const net::Network& network, const Settings& settings);

}  // namespace icelock::guard
