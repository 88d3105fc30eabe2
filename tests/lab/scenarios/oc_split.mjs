// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'OpenConnect, only 10.50.0.0/16 inside (split-include)',
  kind: 'openconnect',
  ipv6: true,
  tunnels: [{type: 'openconnect', routes: ['route = 10.50.0.0/255.255.0.0']}],
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
  inside: true,
};
