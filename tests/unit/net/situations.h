// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>
#include <span>
#include <string_view>
#include <vector>

// Networks that a kernel can make in an empty namespace, and what they mean. The process test
// builds each one and asks the kernel; the unit test replays what a kernel answered
// (recorded/<name>.hex).

namespace icelock::net::test {

struct Situation {
  std::string_view name;
  /// "tun NAME" and "tap NAME" make a device that the test holds open; "drop NAME" closes it again
  /// and leaves the device; the rest are arguments of ip(8).
  std::vector<std::string_view> steps;
  std::string_view expected;  ///< describe(classify(...))
};

inline void PrintTo(const Situation& situation, std::ostream* out) {
  *out << situation.name;
}

/// The laptop that the others start from: lo, and enp3s0 with IPv4 and IPv6 default routes.
inline const std::vector<std::string_view> laptop = {
    "link set lo up",
    "link add enp3s0 type veth peer name far0",
    "link set far0 up",
    "addr add 192.168.77.10/24 dev enp3s0",
    "addr add 2a0e:77:0:1::10/64 dev enp3s0 nodad",
    "link set enp3s0 up",
    "route add default via 192.168.77.1 dev enp3s0 proto dhcp metric 100",
    "-6 route add default via 2a0e:77:0:1::1 dev enp3s0 proto ra metric 100",
};

/// OpenVPN with redirect-gateway def1: half-default routes and a host route to its server.
inline const std::vector<std::string_view> openvpn_def1 = {
    "tun tun0",
    "addr add 10.8.0.2/24 dev tun0",
    "link set tun0 up",
    "route add 44.2.2.2/32 via 192.168.77.1",
    "route add 0.0.0.0/1 via 10.8.0.1",
    "route add 128.0.0.0/1 via 10.8.0.1",
};

inline const std::vector<std::string_view> openvpn_def1_ipv6 = {
    "addr add 2a0e:99:8::2/64 dev tun0 nodad", "-6 route add ::/3 dev tun0",
    "-6 route add 2000::/4 dev tun0",          "-6 route add 3000::/4 dev tun0",
    "-6 route add fc00::/7 dev tun0",
};

/// wg-quick with AllowedIPs 0.0.0.0/0.
inline const std::vector<std::string_view> wg_quick = {
    "tun wg0",
    "addr add 10.9.0.2/32 dev wg0",
    "link set wg0 up mtu 1420",
    "route add default dev wg0 table 51820",
    "rule add not fwmark 51820 table 51820",
    "rule add table main suppress_prefixlength 0",
};

inline std::vector<std::string_view> join(
    std::initializer_list<std::span<const std::string_view>> parts) {
  std::vector<std::string_view> result;
  for (const auto part : parts) result.insert(result.end(), part.begin(), part.end());
  return result;
}

inline std::vector<std::string_view> on_laptop(std::vector<std::string_view> more) {
  return join({laptop, more});
}

inline std::vector<Situation> situations() {
  return {
      {"offline", {"link set lo up"}, "ipv4 none | ipv6 none"},
      {"laptop", laptop, "ipv4 direct enp3s0 | ipv6 direct enp3s0"},
      {"openvpn_def1_ipv6_outside", join({laptop, openvpn_def1}),
       "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none"},
      {"openvpn_def1_both", join({laptop, openvpn_def1, openvpn_def1_ipv6}),
       "ipv4 tunnel tun0 | ipv6 tunnel tun0 | tun0 tun full full"},
      {"openvpn_without_def1",
       on_laptop({"tun tun0", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up",
                  "route add 44.2.2.2/32 via 192.168.77.1", "route del default",
                  "route add default via 10.8.0.1"}),
       "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none"},
      {"openvpn_split",
       on_laptop({"tun tun0", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up",
                  "route add 10.50.0.0/16 via 10.8.0.1"}),
       "ipv4 direct enp3s0 | ipv6 direct enp3s0 | tun0 tun split none"},
      {"half_default_only",
       on_laptop({"tun tun0", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up",
                  "route add 0.0.0.0/1 via 10.8.0.1"}),
       "ipv4 partial enp3s0 | ipv6 direct enp3s0 | tun0 tun split none"},
      {"ipv6_partial",
       on_laptop({"tun tun0", "addr add 2a0e:99:8::2/64 dev tun0 nodad", "link set tun0 up",
                  "-6 route add 2000::/6 dev tun0"}),
       "ipv4 direct enp3s0 | ipv6 partial enp3s0 | tun0 tun none split"},
      {"wg_quick_ipv6_outside", join({laptop, wg_quick}),
       "ipv4 tunnel wg0 | ipv6 direct enp3s0 | wg0 tun full none"},
      {"wg_quick_both",
       join({laptop, wg_quick,
             std::vector<std::string_view>{"addr add 2a0e:99:9::2/128 dev wg0 nodad",
                                           "-6 route add default dev wg0 table 51820",
                                           "-6 rule add not fwmark 51820 table 51820",
                                           "-6 rule add table main suppress_prefixlength 0"}}),
       "ipv4 tunnel wg0 | ipv6 tunnel wg0 | wg0 tun full full"},
      {"wg_quick_host_route",
       join({laptop, wg_quick,
             std::vector<std::string_view>{"route add 203.0.114.7/32 via 192.168.77.1"}}),
       "ipv4 tunnel wg0 (excluded 203.0.114.7/32 over enp3s0) | ipv6 direct enp3s0 | wg0 tun full "
       "none"},
      {"tables_without_default",
       on_laptop({"tun CloudflareWARP",
                  "addr add 172.16.0.2/32 dev CloudflareWARP",
                  "link set CloudflareWARP up",
                  "route add 0.0.0.0/5 dev CloudflareWARP table 65743",
                  "route add 8.0.0.0/7 dev CloudflareWARP table 65743",
                  "route add 11.0.0.0/8 dev CloudflareWARP table 65743",
                  "route add 12.0.0.0/6 dev CloudflareWARP table 65743",
                  "route add 16.0.0.0/4 dev CloudflareWARP table 65743",
                  "route add 32.0.0.0/3 dev CloudflareWARP table 65743",
                  "route add 64.0.0.0/2 dev CloudflareWARP table 65743",
                  "route add 128.0.0.0/3 dev CloudflareWARP table 65743",
                  "route add 160.0.0.0/5 dev CloudflareWARP table 65743",
                  "route add 168.0.0.0/6 dev CloudflareWARP table 65743",
                  "route add 172.0.0.0/12 dev CloudflareWARP table 65743",
                  "route add 172.32.0.0/11 dev CloudflareWARP table 65743",
                  "route add 172.64.0.0/10 dev CloudflareWARP table 65743",
                  "route add 172.128.0.0/9 dev CloudflareWARP table 65743",
                  "route add 173.0.0.0/8 dev CloudflareWARP table 65743",
                  "route add 174.0.0.0/7 dev CloudflareWARP table 65743",
                  "route add 176.0.0.0/4 dev CloudflareWARP table 65743",
                  "route add 192.0.0.0/9 dev CloudflareWARP table 65743",
                  "route add 192.128.0.0/11 dev CloudflareWARP table 65743",
                  "route add 192.160.0.0/13 dev CloudflareWARP table 65743",
                  "route add 192.169.0.0/16 dev CloudflareWARP table 65743",
                  "route add 192.170.0.0/15 dev CloudflareWARP table 65743",
                  "route add 192.172.0.0/14 dev CloudflareWARP table 65743",
                  "route add 192.176.0.0/12 dev CloudflareWARP table 65743",
                  "route add 192.192.0.0/10 dev CloudflareWARP table 65743",
                  "route add 193.0.0.0/8 dev CloudflareWARP table 65743",
                  "route add 194.0.0.0/7 dev CloudflareWARP table 65743",
                  "route add 196.0.0.0/6 dev CloudflareWARP table 65743",
                  "route add 200.0.0.0/5 dev CloudflareWARP table 65743",
                  "route add 208.0.0.0/4 dev CloudflareWARP table 65743",
                  "rule add not fwmark 0x100cf table 65743"}),
       "ipv4 tunnel CloudflareWARP | ipv6 direct enp3s0 | CloudflareWARP tun full none"},
      {"ipsec_table_220",
       on_laptop({"addr add 10.7.0.2/32 dev enp3s0", "rule add pref 220 table 220",
                  "route add throw 44.2.2.2/32 table 220",
                  "route add default via 192.168.77.1 dev enp3s0 src 10.7.0.2 table 220"}),
       "ipv4 ipsec enp3s0 | ipv6 direct enp3s0 | enp3s0 ipsec full none"},
      {"ipsec_rule_alone", on_laptop({"rule add pref 220 table 220"}),
       "ipv4 direct enp3s0 | ipv6 direct enp3s0"},
      {"unreachable",
       on_laptop({"route add unreachable 0.0.0.0/1", "route add unreachable 128.0.0.0/1",
                  "-6 route add prohibit 2000::/3"}),
       "ipv4 blocked | ipv6 blocked"},
      {"blackhole",
       on_laptop({"route add blackhole 0.0.0.0/1", "route add blackhole 128.0.0.0/1",
                  "-6 route add blackhole 2000::/3"}),
       "ipv4 blocked | ipv6 blocked"},
      {"half_blocked_half_tunnel",
       on_laptop({"tun tun0", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up",
                  "route add 0.0.0.0/1 via 10.8.0.1", "route add unreachable 128.0.0.0/1"}),
       "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none"},
      {"dead_tun", join({laptop, openvpn_def1, std::vector<std::string_view>{"drop tun0"}}),
       "ipv4 blocked tun0 | ipv6 direct enp3s0"},
      {"tun_without_process",
       on_laptop({"tun tun0", "addr add 10.8.0.2/24 dev tun0", "link set tun0 up", "drop tun0"}),
       "ipv4 direct enp3s0 | ipv6 direct enp3s0"},
      {"tap_tunnel",
       on_laptop({"tap tap0", "addr add 10.8.0.2/24 dev tap0", "link set tap0 up",
                  "route add 0.0.0.0/1 via 10.8.0.1", "route add 128.0.0.0/1 via 10.8.0.1",
                  "route add 44.2.2.2/32 via 192.168.77.1"}),
       "ipv4 tunnel tap0 | ipv6 direct enp3s0 | tap0 tun full none"},
      {"containers_and_hypervisors",
       on_laptop({"link add docker0 type bridge", "addr add 172.17.0.1/16 dev docker0",
                  "link set docker0 up", "link add veth1 type veth peer name inside1",
                  "link set veth1 master docker0 up", "link set inside1 up",
                  "link add virbr0 type bridge", "addr add 192.168.122.1/24 dev virbr0",
                  "link set virbr0 up", "tap vnet0", "link set vnet0 master virbr0 up"}),
       "ipv4 direct enp3s0 | ipv6 direct enp3s0"},
      {"excluded_block",
       join({laptop, openvpn_def1,
             std::vector<std::string_view>{"route add 203.0.114.0/24 via 192.168.77.1"}}),
       "ipv4 tunnel tun0 (excluded 203.0.114.0/24 over enp3s0) | ipv6 direct enp3s0 | tun0 tun "
       "full "
       "none"},
      {"two_host_routes",
       join({laptop, openvpn_def1,
             std::vector<std::string_view>{"route add 203.0.114.7/32 via 192.168.77.1"}}),
       "ipv4 tunnel tun0 (excluded 44.2.2.2/32, 203.0.114.7/32 over enp3s0) | ipv6 direct enp3s0 | "
       "tun0 tun full none"},
      {"private_route_beside",
       join({laptop, openvpn_def1,
             std::vector<std::string_view>{"route add 10.20.0.0/16 via 192.168.77.1"}}),
       "ipv4 tunnel tun0 | ipv6 direct enp3s0 | tun0 tun full none"},
      {"excluded_but_hidden_by_a_rule",
       on_laptop({"tun tailscale0", "addr add 100.64.1.2/32 dev tailscale0",
                  "link set tailscale0 up", "route add default dev tailscale0 table 52",
                  "route add throw 192.168.77.0/24 table 52", "rule add pref 5270 table 52",
                  "rule add pref 5210 fwmark 0x80000/0xff0000 table main",
                  "route add 203.0.114.0/24 via 192.168.77.1"}),
       "ipv4 tunnel tailscale0 (marked beside) | ipv6 direct enp3s0 | tailscale0 tun full none"},
      {"ipv6_server_route",
       join({laptop, openvpn_def1, openvpn_def1_ipv6,
             std::vector<std::string_view>{"-6 route add 2a0e:22::2/128 via 2a0e:77:0:1::1"}}),
       "ipv4 tunnel tun0 | ipv6 tunnel tun0 | tun0 tun full full"},
      {"ipv6_excluded_block",
       join({laptop, openvpn_def1, openvpn_def1_ipv6,
             std::vector<std::string_view>{"-6 route add 2a0e:22::/48 via 2a0e:77:0:1::1"}}),
       "ipv4 tunnel tun0 | ipv6 tunnel tun0 (excluded 2a0e:22::/48 over enp3s0) | tun0 tun full "
       "full"},
      {"multipath_excluded",
       join({laptop, openvpn_def1,
             std::vector<std::string_view>{
                 "route add 203.0.114.0/24 nexthop via 192.168.77.1 nexthop "
                 "via 192.168.77.2"}}),
       "ipv4 tunnel tun0 (excluded 203.0.114.0/24 over enp3s0) | ipv6 direct enp3s0 | tun0 tun "
       "full "
       "none"},
      {"nexthop_object_excluded",
       join({laptop, openvpn_def1,
             std::vector<std::string_view>{"nexthop add id 7 via 192.168.77.1 dev enp3s0",
                                           "route add 203.0.114.0/24 nhid 7"}}),
       "ipv4 tunnel tun0 (excluded 203.0.114.0/24 over enp3s0) | ipv6 direct enp3s0 | tun0 tun "
       "full "
       "none"},
  };
}

}  // namespace icelock::net::test
