// SPDX-License-Identifier: Apache-2.0
#include "net/routing.h"

#include <algorithm>
#include <tuple>
#include <utility>

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
  // IPv4's come in this order, but for those of one base.
  if (!std::ranges::is_sorted(table, {}, &Entry::base)) {
    std::ranges::sort(table, {}, order);
  } else {
    for (auto at = table.begin(); at != table.end();) {
      const auto is_other = [&](const Entry& entry) { return entry.base != at->base; };
      const auto end = std::find_if(at, table.end(), is_other);
      std::ranges::sort(std::exchange(at, end), end, {}, order);
    }
  }
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

/// What a look-up makes of a route that it found: itself, or "undecided" when that is no answer.
std::uint16_t answer_of(const Routing& routing, const LookUp& look_up, const Entry& entry) {
  const Fate& fate = routing.fates[entry.fate];
  // A route that refuses is an answer at once, and one that cannot be told may refuse.
  if (fate.course < Course::local || fate.course == Course::unknown) return entry.fate;
  if (entry.length <= look_up.suppress_length) return undecided_fate;
  if (look_up.suppress_group < 0) return entry.fate;
  if (fate.group == any_group) return unknown_fate;
  return fate.group == look_up.suppress_group ? undecided_fate : entry.fate;
}

/// Of a settled table's blocks around an address the longest counts.
Spans answers_of(const Routing& routing, const LookUp& look_up, const Table& table) {
  Spans spans{{{}, undecided_fate}};
  spans.reserve(2 * table.size() + 1);
  std::vector<std::pair<Position, std::uint16_t>> open;  // the blocks around, with their ends
  const auto close = [&] {
    const Position end = open.back().first;
    open.pop_back();
    if (end == last_position) return;
    append(spans, after(end), open.empty() ? undecided_fate : open.back().second);
  };
  for (const Entry& entry : table) {
    while (!open.empty() && open.back().first < entry.base) close();
    const std::uint16_t fate = answer_of(routing, look_up, entry);
    append(spans, entry.base, fate);
    open.emplace_back(last_of(entry.base, entry.length), fate);
  }
  while (!open.empty()) close();
  return spans;
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
  unite(fate.links);
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
  for (const Family family : both_families) {
    auto& tables = routing.tables[index_of(family)];
    for (auto& [number, table] : tables) settle_table(routing, family, table);
    for (const Rule& rule : routing.rules) {
      const auto table = tables.find(rule.look_up.table);
      if (rule.family != family || table == tables.end()) continue;
      const auto [answers, is_new] = routing.answers[index_of(family)].try_emplace(rule.look_up);
      if (is_new) answers->second = answers_of(routing, rule.look_up, table->second);
    }
    tables.clear();
  }
}

}  // namespace icelock::net
