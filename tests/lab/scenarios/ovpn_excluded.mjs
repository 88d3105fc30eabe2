// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'OpenVPN, full for both families, but one public address is routed past it',
  kind: 'excluded',
  ipv6: true,
  tunnels: [{type: 'openvpn', options: ['--redirect-gateway', 'def1', 'ipv6',
                                        '--route', '44.3.3.4', '255.255.255.255', 'net_gateway']}],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
  excluded: true,
};
