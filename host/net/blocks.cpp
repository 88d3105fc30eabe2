// SPDX-License-Identifier: Apache-2.0
#include "net/blocks.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <span>
#include <string_view>

namespace icelock::net {
namespace {

/// The bits behind a prefix, all set.
Position host_bits(int length) {
  if (length <= 0) return last_position;
  if (length >= 128) return {0, 0};
  if (length == 64) return {0, ~0ULL};
  return length < 64 ? Position{~0ULL >> length, ~0ULL} : Position{0, ~0ULL >> (length - 64)};
}

struct Row {
  std::string_view base;
  std::uint8_t length;
  std::uint16_t value;
};

// Later rows overrule earlier ones. IANA, IPv4 and IPv6 Special-Purpose Address Registries: what is
// "globally reachable: false" or "N/A"; multicast by RFC 5771 and RFC 4291. Blocks for protocols
// (192.0.0.0/24, 2001::/23) are out as a whole: their few reachable parts are anycast services.
constexpr Row ipv4_rows[] = {
    {"0.0.0.0", 0, 1},       {"0.0.0.0", 8, 0},      {"10.0.0.0", 8, 0},     {"100.64.0.0", 10, 0},
    {"127.0.0.0", 8, 0},     {"169.254.0.0", 16, 0}, {"172.16.0.0", 12, 0},  {"192.0.0.0", 24, 0},
    {"192.0.2.0", 24, 0},    {"192.88.99.0", 24, 0}, {"192.168.0.0", 16, 0}, {"198.18.0.0", 15, 0},
    {"198.51.100.0", 24, 0}, {"203.0.113.0", 24, 0}, {"224.0.0.0", 3, 0},
};
constexpr Row ipv6_rows[] = {{"2000::", 3, 1},
                             {"2001::", 23, 0},
                             {"2001:db8::", 32, 0},
                             {"2002::", 16, 0},
                             {"3fff::", 20, 0}};

Spans spans_of(std::span<const Row> rows) {
  Spans result{{{}, 0}};
  for (const Row& row : rows) {
    const Position first = position(parse_ip(row.base).value_or(Ip{}));
    overwrite(result, {{first, row.value}}, last_of(first, row.length));
  }
  return result;
}

/// The IPv4 map at 64:ff9b::/96, in what is no public space of IPv6.
Spans with_nat64(Spans ipv6, const Spans& ipv4) {
  const Position base = position(parse_ip("64:ff9b::").value_or(Ip{}));
  Spans nat64;
  for (const Span& span : ipv4) {
    append(nat64, {base.high, base.low | (span.first.high >> 32U)},
           span.value == 1 ? is_nat64_space : not_public);
  }
  overwrite(ipv6, nat64, last_of(base, 96));
  return ipv6;
}

/// How many addresses, of numbers as large as IPv4's or of IPv6's /64 blocks.
double size_of(const Position& first, const Position& last) {
  return static_cast<double>(last.high - first.high) * 0x1p-32 +
         (static_cast<double>(last.low) - static_cast<double>(first.low)) * 0x1p-96;
}

/// The longest prefix that `a` and `b` share.
int common_length(const Position& a, const Position& b) {
  if (a.high != b.high) return std::countl_zero(a.high ^ b.high);
  return a.low == b.low ? 128 : 64 + std::countl_zero(a.low ^ b.low);
}

/// Covers what has the value 1 of the spans from `at` to `end` by blocks inside low..high.
void cover_run(std::vector<Prefix>& blocks, Family family, const Spans& spans, std::size_t at,
               std::size_t end, const Position& low, const Position& high) {
  const int longest = bits(family);
  Position first = spans[at].first;
  while (true) {
    int length = common_length(low, high);
    while (length < longest && (first_of(first, length) < low || last_of(first, length) > high)) {
      ++length;
    }
    const Position done = last_of(first, length);
    for (std::size_t next = at; next <= end && spans[next].first <= done; ++next) {
      if (spans[next].value == 1) at = next;
    }
    const Position last = std::min(done, last_of(spans, at));
    // No wider than what is in it.
    length = std::max(length, std::min(longest, common_length(first, last)));
    blocks.push_back({ip_at(family, first_of(first, length)), static_cast<std::uint8_t>(length)});
    if (last_of(spans, at) > done) {
      first = after(done);
      continue;
    }
    for (++at; at <= end && spans[at].value != 1;) ++at;
    if (at > end) return;
    first = spans[at].first;
  }
}

}  // namespace

Position position(const Ip& ip) {
  Position at;
  for (std::size_t i = 0; i < 8; ++i) {
    at.high = at.high << 8U | ip.bytes[i];
    at.low = at.low << 8U | ip.bytes[i + 8];
  }
  return at;
}

Ip ip_at(Family family, const Position& at) {
  Ip ip{family, {}};
  const std::size_t size = family == Family::ipv4 ? 4 : 16;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t half = i < 8 ? at.high : at.low;
    ip.bytes[i] = static_cast<std::uint8_t>(half >> (56 - 8 * (i % 8)));
  }
  return ip;
}

Position after(const Position& at) {
  const std::uint64_t low = at.low + 1;
  return {at.high + (low == 0 ? 1 : 0), low};
}

Position before(const Position& at) {
  return {at.high - (at.low == 0 ? 1 : 0), at.low - 1};
}

Position first_of(const Position& at, int length) {
  const Position mask = host_bits(length);
  return {at.high & ~mask.high, at.low & ~mask.low};
}

Position last_of(const Position& at, int length) {
  const Position mask = host_bits(length);
  return {at.high | mask.high, at.low | mask.low};
}

Position last_of(const Prefix& block) {
  return last_of(position(block.base), block.length);
}

std::size_t index_at(const Spans& spans, const Position& at) {
  const auto next = std::ranges::upper_bound(spans, at, {}, &Span::first);
  return static_cast<std::size_t>(next - spans.begin()) - 1;
}

Position last_of(const Spans& spans, std::size_t index) {
  return index + 1 < spans.size() ? before(spans[index + 1].first) : last_position;
}

std::uint16_t value_at(const Spans& spans, const Position& at) {
  return spans[index_at(spans, at)].value;
}

void overwrite(Spans& spans, Spans part, const Position& last) {
  if (part.front().first == Position{} && last == last_position) {
    spans = std::move(part);
    return;
  }
  auto end = spans.end();
  if (last != last_position) {
    append(part, after(last), value_at(spans, after(last)));
    end = std::ranges::upper_bound(spans, after(last), {}, &Span::first);
  }
  const auto begin = std::ranges::lower_bound(spans, part.front().first, {}, &Span::first);
  const bool joins = begin != spans.begin() && std::prev(begin)->value == part.front().value;
  const auto first = part.begin() + (joins ? 1 : 0);
  const auto kept = std::min(end - begin, part.end() - first);
  const auto rest = std::copy_n(first, kept, begin);
  if (rest == end) {
    spans.insert(rest, first + kept, part.end());
  } else {
    spans.erase(rest, end);
  }
}

std::vector<double> shares(const Spans& spans, Family family, std::size_t values) {
  const Spans& space = public_space(family);
  std::vector<double> sizes(values);
  double all = 0;
  for (std::size_t i = 0, j = 0; i < spans.size() && j < space.size();) {
    const Position mine = last_of(spans, i);
    const Position theirs = last_of(space, j);
    if (space[j].value == is_public_space) {
      const double size = size_of(std::max(spans[i].first, space[j].first), std::min(mine, theirs));
      if (spans[i].value < values) sizes[spans[i].value] += size;
      all += size;
    }
    i += mine <= theirs ? 1 : 0;
    j += theirs <= mine ? 1 : 0;
  }
  for (double& size : sizes) size /= all;
  return sizes;
}

const Spans& public_space(Family family) {
  static const Spans ipv4 = spans_of(ipv4_rows);
  static const Spans ipv6 = with_nat64(spans_of(ipv6_rows), ipv4);
  return family == Family::ipv4 ? ipv4 : ipv6;
}

std::vector<Prefix> cover(const Spans& spans, Family family) {
  std::vector<Prefix> blocks;
  for (std::size_t i = 0; i < spans.size();) {
    if (spans[i].value != 1) {
      ++i;
      continue;
    }
    std::size_t end = i;  // the last span of value 1 before one of value 0
    std::size_t next = i;
    for (; next < spans.size() && spans[next].value != 0; ++next) {
      if (spans[next].value == 1) end = next;
    }
    const Position low = i > 0 && spans[i - 1].value == 2 ? spans[i - 1].first : spans[i].first;
    cover_run(blocks, family, spans, i, end, low, last_of(spans, next - 1));
    i = next;
  }
  return blocks;
}

}  // namespace icelock::net
