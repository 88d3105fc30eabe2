// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, writeFileSync} from 'node:fs';

import {run_folder, sh, start, stop, until} from '../machine.mjs';

const charon = '/usr/lib/ipsec/charon';
const kernel = 'kernel-libipsec kernel-netlink';
const pre_shared_key = 'of this lab only';

/// IKEv2 by two charons; ESP is handled by kernel-libipsec over a tun link, since a test machine's kernel may have
/// none. Each charon has a /run of its own, where it keeps its process id and its control socket.
export class StrongSwan {
  constructor() {
    this.server = this.start_charon('vpn', `
      pools { clients { addrs = 10.7.0.2/32 } }
      connections { lab {
        version = 2
        local_addrs = 44.2.2.2
        proposals = aes256-sha256-modp2048
        encap = yes
        pools = clients
        local { auth = psk
          id = vpn }
        remote { auth = psk
          id = client }
        children { all {
          local_ts = 0.0.0.0/0
          esp_proposals = aes256-sha256 } }
      } }`);
  }

  start_charon(host, connections) {
    const folder = `${run_folder}/charon-${host}`;
    mkdirSync(folder, {recursive: true});
    // kernel-netlink still does routes and addresses; it must come after kernel-libipsec.
    writeFileSync(`${folder}/strongswan.conf`, `
      charon {
        load = random nonce aes sha1 sha2 hmac kdf gmp ${kernel} socket-default vici updown
        filelog { stdout { default = 1
          flush_line = yes } }
        install_virtual_ip = yes
      }`);
    writeFileSync(`${folder}/swanctl.conf`, `${connections}
      secrets { ike-lab { secret = "${pre_shared_key}" } }`, {mode: 0o600});
    const child = start(host, `charon-${host}`, [
      'unshare', '--mount', 'sh', '-c', `mount --bind ${folder} /run && exec env STRONGSWAN_CONF=/run/strongswan.conf ` +
      `${charon} --use-syslog no`]);
    child.folder = folder;
    return child;
  }

  swanctl(child, ...words) {
    return sh('client', ['swanctl', ...words, '--uri', `unix://${child.folder}/charon.vici`]);
  }

  async load(child) {
    await until('charon', () => this.swanctl(child, '--load-all', '--file', `${child.folder}/swanctl.conf`), 10000);
  }

  async start() {
    await this.load(this.server);
  }

  async up() {
    this.client = this.start_charon('client', `
      connections { lab {
        version = 2
        remote_addrs = 44.2.2.2
        vips = 0.0.0.0
        proposals = aes256-sha256-modp2048
        encap = yes
        local { auth = psk
          id = client }
        remote { auth = psk
          id = vpn }
        children { all {
          remote_ts = 0.0.0.0/0
          esp_proposals = aes256-sha256 } }
      } }`);
    await this.load(this.client);
    this.swanctl(this.client, '--initiate', '--child', 'all', '--timeout', '10');
  }

  /// An orderly end: a killed charon would leave its address and table 220 behind.
  async drop() {
    await stop(this.client);
  }
}
