// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/rtnetlink.h>

#include <string>

#include "fake_kernel.h"

// Networks to begin with, for tests that need other links than a plain kernel has.

namespace icelock::net::test {

inline constexpr std::uint16_t no_hardware = 0xFFFE;
inline constexpr std::uint16_t ppp_hardware = 512;
inline constexpr unsigned up = 0x1 | 0x40;

/// A card enp3s0 (2) with IPv4 and IPv6, as a laptop has it.
struct Laptop : FakeKernel {
  Laptop() {
    links.push_back({.index = 2, .name = "enp3s0", .parent_device = "0000:03:00.0"});
    addresses.push_back({.link = 2, .ip = "192.168.77.10", .prefix = 24});
    addresses.push_back({.link = 2, .ip = "2a0e:77:0:1::10", .prefix = 64});
    addresses.push_back({.link = 2, .ip = "fe80::10", .prefix = 64, .scope = 253});
    routes.push_back({.destination = "0.0.0.0/0", .link = 2, .gateway = "192.168.77.1"});
    routes.push_back({.destination = "192.168.77.0/24", .link = 2, .protocol = RTPROT_KERNEL});
    routes.push_back(
        {.destination = "::/0", .link = 2, .gateway = "fe80::1", .protocol = RTPROT_RA});
    routes.push_back({.destination = "2a0e:77:0:1::/64", .link = 2, .protocol = RTPROT_RA});
  }

  void add_tunnel(int index, const std::string& name, const std::string& kind,
                  std::uint16_t hardware, const std::string& address) {
    links.push_back({.index = index,
                     .name = name,
                     .kind = kind,
                     .hardware = hardware,
                     .flags = up | 0x10,
                     .tun_type = kind == "tun" ? 1 : 0});
    const bool is_ipv6 = address.find(':') != std::string::npos;
    addresses.push_back({.link = index, .ip = address, .prefix = is_ipv6 ? 128 : 32});
  }

  void add_def1(int index) {
    add(RouteSpec{.destination = "0.0.0.0/1", .link = index});
    add(RouteSpec{.destination = "128.0.0.0/1", .link = index});
  }

  /// A route of the main table by the card's router.
  void add_beside(const std::string& destination) {
    const bool ipv6 = destination.contains(':');
    add(RouteSpec{
        .destination = destination, .link = 2, .gateway = ipv6 ? "fe80::1" : "192.168.77.1"});
  }

  /// For which addresses the kernel is asked, of those that go by this link.
  std::vector<std::string> asked(Family family, int link = 0) {
    std::vector<std::string> result;
    const Snapshot taken = snapshot().value();
    for (const Part& part : taken.parts) {
      for (const Check& check : part.checks) {
        if (link != 0 && check.answer.link != link) continue;
        if (part.family == family) result.push_back(to_string(check.question.destination));
      }
    }
    return result;
  }
};

/// OpenVPN for IPv4 beside native IPv6.
struct FullTunnel : Laptop {
  FullTunnel() {
    add_tunnel(50, "tun0", "tun", no_hardware, "10.8.0.2");
    add_def1(50);
  }

  void add_blocks(int link) {
    for (int i = 0; i < 2000; ++i) {
      const std::string base = "45." + std::to_string(i / 250) + "." + std::to_string(i % 250);
      routes.push_back({.destination = base + ".0/24", .link = link, .gateway = "192.168.77.1"});
    }
  }
};

}  // namespace icelock::net::test
