// SPDX-License-Identifier: Apache-2.0
// The tunnels: each a pair of a server, started with the lab, and a client that comes up and drops.
import {spawn} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';

import {run_folder, sh, start, stop, until} from './machine.mjs';

/// A self-signed certificate made for this run; `fingerprint` is as OpenVPN's peer-fingerprint wants it.
export function make_certificate(name, alternatives = []) {
  const [key, cert] = [`${run_folder}/${name}.key`, `${run_folder}/${name}.crt`];
  const extra = alternatives.length ? ['-addext', `subjectAltName=${alternatives.join(',')}`] : [];
  sh('client', ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                '-days', '30', '-subj', `/CN=${name}`, '-keyout', key, '-out', cert, ...extra]);
  const line = sh('client', ['openssl', 'x509', '-in', cert, '-noout', '-fingerprint', '-sha256']);
  return {key, cert, fingerprint: line.trim().split('=')[1]};
}

const tls_options = (own, peer) => ['--cert', own.cert, '--key', own.key, '--peer-fingerprint', peer.fingerprint];

const has_started = (child) => readFileSync(child.log, 'utf8').includes('Initialization Sequence Completed');

class OpenVpn {
  constructor({options, orderly = false}) {
    this.options = options;
    this.orderly = orderly;
    this.server_identity = make_certificate('openvpn-server');
    this.client_identity = make_certificate('openvpn-client');
    this.server = start('vpn', 'openvpn-server', [
      'openvpn', '--mode', 'server', '--tls-server', '--proto', 'udp4', '--local', '44.2.2.2', '--port', '1194',
      '--dev', 'tun0', '--dev-type', 'tun', '--topology', 'subnet', '--server', '10.8.0.0', '255.255.255.0',
      '--server-ipv6', '2a0e:99:8::/64', '--keepalive', '10', '60', '--dh', 'none',
      ...tls_options(this.server_identity, this.client_identity)]);
  }

  async start() {
    await until('OpenVPN server', () => has_started(this.server));
  }

  async up() {
    this.client = start('client', 'openvpn-client', [
      'openvpn', '--client', '--proto', 'udp4', '--remote', '44.2.2.2', '1194', '--nobind', '--dev', 'tun0',
      '--dev-type', 'tun', '--connect-retry', '1', '1', ...this.options,
      ...tls_options(this.client_identity, this.server_identity)]);
    await until('OpenVPN client', () => has_started(this.client), 15000);
  }

  /// As when the program crashes: the kernel takes the link and its routes away. Without def1 a crash leaves no default
  /// route, and so nothing to leak; `orderly` puts the old one back.
  async drop() {
    await stop(this.client, this.orderly ? 'SIGTERM' : 'SIGKILL');
  }
}

class WireGuard {
  constructor({server: server_address = '44.2.2.2', addresses, allowed}) {
    const [server, client] = [this.make_keys(), this.make_keys()];
    this.config = `${run_folder}/wg0.conf`;
    writeFileSync(this.config, `[Interface]
PrivateKey = ${client.private}
Address = ${addresses.join(', ')}
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

const charon = '/usr/lib/ipsec/charon';
const kernel = 'kernel-libipsec kernel-netlink';
const pre_shared_key = 'of this lab only';

/// IKEv2 by two charons; ESP is handled by kernel-libipsec over a tun link, since a test machine's kernel may have
/// none. Each charon has a /run of its own, where it keeps its process id and its control socket.
class StrongSwan {
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

const types = {openvpn: OpenVpn, wireguard: WireGuard, strongswan: StrongSwan};

/// What is between the client and the internet in a scenario: its commands and its tunnels, in order.
export class Tunnels {
  constructor(scenario) {
    this.scenario = scenario;
    this.all = (scenario.tunnels ?? []).map((tunnel) => new types[tunnel.type](tunnel));
  }

  async start() {
    for (const tunnel of this.all) await tunnel.start();
  }

  async up() {
    for (const [host, command] of this.scenario.up ?? []) sh(host, command);
    for (const tunnel of this.all) await tunnel.up();
  }

  async drop() {
    for (const tunnel of [...this.all].reverse()) await tunnel.drop();
    for (const [host, command] of this.scenario.down ?? []) sh(host, command);
  }

  async stop() {
    for (const child of this.all.flatMap(({client, server}) => [client, server])) {
      if (child) await stop(child);
    }
  }
}
