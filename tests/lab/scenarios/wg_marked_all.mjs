// SPDX-License-Identifier: Apache-2.0
// As scripts do that steer with netfilter alone: all that the machine sends is marked, the routes say nothing of it. The
// card's address is translated on the way in, since it was chosen before the mark led elsewhere.
export default {
  about: 'WireGuard into which a mark leads, set for everything: the routes show the way past it',
  kind: 'by_rule',
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: ['0.0.0.0/0'], table: 'off'}],
  on_top: [
    ['client', 'nft add table ip marks'],
    ['client', 'nft add chain ip marks out { type route hook output priority 0 ; }'],
    ['client', 'nft add rule ip marks out ip daddr != { 44.2.2.2, 127.0.0.0/8, 192.168.0.0/16 } meta mark set 1'],
    ['client', 'nft add chain ip marks post { type nat hook postrouting priority 100 ; }'],
    ['client', 'nft add rule ip marks post oifname wg0 masquerade'],
    ['client', 'ip route add default dev wg0 table 200'],
    ['client', 'ip rule add pref 100 fwmark 1 lookup 200'],
  ],
  down: [
    ['client', 'ip rule del pref 100'],
    ['client', 'nft delete table ip marks'],
  ],
  unseen: 'all',
  level: 'default_route_only',
  seen: {ipv4: 'VPNv4', ipv6: null},
};
