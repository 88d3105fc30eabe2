// SPDX-License-Identifier: Apache-2.0
#include "net/ip.h"

#include <arpa/inet.h>

#include <algorithm>

namespace icelock::net {
namespace {

struct Block {
  std::string_view base;
  int prefix;
};

// IANA special-purpose registries; multicast by RFC 5771 and RFC 4291.
constexpr Block not_public[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},    {"100.64.0.0", 10},  {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12}, {"192.168.0.0", 16}, {"224.0.0.0", 4},
    {"240.0.0.0", 4},    {"::", 128},        {"::1", 128},        {"fc00::", 7},
    {"fe80::", 10},      {"fec0::", 10},     {"ff00::", 8},
};

struct ParsedBlock {
  Ip base;
  int prefix = 0;
};

const auto& blocks() {
  static const auto parsed = [] {
    std::array<ParsedBlock, std::size(not_public)> result{};
    std::transform(std::begin(not_public), std::end(not_public), result.begin(),
                   [](const Block& block) {
                     return ParsedBlock{parse_ip(block.base).value_or(Ip{}), block.prefix};
                   });
    return result;
  }();
  return parsed;
}

}  // namespace

std::string to_string(const Ip& ip) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ip.family == Family::ipv4 ? AF_INET : AF_INET6;
  return inet_ntop(family, ip.bytes.data(), text.data(), text.size()) ? text.data() : "";
}

std::optional<Ip> parse_ip(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  Ip ip;
  ip.family = text.find(':') == std::string_view::npos ? Family::ipv4 : Family::ipv6;
  const int family = ip.family == Family::ipv4 ? AF_INET : AF_INET6;
  if (inet_pton(family, terminated.c_str(), ip.bytes.data()) != 1) return std::nullopt;
  return ip;
}

bool inside(const Ip& ip, const Ip& base, int prefix) {
  if (ip.family != base.family) return false;
  const auto whole = static_cast<std::ptrdiff_t>(prefix / 8);
  if (!std::equal(ip.bytes.begin(), ip.bytes.begin() + whole, base.bytes.begin())) return false;
  if (prefix % 8 == 0) return true;
  const unsigned mask = 0xff00U >> (prefix % 8);
  const auto at = static_cast<std::size_t>(whole);
  return ((ip.bytes[at] ^ base.bytes[at]) & mask & 0xffU) == 0;
}

bool holds_public(const Ip& ip, int prefix) {
  return std::ranges::none_of(blocks(), [&](const ParsedBlock& block) {
    return block.prefix <= prefix && inside(ip, block.base, block.prefix);
  });
}

bool is_public(const Ip& ip) {
  return holds_public(ip, bits(ip.family));
}

bool is_link_local(const Ip& ip) {
  return ip.family == Family::ipv4 ? ip.bytes[0] == 169 && ip.bytes[1] == 254
                                   : ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
}

bool is_loopback(const Ip& ip) {
  if (ip.family == Family::ipv4) return ip.bytes[0] == 127;
  Ip one{Family::ipv6, {}};
  one.bytes[15] = 1;
  return ip == one;
}

}  // namespace icelock::net
