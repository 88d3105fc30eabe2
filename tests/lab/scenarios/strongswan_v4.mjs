// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'strongSwan (IKEv2, ESP in user space), full, on a machine without IPv6',
  kind: 'ipsec',
  tunnels: [{type: 'strongswan'}],
  seen: {ipv4: 'VPNv4', ipv6: null},
};
