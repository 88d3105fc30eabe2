// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';

import {make_certificate} from '../certificate.mjs';
import {run_folder, sh, start, stop, until} from '../machine.mjs';

const says = (child, words) => readFileSync(child.log, 'utf8').includes(words);

/// OpenConnect with ocserv, over TLS and DTLS; vpnc-script sets the client's addresses and routes.
export class OpenConnect {
  /// routes: lines for the server's configuration, `route = ...` and `no-route = ...`. With `ipv6` the client gets an
  /// IPv6 address and, from vpnc-script, all IPv6 unless the server names IPv6 networks.
  constructor({routes, ipv6 = false}) {
    this.server_identity = make_certificate('ocserv');
    this.client_identity = make_certificate('openconnect');
    const [folder, config] = [`${run_folder}/ocserv-users`, `${run_folder}/ocserv.conf`];
    mkdirSync(folder);
    // Without it ocserv takes addresses from its pool as it likes.
    writeFileSync(`${folder}/openconnect`, `explicit-ipv4 = 10.6.0.2\n${ipv6 ? 'explicit-ipv6 = 2a0e:99:6::2\n' : ''}`);
    writeFileSync(config, `auth = "certificate"
ca-cert = ${this.client_identity.cert}
cert-user-oid = 2.5.4.3
server-cert = ${this.server_identity.cert}
server-key = ${this.server_identity.key}
listen-host = 44.2.2.2
tcp-port = 443
udp-port = 443
run-as-user = nobody
isolate-workers = false
socket-file = /run/ocserv.sock
device = vpns
ipv4-network = 10.6.0.0/24
${ipv6 ? 'ipv6-network = 2a0e:99:6::/64\nipv6-subnet-prefix = 128' : ''}
config-per-user = ${folder}
${routes.join('\n')}
`);
    this.server = start('vpn', 'ocserv', ['ocserv', '-f', '-c', config, '--pid-file', `${run_folder}/ocserv.pid`]);
  }

  async start() {
    await until('ocserv', () => says(this.server, 'listening (UDP)'));
  }

  async up() {
    const {cert, key} = this.client_identity;
    const of_key = ['sh', '-c', 'openssl x509 -in "$0" -pubkey -noout | openssl pkey -pubin -outform der | ' +
                                'openssl dgst -sha256 -binary | openssl base64'];
    const pin = sh('client', [...of_key, this.server_identity.cert]).trim();
    this.client = start('client', 'openconnect', [
      'openconnect', '--protocol', 'anyconnect', '--non-inter', '--certificate', cert, '--sslkey', key, '--servercert',
      `pin-sha256:${pin}`, '--script', '/usr/share/vpnc-scripts/vpnc-script', '--interface', 'tun0', 'https://44.2.2.2']);
    await until('OpenConnect', () => says(this.client, 'Configured as'), 15000);
  }

  /// An orderly end: vpnc-script replaced the default route and puts the old one back.
  async drop() {
    await stop(this.client);
  }
}
