// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "net/ip.h"

namespace icelock::net::netlink {

/// None for the families that are not of interest here.
inline std::optional<Family> family_of(std::uint8_t family) {
  if (family == AF_INET) return Family::ipv4;
  if (family == AF_INET6) return Family::ipv6;
  return std::nullopt;
}

/// The attributes of one message or nest, by type below `size`. Points into the message. A getter
/// of an attribute that is there with a wrong length returns "none" and marks the whole set bad.
template <std::size_t size>
class Attributes {
 public:
  Attributes(const void* start, std::size_t length) {
    const auto* attribute = static_cast<const nlattr*>(start);
    auto left = static_cast<int>(length);
    while (mnl_attr_ok(attribute, left)) {
      const std::uint16_t type = mnl_attr_get_type(attribute);
      if (type < size) {
        at_[type] = attribute;
      } else {
        beyond_ = true;
      }
      left -= MNL_ALIGN(attribute->nla_len);
      if (left <= 0) break;
      attribute = mnl_attr_next(attribute);
    }
    bad_ = left > 0;
  }

  /// After a fixed header of type Header in a message that mnl_nlmsg_ok() accepted and that holds
  /// one.
  template <class Header>
  static Attributes after(const nlmsghdr& message) {
    return Attributes(mnl_nlmsg_get_payload_offset(&message, sizeof(Header)),
                      mnl_nlmsg_get_payload_len(&message) - MNL_ALIGN(sizeof(Header)));
  }

  bool bad() const { return bad_; }
  bool has(std::size_t type) const { return at_[type] != nullptr; }

  std::optional<std::uint8_t> u8(std::size_t type) { return number<std::uint8_t>(type); }
  std::optional<std::uint32_t> u32(std::size_t type) { return number<std::uint32_t>(type); }

  template <class Value>
  std::optional<Value> number(std::size_t type) {
    if (!at_[type]) return std::nullopt;
    if (mnl_attr_get_payload_len(at_[type]) != sizeof(Value)) return spoil();
    Value value{};
    std::memcpy(&value, mnl_attr_get_payload(at_[type]), sizeof value);
    return value;
  }

  std::optional<std::string_view> text(std::size_t type) {
    if (!at_[type]) return std::nullopt;
    const std::string_view whole(static_cast<const char*>(mnl_attr_get_payload(at_[type])),
                                 mnl_attr_get_payload_len(at_[type]));
    return whole.substr(0, whole.find('\0'));
  }

  std::optional<Ip> ip(std::size_t type, Family family) {
    if (!at_[type]) return std::nullopt;
    const std::size_t wanted = family == Family::ipv4 ? 4 : 16;
    if (mnl_attr_get_payload_len(at_[type]) != wanted) return spoil();
    Ip ip{family, {}};
    std::memcpy(ip.bytes.data(), mnl_attr_get_payload(at_[type]), wanted);
    return ip;
  }

  /// The attributes inside a nest; an empty set when it is not there.
  template <std::size_t inner>
  Attributes<inner> nest(std::size_t type) {
    if (!at_[type]) return Attributes<inner>(nullptr, 0);
    Attributes<inner> result(mnl_attr_get_payload(at_[type]), mnl_attr_get_payload_len(at_[type]));
    bad_ = bad_ || result.bad();
    return result;
  }

  const nlattr* raw(std::size_t type) const { return at_[type]; }

  /// Of a route or a hop; one of the other family is told by RTA_VIA (RFC 5549).
  std::optional<Ip> gateway(Family family) {
    if (!has(RTA_VIA)) return ip(RTA_GATEWAY, family);
    constexpr std::size_t family_bytes = 2;
    const auto* via = static_cast<const std::byte*>(mnl_attr_get_payload(at_[RTA_VIA]));
    const std::size_t length = mnl_attr_get_payload_len(at_[RTA_VIA]);
    if (length != family_bytes + 4 && length != family_bytes + 16) return spoil();
    Ip result{length == family_bytes + 4 ? Family::ipv4 : Family::ipv6, {}};
    std::memcpy(result.bytes.data(), via + family_bytes, length - family_bytes);
    return result;
  }

  /// Whether there are attributes of types that do not fit in here.
  bool beyond() const { return beyond_; }
  /// Whether all that are there are among these.
  bool only(std::span<const std::uint16_t> types) const {
    for (std::size_t type = 1; type < size; ++type) {
      if (at_[type] && std::ranges::find(types, type) == types.end()) return false;
    }
    return true;
  }

 private:
  std::nullopt_t spoil() {
    bad_ = true;
    return std::nullopt;
  }

  std::array<const nlattr*, size> at_{};
  bool bad_ = false;
  bool beyond_ = false;
};

template <class Header>
const Header* fixed_header(const nlmsghdr& message) {
  return mnl_nlmsg_get_payload_len(&message) >= MNL_ALIGN(sizeof(Header))
             ? static_cast<const Header*>(mnl_nlmsg_get_payload(&message))
             : nullptr;
}

}  // namespace icelock::net::netlink
