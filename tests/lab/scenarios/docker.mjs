// SPDX-License-Identifier: Apache-2.0
import {bridges} from '../bridges.mjs';

export default {
  about: 'no VPN, IPv4 only, beside containers',
  kind: 'containers',
  ...bridges,
  seen: {ipv4: 'REALv4', ipv6: null},
};
