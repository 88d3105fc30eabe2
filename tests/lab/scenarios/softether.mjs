// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'SoftEther, full for IPv4 over a tap link; native IPv6 outside',
  kind: 'openvpn',
  needs: ['vpnclient', 'vpnserver', 'vpncmd'],
  ipv6: true,
  tunnels: [{type: 'softether'}],
  seen: {ipv4: 'VPNv4', ipv6: 'REALv6'},
};
