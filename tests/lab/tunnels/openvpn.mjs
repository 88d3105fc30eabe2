// SPDX-License-Identifier: Apache-2.0
import {readFileSync} from 'node:fs';

import {make_certificate} from '../certificate.mjs';
import {start, stop, until} from '../machine.mjs';

const tls_options = (own, peer) => ['--cert', own.cert, '--key', own.key, '--peer-fingerprint', peer.fingerprint];

const has_started = (child) => readFileSync(child.log, 'utf8').includes('Initialization Sequence Completed');

export class OpenVpn {
  constructor({options, orderly = false, device = 'tun'}) {
    this.device = ['--dev', `${device}0`, '--dev-type', device];
    // A client that comes back within a second with another MAC address is not heard for half a minute: the server's
    // kernel keeps a fresh neighbour (locktime, arp(7)).
    this.own_address = device === 'tap' ? ['--lladdr', '02:00:0a:08:00:02'] : [];
    this.options = options;
    this.orderly = orderly;
    this.server_identity = make_certificate('openvpn-server');
    this.client_identity = make_certificate('openvpn-client');
    this.server = start('vpn', 'openvpn-server', [
      'openvpn', '--mode', 'server', '--tls-server', '--proto', 'udp4', '--local', '44.2.2.2', '--port', '1194',
      ...this.device, '--topology', 'subnet', '--server', '10.8.0.0', '255.255.255.0',
      '--server-ipv6', '2a0e:99:8::/64', '--keepalive', '10', '60', '--dh', 'none',
      ...tls_options(this.server_identity, this.client_identity)]);
  }

  async start() {
    await until('OpenVPN server', () => has_started(this.server));
  }

  async up() {
    this.client = start('client', 'openvpn-client', [
      'openvpn', '--client', '--proto', 'udp4', '--remote', '44.2.2.2', '1194', '--nobind',
      ...this.device, ...this.own_address, '--connect-retry', '1', '1', ...this.options,
      ...tls_options(this.client_identity, this.server_identity)]);
    await until('OpenVPN client', () => has_started(this.client), 15000);
  }

  /// As when the program crashes: the kernel takes the link and its routes away. Without def1 a crash leaves no default
  /// route, and so nothing to leak; `orderly` puts the old one back.
  async drop() {
    await stop(this.client, this.orderly ? 'SIGTERM' : 'SIGKILL');
  }
}
