// SPDX-License-Identifier: Apache-2.0
import {second_uplink} from '../uplinks.mjs';

export default {
  about: 'WireGuard, full, beside two uplinks with a default route each',
  kind: 'wireguard',
  ...second_uplink,
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: ['0.0.0.0/0']}],
  seen: {ipv4: 'VPNv4', ipv6: null},
};
