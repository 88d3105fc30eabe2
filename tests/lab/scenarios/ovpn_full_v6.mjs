// SPDX-License-Identifier: Apache-2.0
import {refuse_ipv6} from '../refuse_ipv6.mjs';

export default {
  about: 'OpenVPN, full for IPv4; native IPv6 outside',
  kind: 'openvpn',
  ipv6: true,
  tunnels: [{type: 'openvpn', options: ['--redirect-gateway', 'def1', ...refuse_ipv6]}],
  seen: {ipv4: 'VPNv4', ipv6: 'REALv6'},
};
