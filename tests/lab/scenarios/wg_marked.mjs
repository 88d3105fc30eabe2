// SPDX-License-Identifier: Apache-2.0
// Per-program clients mark the programs' packets by netfilter, which cannot be read without privileges. The browser is
// not among those programs here.
export default {
  about: 'WireGuard into which a mark leads, set for another user only; the browser goes past it',
  kind: 'by_rule',
  ipv6: true,
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: ['0.0.0.0/0'], table: 'off'}],
  on_top: [
    ['client', 'nft add table ip marks'],
    ['client', 'nft add chain ip marks out { type route hook output priority 0 ; }'],
    ['client', 'nft add rule ip marks out meta skuid 65534 meta mark set 1'],
    ['client', 'ip route add default dev wg0 table 200'],
    ['client', 'ip rule add pref 100 fwmark 1 lookup 200'],
  ],
  down: [
    ['client', 'ip rule del pref 100'],
    ['client', 'nft delete table ip marks'],
  ],
  level: 'default_route_only',
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
};
