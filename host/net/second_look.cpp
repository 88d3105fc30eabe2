// SPDX-License-Identifier: Apache-2.0
#include "net/second_look.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

namespace icelock::net {
namespace {

constexpr std::size_t most_ways = 64;

/// The addresses that the kernel may give to packets of this fate.
std::vector<Ip> sources_of(const Fate& fate, const std::vector<Link>& links, Family family) {
  if (fate.links.empty()) return {};
  if (fate.source) return {*fate.source};
  std::vector<Ip> sources;
  const auto add_those_of = [&](const Link& link) {
    for (const Address& address : link.addresses) {
      if (address.global_scope && address.ip.family == family) sources.push_back(address.ip);
    }
  };
  for (const int index : fate.links) {
    const std::size_t before = sources.size();
    for (const Link& link : links) {
      if (link.index == index) add_those_of(link);
    }
    if (sources.size() > before) continue;
    // One without an address borrows another's (inet_select_addr).
    for (const Link& link : links) add_those_of(link);
  }
  return sources;
}

}  // namespace

std::optional<std::vector<Way>> second_look(Routing& routing, const std::vector<Link>& links,
                                            const Packets& packets, const Way& first) {
  constexpr std::uint16_t open = 0;  // not looked at again yet; no end of a first look
  std::map<Ip, std::set<std::uint16_t>> fates_by_source;
  Spans start;
  for (const Span& span : *first.to) {
    const auto sources = sources_of(routing.fates[span.value], links, packets.family);
    for (const Ip& source : sources) fates_by_source[source].insert(span.value);
    append(start, span.first, sources.empty() ? span.value : open);
  }
  std::vector<Way> ways = {{first.traffic, std::make_shared<Spans>(std::move(start))}};
  for (const auto& [source, fates] : fates_by_source) {
    std::vector<Way> split;
    for (const Way& way : ways) {
      Packets bound = packets;
      bound.traffic = way.traffic;
      bound.from = source;
      const auto again = ways_of(routing, bound);
      if (!again || split.size() > most_ways) return std::nullopt;
      for (const Way& one : *again) {
        const Spans mine =
            combine(*first.to, *one.to, [&](std::uint16_t before, std::uint16_t now) {
              return fates.contains(before) ? now : open;
            });
        const auto merge = [&](std::uint16_t old, std::uint16_t now) {
          if (old == open || now == open) return std::max(old, now);
          return either(routing, old, now);
        };
        split.push_back({one.traffic, std::make_shared<Spans>(combine(*way.to, mine, merge))});
      }
    }
    ways = std::move(split);
  }
  return ways;
}

}  // namespace icelock::net
