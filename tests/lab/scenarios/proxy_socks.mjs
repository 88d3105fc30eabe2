// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'a SOCKS5 proxy set in the browser, no VPN, native IPv6',
  kind: 'proxy',
  ipv6: true,
  proxy: 'socks',
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
};
