// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'OpenConnect, full for both families, but a public block is left out by the server (no-route)',
  kind: 'openconnect',
  ipv6: true,
  tunnels: [{type: 'openconnect', ipv6: true, routes: ['route = default', 'no-route = 44.3.3.4/255.255.255.252']}],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
  excluded: true,
};
