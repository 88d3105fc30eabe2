// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "net/ip.h"

namespace icelock::net::netlink {

/// None for the families that are not of interest here.
inline std::optional<Family> family_of(std::uint8_t family) {
  if (family == AF_INET) return Family::ipv4;
  if (family == AF_INET6) return Family::ipv6;
  return std::nullopt;
}

/// The attributes of one message, nest or hop, by type. Points into the message, which must outlive
/// it, as must `bad`: that is set when the bytes are no row of attributes, and by a getter of one
/// that is there with a wrong length, which then returns "none".
class Attributes {
 public:
  Attributes(const void* start, std::size_t length, bool& bad) : bad_(bad) {
    const auto* attribute = static_cast<const nlattr*>(start);
    auto left = static_cast<int>(length);
    while (mnl_attr_ok(attribute, left)) {
      const std::uint16_t type = mnl_attr_get_type(attribute);
      if (type < at_.size()) at_[type] = attribute;
      if (type > highest_) highest_ = type;
      left -= MNL_ALIGN(attribute->nla_len);
      if (left <= 0) break;
      attribute = mnl_attr_next(attribute);
    }
    if (left > 0) bad_ = true;
  }

  bool has(std::size_t type) const { return at_[type] != nullptr; }
  std::uint16_t highest() const { return highest_; }

  std::optional<std::uint8_t> u8(std::size_t type) const { return number<std::uint8_t>(type); }
  std::optional<std::uint16_t> u16(std::size_t type) const { return number<std::uint16_t>(type); }
  std::optional<std::uint32_t> u32(std::size_t type) const { return number<std::uint32_t>(type); }

  /// The bytes behind `offset`, of which there must be so many.
  template <class Value>
  std::optional<Value> number(std::size_t type, std::size_t offset = 0) const {
    if (!has(type)) return std::nullopt;
    Value value{};
    const bool fits = length(type) == offset + sizeof value;
    if (fits)
      std::memcpy(&value, static_cast<const std::byte*>(payload(type)) + offset, sizeof value);
    if (!fits) bad_ = true;
    return fits ? std::optional(value) : std::nullopt;
  }

  std::optional<std::string_view> text(std::size_t type) const {
    if (!at_[type]) return std::nullopt;
    const std::string_view whole(static_cast<const char*>(payload(type)), length(type));
    return whole.substr(0, whole.find('\0'));
  }

  std::optional<Ip> ip(std::size_t type, Family family, std::size_t offset = 0) const {
    using Bytes = decltype(Ip::bytes);
    if (family == Family::ipv6) {
      const auto bytes = number<Bytes>(type, offset);
      return bytes ? std::optional(Ip{family, *bytes}) : std::nullopt;
    }
    const auto word = number<std::uint32_t>(type, offset);
    if (!word) return std::nullopt;
    return Ip{family, std::bit_cast<Bytes>(std::array<std::uint32_t, 4>{*word})};
  }

  /// The attributes inside one; an empty set when it is not there.
  Attributes nest(std::size_t type) const {
    return at_[type] ? row(payload(type), length(type)) : row(nullptr, 0);
  }
  /// Others of the same message.
  Attributes row(const void* start, std::size_t length) const { return {start, length, bad_}; }

  /// Of one that is there.
  const void* payload(std::size_t type) const { return mnl_attr_get_payload(at_[type]); }
  std::size_t length(std::size_t type) const { return mnl_attr_get_payload_len(at_[type]); }

 private:
  std::array<const nlattr*, 64> at_{};
  std::uint16_t highest_ = 0;
  bool& bad_;
};

/// The fixed header of a message that mnl_nlmsg_ok() accepted; nullptr when it is too short.
template <class Header>
const Header* fixed_header(const nlmsghdr& message) {
  return mnl_nlmsg_get_payload_len(&message) >= MNL_ALIGN(sizeof(Header))
             ? static_cast<const Header*>(mnl_nlmsg_get_payload(&message))
             : nullptr;
}

/// Those behind a fixed header, which is there.
template <class Header>
Attributes attributes_after(const nlmsghdr& message, bool& bad) {
  return {mnl_nlmsg_get_payload_offset(&message, sizeof(Header)),
          mnl_nlmsg_get_payload_len(&message) - MNL_ALIGN(sizeof(Header)), bad};
}

}  // namespace icelock::net::netlink
