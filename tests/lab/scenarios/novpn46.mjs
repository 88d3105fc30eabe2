// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'no VPN, native IPv6',
  kind: 'none',
  ipv6: true,
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
};
