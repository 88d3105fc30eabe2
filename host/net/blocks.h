// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "net/ip.h"

// Which part of a family's address space something holds for, as a map of the whole space: pure,
// portable, and linear in the number of blocks.

namespace icelock::net {

/// An address of either family as a 128-bit number; those of IPv4 are its upper 32 bits, so that a
/// block has the same prefix length here as everywhere, and covers all numbers that begin so.
struct Position {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const Position&) const = default;
};

inline constexpr Position last_position{~0ULL, ~0ULL};

Position position(const Ip& ip);
Ip ip_at(Family family, const Position& at);
/// Of the next number; the last one's is 0.
Position after(const Position& at);
Position before(const Position& at);
/// The first and the last number of the block of this length around `at`.
Position first_of(const Position& at, int length);
Position last_of(const Position& at, int length);
Position last_of(const Prefix& block);

/// From `first` on, up to the next span.
struct Span {
  Position first;
  std::uint16_t value = 0;

  auto operator<=>(const Span&) const = default;
};

/// A value for every address: sorted, the first span begins at 0, neighbours differ.
using Spans = std::vector<Span>;

/// The same, shared by all copies: a map can be large.
using SharedSpans = std::shared_ptr<const Spans>;

/// Appends; joins with the last one if it has the same value.
inline void append(Spans& spans, const Position& first, std::uint16_t value) {
  if (!spans.empty() && spans.back().first == first) {
    spans.back().value = value;
    if (spans.size() > 1 && spans[spans.size() - 2].value == value) spans.pop_back();
  } else if (spans.empty() || spans.back().value != value) {
    spans.push_back({first, value});
  }
}

/// Which span an address is in, and where that one ends.
std::size_t index_at(const Spans& spans, const Position& at);
Position last_of(const Spans& spans, std::size_t index);
/// The value at one address.
std::uint16_t value_at(const Spans& spans, const Position& at);

/// value(a, b) for every address from `first` to `last`.
template <class Value>
Spans combine(const Spans& a, const Spans& b, const Value& value, const Position& first = {},
              const Position& last = last_position) {
  std::size_t i = index_at(a, first);
  std::size_t j = index_at(b, first);
  const std::size_t a_end = index_at(a, last);
  const std::size_t b_end = index_at(b, last);
  Spans result;
  result.reserve(a_end - i + b_end - j + 1);
  append(result, first, value(a[i].value, b[j].value));
  while (i < a_end || j < b_end) {
    const bool step_a = j == b_end || (i < a_end && a[i + 1].first <= b[j + 1].first);
    const bool step_b = i == a_end || (j < b_end && b[j + 1].first <= a[i + 1].first);
    i += step_a ? 1 : 0;
    j += step_b ? 1 : 0;
    append(result, step_a ? a[i].first : b[j].first, value(a[i].value, b[j].value));
  }
  return result;
}

/// Puts `part`, which ends with `last`, in the place of what `spans` has there.
void overwrite(Spans& spans, Spans part, const Position& last);

template <class Value>
Spans map(const Spans& spans, const Value& value) {
  Spans result;
  result.reserve(spans.size());
  for (const Span& span : spans) append(result, span.first, value(span.value));
  return result;
}

/// How much of the family's public space has each value below `values`, as a share of it; for IPv6
/// of 2000::/3.
std::vector<double> shares(const Spans& spans, Family family, std::size_t values);

/// What the public internet routes: 1 for public, 0 for the rest, 2 for the block of NAT64 that
/// stands for public IPv4 (64:ff9b::/96, RFC 6052). Public is what IANA's special-purpose
/// registries (RFC 6890 and its updates) and those of multicast do not take out; of IPv6 only
/// 2000::/3 is assigned as global unicast.
const Spans& public_space(Family family);
inline constexpr std::uint16_t not_public = 0;
inline constexpr std::uint16_t is_public_space = 1;
inline constexpr std::uint16_t is_nat64_space = 2;

/// A shortest list of blocks that holds every address of value 1 and none of value 0; what has the
/// value 2 may be in or not. In the order of the addresses.
std::vector<Prefix> cover(const Spans& spans, Family family);

}  // namespace icelock::net
