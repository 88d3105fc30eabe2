// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "net/network.h"

// From the portable value to the parts of a snapshot. Pure, portable.

namespace icelock::net {

/// Whose traffic is looked at: uid 0 stands for all people.
std::vector<Range> users_of(std::uint32_t uid, const std::vector<Rule>& rules);

/// Adds the parts of a family's traffic, each with the questions that confirm it, not answered yet,
/// and to the fates of `routing`, which is settled. The snapshot has its links.
void add_parts(Snapshot& snapshot, Routing& routing, Family family,
               const std::vector<Range>& users);

/// Whether connect(2) may lead elsewhere than sendto(2): it looks again with the source that it
/// chose.
bool looks_twice(const std::vector<Rule>& rules, Family family);

}  // namespace icelock::net
