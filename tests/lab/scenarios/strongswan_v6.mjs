// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'strongSwan (IKEv2, ESP in user space), full for IPv4; native IPv6 outside',
  kind: 'ipsec',
  ipv6: true,
  tunnels: [{type: 'strongswan'}],
  seen: {ipv4: 'VPNv4', ipv6: 'REALv6'},
};
