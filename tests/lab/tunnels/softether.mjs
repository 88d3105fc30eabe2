// SPDX-License-Identifier: Apache-2.0
import {mkdirSync} from 'node:fs';

import {run_folder, sh, start, stop, until} from '../machine.mjs';

const folder = (host) => `${run_folder}/softether-${host}`;

/// SoftEther: an Ethernet over TLS. Its client makes a tap link and leaves addresses and routes to the person, who sets
/// them as its handbook says: a host route to the server, and a default route over the tap in place of the old one.
export class SoftEther {
  constructor() {
    this.server = this.start_service('vpn', 'vpnserver');
  }

  /// Each service writes into /var/lib, /var/log and /run, and forks one that does the work: it gets these folders and
  /// a process namespace of its own, so that killing the first ends both.
  start_service(host, program) {
    for (const part of ['lib', 'log', 'run']) mkdirSync(`${folder(host)}/${part}/softether`, {recursive: true});
    const binds = ['/var/lib', '/var/log', '/run']
        .map((place) => `mount --bind ${folder(host)}/${place.split('/').pop()} ${place}`);
    // /run last: the folders are in it.
    return start(host, `softether-${host}`, [
      'unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c',
      [...binds, `exec /usr/libexec/softether/${program}/${program} execsvc`].join(' && ')]);
  }

  command(host, ...words) {
    const target = host === 'vpn' ? ['localhost:443', '/SERVER'] : ['localhost', '/CLIENT'];
    return sh(host, ['vpncmd', ...target, ...words]);
  }

  async start() {
    await until('SoftEther server', () => this.command('vpn', '/CMD', 'ServerInfoGet'), 20000, 200);
    this.command('vpn', '/ADMINHUB:DEFAULT', '/CMD', 'UserCreate', 'lab', '/GROUP:none', '/REALNAME:none', '/NOTE:none');
    this.command('vpn', '/ADMINHUB:DEFAULT', '/CMD', 'UserPasswordSet', 'lab', '/PASSWORD:lab');
    this.command('vpn', '/CMD', 'BridgeCreate', 'DEFAULT', '/DEVICE:soft', '/TAP:yes');
    await until('its tap', () => sh('vpn', 'ip link show tap_soft'));
    sh('vpn', 'ip address add 10.6.0.1/24 dev tap_soft');
    this.client = this.start_service('client', 'vpnclient');
    await until('SoftEther client', () => this.command('client', '/CMD', 'NicList'), 20000, 200);
    this.command('client', '/CMD', 'NicCreate', 'se');
    this.command('client', '/CMD', 'AccountCreate', 'lab', '/SERVER:44.2.2.2:443', '/HUB:DEFAULT', '/USERNAME:lab',
                 '/NICNAME:se');
    this.command('client', '/CMD', 'AccountPasswordSet', 'lab', '/PASSWORD:lab', '/TYPE:standard');
  }

  async up() {
    this.command('client', '/CMD', 'AccountConnect', 'lab');
    await until('SoftEther session', () => /Status\s*\|Connected/.test(this.command('client', '/CMD', 'AccountList')));
    this.old_default = sh('client', 'ip route show default').trim();
    sh('client', 'ip address add 10.6.0.2/24 dev vpn_se');
    sh('client', 'ip route add 44.2.2.2/32 via 192.168.77.1');
    sh('client', `ip route del ${this.old_default}`);
    sh('client', 'ip route add default via 10.6.0.1 dev vpn_se');
  }

  /// The link stays, as it does with this client.
  async drop() {
    this.command('client', '/CMD', 'AccountDisconnect', 'lab');
    sh('client', 'ip address flush dev vpn_se scope global');
    sh('client', 'ip route del 44.2.2.2/32');
    sh('client', `ip route add ${this.old_default}`);
  }

  async stop() {
    for (const child of [this.client, this.server]) await stop(child, 'SIGKILL');
  }
}
