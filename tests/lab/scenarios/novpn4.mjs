// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'no VPN, IPv4 only',
  kind: 'none',
  seen: {ipv4: 'REALv4', ipv6: null},
};
