// SPDX-License-Identifier: Apache-2.0
import {refuse_ipv6} from '../refuse_ipv6.mjs';

export default {
  about: 'OpenVPN, only 10.50.0.0/16 inside',
  kind: 'split',
  ipv6: true,
  tunnels: [{type: 'openvpn', options: ['--route', '10.50.0.0', '255.255.0.0', ...refuse_ipv6]}],
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
  inside: true,
};
