// SPDX-License-Identifier: Apache-2.0
// The redirection is netfilter's, which no program reads without privileges, and in no route, rule or link.
export default {
  about: 'redsocks: TCP through a SOCKS proxy by netfilter, UDP past it',
  kind: 'proxy',
  tunnels: [{type: 'redsocks'}],
  unseen: 'web',
  seen: {ipv4: 'REALv4', ipv6: null},
  web: {ipv4: 'VPNv4'},
};
