// SPDX-License-Identifier: Apache-2.0
import {refuse_ipv6} from '../refuse_ipv6.mjs';

export default {
  about: 'WireGuard for both families inside an OpenVPN tunnel for IPv4',
  kind: 'nested',
  ipv6: true,
  tunnels: [
    {type: 'openvpn', options: ['--redirect-gateway', 'def1', ...refuse_ipv6]},
    {type: 'wireguard', server: '44.2.2.3', addresses: ['10.9.0.2/32', '2a0e:99:9::2/128'],
     allowed: ['0.0.0.0/0', '::/0']},
  ],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
};
