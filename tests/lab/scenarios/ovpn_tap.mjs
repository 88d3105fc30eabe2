// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'OpenVPN over a tap link, full for both families',
  kind: 'openvpn',
  ipv6: true,
  tunnels: [{type: 'openvpn', device: 'tap', options: ['--redirect-gateway', 'def1', 'ipv6']}],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
};
