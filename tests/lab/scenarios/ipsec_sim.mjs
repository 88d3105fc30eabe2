// SPDX-License-Identifier: Apache-2.0
// The footprint that strongSwan leaves on a client with ESP in the kernel, without encryption: a virtual IP on the
// card, table 220 and a policy. The router plays the gateway.
export default {
  about: 'policy IPsec as the kernel shows it, without encryption',
  kind: 'ipsec',
  up: [
    ['client', 'ip address add 10.7.0.2/32 dev enp3s0'],
    ['client', 'ip rule add priority 220 from all lookup 220'],
    ['client', 'ip route add default via 192.168.77.1 src 10.7.0.2 proto static table 220'],
    ['client', 'ip xfrm policy add src 10.7.0.2/32 dst 203.0.113.0/24 dir out ' +
      'tmpl src 192.168.77.10 dst 44.1.1.77 proto esp mode tunnel'],
    ['router', 'ip address add 44.1.1.77/24 dev wan0'],
    ['router', 'ip route add 10.7.0.2/32 dev lan0'],
    ['router', 'nft insert rule ip nat post ip saddr 10.7.0.2 oifname wan0 snat to 44.1.1.77'],
  ],
  down: [
    ['client', 'ip rule del priority 220'],
    ['client', 'ip route flush table 220'],
    ['client', 'ip xfrm policy flush'],
    ['client', 'ip address del 10.7.0.2/32 dev enp3s0'],
    ['router', 'ip route del 10.7.0.2/32 dev lan0'],
    ['router', 'ip address del 44.1.1.77/24 dev wan0'],
  ],
  seen: {ipv4: 'VPNv4', ipv6: null},
};
