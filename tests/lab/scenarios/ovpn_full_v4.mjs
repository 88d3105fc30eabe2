// SPDX-License-Identifier: Apache-2.0
import {refuse_ipv6} from '../refuse_ipv6.mjs';

export default {
  about: 'OpenVPN, full, on a machine without IPv6',
  kind: 'openvpn',
  tunnels: [{type: 'openvpn', options: ['--redirect-gateway', 'def1', ...refuse_ipv6]}],
  seen: {ipv4: 'VPNv4', ipv6: null},
};
