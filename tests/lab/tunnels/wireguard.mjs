// SPDX-License-Identifier: Apache-2.0
import {spawn} from 'node:child_process';
import {writeFileSync} from 'node:fs';

import {run_folder, sh, start, until} from '../machine.mjs';

export class WireGuard {
  /// table: as in wg-quick's configuration; 'off' sets no routes.
  constructor({server: server_address = '44.2.2.2', addresses, allowed, table = 'auto'}) {
    const [server, client] = [this.make_keys(), this.make_keys()];
    this.config = `${run_folder}/wg0.conf`;
    writeFileSync(this.config, `[Interface]
PrivateKey = ${client.private}
Address = ${addresses.join(', ')}
Table = ${table}
[Peer]
PublicKey = ${server.public}
Endpoint = ${server_address}:51820
AllowedIPs = ${allowed.join(', ')}
PersistentKeepalive = 25
`, {mode: 0o600});
    this.server_config = `${run_folder}/wgs0.conf`;
    writeFileSync(this.server_config, `[Interface]
PrivateKey = ${server.private}
ListenPort = 51820
[Peer]
PublicKey = ${client.public}
AllowedIPs = 10.9.0.2/32, 2a0e:99:9::2/128
`, {mode: 0o600});
  }

  make_keys() {
    const private_key = sh('client', 'wg genkey').trim();
    return {private: private_key, public: sh('client', 'wg pubkey', {input: private_key}).trim()};
  }

  async start() {
    this.server = start('vpn', 'wireguard-server', ['wireguard-go', '--foreground', 'wgs0']);
    await until('WireGuard server', () => sh('vpn', 'wg show wgs0 private-key'));
    sh('vpn', `wg setconf wgs0 ${this.server_config}`);
    for (const address of ['10.9.0.1/24', '2a0e:99:9::1/64 nodad']) sh('vpn', `ip address add ${address} dev wgs0`);
    sh('vpn', 'ip link set wgs0 up');
  }

  async up() {
    // wg-quick takes the kernel's WireGuard where there is one. Not waited for in one blocking call, so that
    // the tests can watch while it works.
    await this.wg_quick('up');
  }

  async drop() {
    await this.wg_quick('down');
  }

  wg_quick(verb) {
    const child = spawn('wg-quick', [verb, this.config],
                        {stdio: ['ignore', 'pipe', 'pipe'],
                         env: {...process.env, WG_QUICK_USERSPACE_IMPLEMENTATION: 'wireguard-go', LOG_LEVEL: 'error'}});
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
    // 'exit', not 'close': wireguard-go inherits the pipes and stays.
    return new Promise((resolve, reject) => child.once('exit', (code) => {
      child.stdout.destroy();
      child.stderr.destroy();
      code === 0 ? resolve() : reject(new Error(`wg-quick ${verb}: ${output}`));
    }));
  }
}
