// SPDX-License-Identifier: Apache-2.0
#include "net/ip.h"

#include <arpa/inet.h>

#include <algorithm>

#include "net/blocks.h"

namespace icelock::net {
std::string to_string(const Ip& ip) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ip.family == Family::ipv4 ? AF_INET : AF_INET6;
  return inet_ntop(family, ip.bytes.data(), text.data(), text.size()) ? text.data() : "";
}

std::string to_string(const Prefix& prefix) {
  return to_string(prefix.base) + "/" + std::to_string(prefix.length);
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

bool is_public(const Ip& ip) {
  return value_at(public_space(ip.family), position(ip)) != not_public;
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
