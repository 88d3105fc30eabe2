// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'WireGuard, only 10.50.0.0/16 inside',
  kind: 'split',
  ipv6: true,
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: ['10.50.0.0/16']}],
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
  inside: true,
};
