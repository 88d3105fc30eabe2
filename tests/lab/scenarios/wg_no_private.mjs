// SPDX-License-Identifier: Apache-2.0
import {all_but} from '../blocks.mjs';

// What an AllowedIPs calculator gives: without a /0 wg-quick sets plain routes, and the server has to be left out.
export default {
  about: 'WireGuard, all of IPv4 but private, shared and link-local space and its own server',
  kind: 'wireguard',
  tunnels: [{type: 'wireguard', addresses: ['10.9.0.2/32'], allowed: all_but(
      '10.0.0.0/8', '100.64.0.0/10', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16', '224.0.0.0/3', '44.2.2.2/32')}],
  seen: {ipv4: 'VPNv4', ipv6: null},
};
