// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'WireGuard, full for both families',
  kind: 'wireguard',
  ipv6: true,
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32', '2a0e:99:9::2/128'], allowed: ['0.0.0.0/0', '::/0']}],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
};
