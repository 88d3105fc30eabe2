// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'OpenConnect, full for both families, old default route replaced',
  kind: 'openconnect',
  ipv6: true,
  tunnels: [{type: 'openconnect', ipv6: true, routes: ['route = default']}],
  seen: {ipv4: 'VPNv4', ipv6: 'VPNv6'},
};
