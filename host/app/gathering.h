// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "ice/gather.h"
#include "net/network.h"

namespace icelock::app {

/// ice::gather() on every address of the network, in a process of its own and never as root: root
/// has it done as who called sudo, or as nobody. `stun`: each an address or a name, with :PORT if
/// wished; the first address of each family is asked, and nobody if there is none. Errors: those of
/// ice::gather(), not_found for a name, bad_request for two servers with different ports, and
/// unavailable when root cannot be left. Blocks for `deadline` and as long as a name takes.
Result<std::vector<ice::Gathered>> gather_apart(const net::Network& network,
                                                const std::vector<std::string>& stun,
                                                std::chrono::milliseconds deadline);

}  // namespace icelock::app
