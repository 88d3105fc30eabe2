// SPDX-License-Identifier: Apache-2.0
#include "net/ip.h"

#include <arpa/inet.h>

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
  return ip.family == base.family &&
         first_of(position(ip), prefix) == first_of(position(base), prefix);
}

bool is_public(const Ip& ip) {
  return value_at(public_space(ip.family), position(ip)) != not_public;
}

bool is_link_local(const Ip& ip) {
  return inside(ip, {Family::ipv4, {169, 254}}, 16) || inside(ip, {Family::ipv6, {0xfe, 0x80}}, 10);
}

bool is_loopback(const Ip& ip) {
  return inside(ip, {Family::ipv4, {127}}, 8) || ip == ip_at(Family::ipv6, {0, 1});
}

}  // namespace icelock::net
