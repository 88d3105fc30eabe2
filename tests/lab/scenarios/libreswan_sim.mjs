// SPDX-License-Identifier: Apache-2.0
// The footprint that Libreswan leaves on a client with ESP in the kernel, without encryption: the virtual IP on lo, and
// half-default routes from it in the main table. The router plays the gateway.
export default {
  about: 'policy IPsec as Libreswan shows it (half-default routes in the main table), without encryption',
  kind: 'ipsec',
  up: [
    ['client', 'ip address add 10.7.0.2/32 dev lo'],
    ['client', 'ip route add 0.0.0.0/1 via 192.168.77.1 dev enp3s0 src 10.7.0.2'],
    ['client', 'ip route add 128.0.0.0/1 via 192.168.77.1 dev enp3s0 src 10.7.0.2'],
    ['router', 'ip address add 44.1.1.77/24 dev wan0'],
    ['router', 'ip route add 10.7.0.2/32 dev lan0'],
    ['router', 'nft insert rule ip nat post ip saddr 10.7.0.2 oifname wan0 snat to 44.1.1.77'],
  ],
  down: [
    ['client', 'ip route del 0.0.0.0/1'],
    ['client', 'ip route del 128.0.0.0/1'],
    ['client', 'ip address del 10.7.0.2/32 dev lo'],
    ['router', 'ip route del 10.7.0.2/32 dev lan0'],
    ['router', 'ip address del 44.1.1.77/24 dev wan0'],
  ],
  seen: {ipv4: 'VPNv4', ipv6: null},
};
