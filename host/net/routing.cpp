// SPDX-License-Identifier: Apache-2.0
#include "net/routing.h"

#include <algorithm>
#include <tuple>

namespace icelock::net {
namespace {

constexpr std::size_t most_fates = 4096;

/// That of a route for some packets only, or of a wider block.
std::uint16_t for_some(Routing& routing, std::uint16_t number) {
  Fate fate = routing.fates[number];
  fate.for_some = true;
  return fate_index(routing, fate);
}

void settle_table(Routing& routing, Family family, Table& table) {
  const auto order = [](const Entry& entry) {
    return std::tuple(entry.base, entry.length, entry.alternative, entry.metric);
  };
  if (!std::ranges::is_sorted(table, {}, order)) std::ranges::sort(table, {}, order);
  std::size_t kept = 0;
  for (const Entry& entry : table) {
    Entry* last = kept > 0 ? &table[kept - 1] : nullptr;
    if (last == nullptr || last->base != entry.base || last->length != entry.length) {
      table[kept++] = entry;
      if (entry.alternative) table[kept - 1].fate = for_some(routing, entry.fate);
    } else if (entry.alternative && family == Family::ipv6) {
      // Where a block has a route for some sources, the kernel passes over the block's other routes
      // for all sources but these (fib6_node_lookup_1).
      last->fate = last->alternative ? either(routing, last->fate, for_some(routing, entry.fate))
                                     : for_some(routing, entry.fate);
      last->alternative = true;
    } else if (entry.alternative || entry.metric == last->metric) {
      last->fate = either(routing, last->fate, entry.fate);
    }
  }
  table.resize(kept);
}

}  // namespace

std::uint16_t either(Routing& routing, std::uint16_t first, std::uint16_t second) {
  if (first == second) return first;
  Fate fate = routing.fates[first];
  const Fate& other = routing.fates[second];
  const auto has_links = [](const Fate& one) {
    return one.course == Course::onward || one.course == Course::neighbours;
  };
  if (!has_links(fate) || !has_links(other)) return unknown_fate;
  fate.course = std::max(fate.course, other.course);
  fate.links.insert(fate.links.end(), other.links.begin(), other.links.end());
  std::ranges::sort(fate.links);
  const auto repeats = std::ranges::unique(fate.links);
  fate.links.erase(repeats.begin(), repeats.end());
  if (fate.source != other.source) fate.source.reset();
  if (fate.group != other.group) fate.group = any_group;
  fate.by_protocol = fate.by_protocol && other.by_protocol;
  fate.for_some = fate.for_some || other.for_some;
  return fate_index(routing, fate);
}

std::uint16_t fate_index(Routing& routing, const Fate& fate) {
  const auto found = std::ranges::find(routing.fates, fate);
  if (found == routing.fates.end()) {
    if (routing.fates.size() >= most_fates) return unknown_fate;
    routing.fates.push_back(fate);
    return static_cast<std::uint16_t>(routing.fates.size() - 1);
  }
  return static_cast<std::uint16_t>(found - routing.fates.begin());
}

void settle(Routing& routing) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (auto& [number, table] : routing.tables[index_of(family)]) {
      settle_table(routing, family, table);
    }
  }
}

}  // namespace icelock::net
