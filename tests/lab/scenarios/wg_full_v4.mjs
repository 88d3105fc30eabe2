// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'WireGuard, full, on a machine without IPv6',
  kind: 'wireguard',
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: ['0.0.0.0/0']}],
  seen: {ipv4: 'VPNv4', ipv6: null},
};
