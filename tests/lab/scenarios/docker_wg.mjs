// SPDX-License-Identifier: Apache-2.0
import {bridges} from '../bridges.mjs';

export default {
  about: 'WireGuard, full for both families, beside containers',
  kind: 'containers',
  ipv6: true,
  ...bridges,
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32', '2a0e:99:9::2/128'], allowed: ['0.0.0.0/0', '::/0']}],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
};
