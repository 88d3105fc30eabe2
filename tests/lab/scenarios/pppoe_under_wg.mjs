// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'WireGuard, full, over a dial-up line with the public address on it (a tun link stands in for ppp)',
  kind: 'wireguard',
  ipv4: false,
  tunnels: [
    {type: 'point_to_point'},
    {type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: ['0.0.0.0/0']},
  ],
  names: {'44.5.5.10': 'REALv4'},
  seen: {ipv4: 'VPNv4', ipv6: null},
};
