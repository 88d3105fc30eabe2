// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'WireGuard, full for both families, but its table throws a public block back to the main one',
  kind: 'excluded',
  ipv6: true,
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32', '2a0e:99:9::2/128'], allowed: ['0.0.0.0/0', '::/0']}],
  on_top: [['client', 'ip route add throw 44.3.3.4/30 table 51820']],
  down: [['client', 'ip route flush table 51820']],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
  excluded: true,
};
