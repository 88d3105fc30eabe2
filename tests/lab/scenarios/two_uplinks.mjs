// SPDX-License-Identifier: Apache-2.0
import {second_uplink} from '../uplinks.mjs';

export default {
  about: 'no VPN, two uplinks with a default route each, native IPv6 on one',
  kind: 'access',
  ipv6: true,
  ...second_uplink,
  seen: {ipv4: 'REALv4', ipv6: 'REALv6'},
};
