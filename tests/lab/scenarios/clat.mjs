// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'no VPN, a network with IPv6 alone; IPv4 by CLAT (tayga) and NAT64',
  kind: 'access',
  ipv4: false,
  ipv6: true,
  tunnels: [{type: 'clat'}],
  names: {'2a0e:77:0:1::c1a7': 'CLATv6'},
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
};
