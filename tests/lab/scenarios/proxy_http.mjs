// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'an HTTP proxy set in the browser, no VPN, native IPv6',
  kind: 'proxy',
  ipv6: true,
  proxy: 'http',
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
};
