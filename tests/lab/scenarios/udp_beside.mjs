// SPDX-License-Identifier: Apache-2.0
// As routers and clients set it up that keep games and calls out of the VPN. The tunnel's own packets go out either way.
export default {
  about: 'OpenVPN, full for both families, but a rule sends all UDP past it',
  kind: 'by_rule',
  ipv6: true,
  tunnels: [{type: 'openvpn', options: ['--redirect-gateway', 'def1', 'ipv6']}],
  on_top: [
    ['client', 'ip route add default via 192.168.77.1 dev enp3s0 table 100'],
    ['client', 'ip -6 route add default via 2a0e:77:0:1::1 dev enp3s0 table 100'],
    ['client', 'ip rule add pref 100 ipproto udp lookup 100'],
    ['client', 'ip -6 rule add pref 100 ipproto udp lookup 100'],
  ],
  down: [
    ['client', 'ip rule del pref 100'],
    ['client', 'ip -6 rule del pref 100'],
    ['client', 'ip route flush table 100'],
    ['client', 'ip -6 route flush table 100'],
  ],
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
  web: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
};
