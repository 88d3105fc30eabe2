// SPDX-License-Identifier: Apache-2.0
import {all_but, with_mask} from '../blocks.mjs';
import {refuse_ipv6} from '../refuse_ipv6.mjs';

// As clients do that push a list of networks in place of a default route. The server's own way is out by a host route.
export default {
  about: 'OpenVPN with a list of routes: all of IPv4 but one public block',
  kind: 'excluded',
  tunnels: [{type: 'openvpn', options: [
    ...all_but('44.3.3.4/30').flatMap((block) => ['--route', ...with_mask(block)]),
    '--route', '44.2.2.2', '255.255.255.255', 'net_gateway', ...refuse_ipv6]}],
  seen: {ipv4: 'VPNv4', ipv6: null},
  excluded: true,
};
