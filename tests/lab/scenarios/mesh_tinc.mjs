// SPDX-License-Identifier: Apache-2.0
export default {
  about: 'a tinc mesh: nothing but its own subnet inside',
  kind: 'split',
  tunnels: [{type: 'tinc'}],
  seen: {ipv4: 'REALv4', ipv6: null},
};
