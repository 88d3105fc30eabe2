// SPDX-License-Identifier: Apache-2.0
// The card's network is a public one, without NAT: neighbours are reached past the tunnel.
export default {
  about: 'WireGuard, full, on a network whose own addresses are public (a campus)',
  kind: 'wireguard',
  ipv4: false,
  machine: [
    ['router', 'ip address add 44.6.6.1/24 dev lan0'],
    ['router', 'nft insert rule ip nat post ip saddr 44.6.6.0/24 accept'],
    ['internet', 'ip route add 44.6.6.0/24 via 44.1.1.1'],
    ['client', 'ip address add 44.6.6.10/24 dev enp3s0'],
    ['client', 'ip route add default via 44.6.6.1 proto dhcp metric 100'],
  ],
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: ['0.0.0.0/0']}],
  names: {'44.6.6.10': 'REALv4'},
  seen: {ipv4: 'VPNv4', ipv6: null},
};
