// SPDX-License-Identifier: Apache-2.0
import {writeFileSync} from 'node:fs';

import {run_folder, sh, start, stop, until} from '../machine.mjs';

/// TCP of the whole machine through a SOCKS proxy by a netfilter redirection; UDP goes out as ever.
export class Redsocks {
  constructor() {
    this.server = start('vpn', 'microsocks', ['microsocks', '-i', '44.2.2.2', '-p', '1080']);
    this.config = `${run_folder}/redsocks.conf`;
    writeFileSync(this.config, `base { log_info = on; log = stderr; daemon = off; redirector = iptables; }
redsocks { local_ip = 127.0.0.1; local_port = 12345; ip = 44.2.2.2; port = 1080; type = socks5; }
`);
  }

  async start() {
    await until('SOCKS proxy', () => sh('vpn', ['sh', '-c', 'ss -Hltn "sport = :1080"']));
  }

  async up() {
    this.client = start('client', 'redsocks', ['redsocks', '-c', this.config]);
    await until('redsocks', () => sh('client', ['sh', '-c', 'ss -Hltn "sport = :12345"']));
    sh('client', 'nft -f -', {input: `table ip redsocks {
      chain out {
        type nat hook output priority -100;
        ip daddr { 127.0.0.0/8, 192.168.0.0/16, 44.2.2.0/24 } return
        meta l4proto tcp redirect to :12345
      }
    }`});
  }

  async drop() {
    sh('client', 'nft delete table ip redsocks');
    await stop(this.client);
  }
}
