// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'a tinc mesh: its own subnet and 10.50.0.0/16 inside',
  kind: 'split',
  tunnels: [{type: 'tinc'}],
  seen: {ipv4: 'REALv4', ipv6: null},
  inside: true,
};
