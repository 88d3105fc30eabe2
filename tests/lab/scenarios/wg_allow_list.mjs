// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'WireGuard, full for both families, but a rule sends a public block past it (an allow-list)',
  kind: 'excluded',
  ipv6: true,
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32', '2a0e:99:9::2/128'], allowed: ['0.0.0.0/0', '::/0']}],
  on_top: [['client', 'ip rule add pref 100 to 44.3.3.4/30 lookup main']],
  down: [['client', 'ip rule del pref 100']],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
  excluded: true,
};
