// SPDX-License-Identifier: Apache-2.0
// As NetBird and kill switches do: a better default route of type unreachable.
export default {
  about: 'WireGuard, full for IPv4; native IPv6 refused by a route',
  kind: 'wireguard',
  ipv6: true,
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: ['0.0.0.0/0']}],
  on_top: [['client', 'ip -6 route add unreachable default metric 1']],
  down: [['client', 'ip -6 route del unreachable default metric 1']],
  seen: {ipv4: 'VPNv4', ipv6: null},
};
