// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace icelock::net {

enum class Family : std::uint8_t { ipv4, ipv6 };

/// One numeric IP address, network byte order, IPv4 in the first four bytes and the rest zero. No
/// scope id.
struct Ip {
  Family family = Family::ipv4;
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Ip&) const = default;
};

/// A block of addresses, base/length.
struct Prefix {
  Ip base;
  std::uint8_t length = 0;

  auto operator<=>(const Prefix&) const = default;
};

inline constexpr Family both_families[] = {Family::ipv4, Family::ipv6};

constexpr std::size_t index_of(Family family) {
  return family == Family::ipv4 ? 0 : 1;
}

/// 32 or 128.
constexpr int bits(Family family) {
  return family == Family::ipv4 ? 32 : 128;
}

std::string to_string(const Ip& ip);
/// "192.0.2.0/24"
std::string to_string(const Prefix& prefix);
std::optional<Ip> parse_ip(std::string_view text);

/// Whether the first `prefix` bits are those of `base`, of the same family.
bool inside(const Ip& ip, const Ip& base, int prefix);

/// True for an address that the public internet routes: see net/blocks.h, public_space().
bool is_public(const Ip& ip);
bool is_link_local(const Ip& ip);
bool is_loopback(const Ip& ip);

}  // namespace icelock::net
