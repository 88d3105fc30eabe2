// SPDX-License-Identifier: Apache-2.0
// Builds the network of network.mjs inside the namespaces that `enter` made, brings tunnels up and down, and
// counts what goes out on the wire. Nothing here cleans up behind a crash: the kernel does (see `enter`).
import {execFileSync, spawn} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

import {hosts, links, names, origins, pages, scenarios, stun} from './network.mjs';
import {serve} from './origin.mjs';
import {seen_by} from './stun.mjs';

const run_folder = '/run/lab/network';
const page_folder = fileURLToPath(new URL('../browser/page', import.meta.url));

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/// Calls `probe` until it returns something true; that is the result. Throws after `deadline_ms`, with the
/// last thing that `probe` returned or threw.
export async function until(what, probe, deadline_ms = 5000, every_ms = 25) {
  const end = Date.now() + deadline_ms;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error.message;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${deadline_ms} ms (last: ${JSON.stringify(last)})`);
    await sleep(every_ms);
  }
}

const inside = (host, command) => (host === 'client' ? command : ['ip', 'netns', 'exec', host, ...command]);

function sh(host, command, options = {}) {
  const [program, ...rest] = inside(host, Array.isArray(command) ? command : command.split(' '));
  return execFileSync(program, rest, {encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...options});
}

/// Starts a program that stays; its output goes to a file, `child.log`.
function start(host, name, command) {
  const [program, ...rest] = inside(host, command);
  const log = `${run_folder}/${name}.log`;
  const child = spawn('sh', ['-c', 'exec "$0" "$@" >"$LAB_LOG" 2>&1', program, ...rest],
                      {stdio: 'ignore', env: {...process.env, LAB_LOG: log}});
  child.log = log;
  return child;
}

async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

function set_up_host(name, host, ipv6) {
  const parts = [host, ...(ipv6 && host.ipv6 ? [host.ipv6] : [])];
  sh(name, 'ip link set lo up');
  for (const part of parts) {
    for (const [link, addresses] of Object.entries(part.addresses)) {
      for (const address of addresses) {
        sh(name, `ip address add ${address} dev ${link}${address.includes(':') ? ' nodad' : ''}`);
      }
      sh(name, `ip link set ${link} up`);
    }
  }
  for (const route of parts.flatMap((part) => part.routes)) {
    sh(name, `ip ${route.includes(':') ? '-6' : '-4'} route add ${route}`);
  }
  if (host.forward) sh(name, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1');
  if (host.nft) sh(name, 'nft -f -', {input: host.nft});
}

function build_hosts(ipv6) {
  for (const name of Object.keys(hosts).filter((host) => host !== 'client')) sh('client', `ip netns add ${name}`);
  for (const {between: [host_a, link_a], and: [host_b, link_b]} of links) {
    sh(host_a, `ip link add ${link_a} type veth peer name ${link_b} netns ${host_b}`);
  }
  for (const [name, host] of Object.entries(hosts)) set_up_host(name, host, ipv6);
}

/// A self-signed certificate made for this run; `fingerprint` is as OpenVPN's peer-fingerprint wants it.
function make_certificate(name, alternatives = []) {
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
  constructor(options) {
    this.options = options;
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

  /// As when the program crashes: the kernel takes the link and its routes away.
  async drop() {
    await stop(this.client, 'SIGKILL');
  }
}

class WireGuard {
  constructor({addresses, allowed}) {
    const [server, client] = [this.make_keys(), this.make_keys()];
    this.config = `${run_folder}/wg0.conf`;
    writeFileSync(this.config, `[Interface]
PrivateKey = ${client.private}
Address = ${addresses.join(', ')}
[Peer]
PublicKey = ${server.public}
Endpoint = 44.2.2.2:51820
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

/// A tunnel that is only a list of commands.
class Footprint {
  constructor(scenario) {
    this.scenario = scenario;
  }
  async up() {
    for (const [host, command] of this.scenario.up) sh(host, command);
  }
  async drop() {
    for (const [host, command] of this.scenario.down) sh(host, command);
  }
}

function make_tunnel(scenario) {
  if (scenario.openvpn) return new OpenVpn(scenario.openvpn);
  if (scenario.wireguard) return new WireGuard(scenario.wireguard);
  return scenario.up ? new Footprint(scenario) : null;
}

export class Lab {
  /// The network of a scenario, with its servers running and its tunnel still down.
  static async build(name) {
    const scenario = scenarios[name];
    if (!scenario) throw new Error(`no scenario ${name}; there are: ${Object.keys(scenarios).join(' ')}`);
    if (process.env.ICELOCK_LAB !== 'inside') throw new Error('start this with tests/lab/enter');
    mkdirSync(run_folder, {recursive: true, mode: 0o700});
    build_hosts(scenario.ipv6 ?? false);
    const lab = new Lab();
    lab.name = name;
    lab.scenario = scenario;
    await lab.start_servers();
    lab.tunnel = make_tunnel(scenario);
    await lab.tunnel?.start?.();
    return lab;
  }

  async start_servers() {
    const tls = make_certificate('origin', ['IP:44.3.3.3', 'IP:2a0e:33::3']);
    this.stun_server = start('internet', 'stun', [
      'turnserver', '-n', '--stun-only', '--no-tls', '--no-dtls', '--no-cli', '--log-file', 'stdout', '--pidfile',
      `${run_folder}/stun.pid`, '-p', String(stun.port), '-L', '44.3.3.3', '-L', '44.3.3.4', '-L', '2a0e:33::3']);
    this.origin = start('internet', 'origin', [
      process.execPath, fileURLToPath(new URL('origin.mjs', import.meta.url)), page_folder,
      '--tls', tls.cert, tls.key, ...Object.values(origins)]);
    this.stop_pages = await serve(page_folder, [pages.plain]);
    await until('STUN server', async () => {
      const seen = await this.seen();
      return seen.ipv4 && (seen.ipv6 || !this.scenario.ipv6);
    });
    await until('web origin', async () => (await fetch(origins.ipv4)).ok);
  }

  /// Brings the tunnel up and waits until traffic uses it. Resolves to the milliseconds that it took.
  async tunnel_up() {
    const begin = Date.now();
    if (this.tunnel) await this.tunnel.up();
    await until(`${this.name} up`, async () => {
      const seen = await this.seen();
      return seen.ipv4 === this.scenario.seen.ipv4 && seen.ipv6 === this.scenario.seen.ipv6;
    }, 15000);
    return Date.now() - begin;
  }

  async tunnel_drop() {
    if (this.tunnel) await this.tunnel.drop();
  }

  /// The names of the addresses that a STUN server sees of plain datagrams from the client now.
  async seen() {
    const [ipv4, ipv6] = await Promise.all([stun.ipv4, stun.ipv6].map((host) => seen_by(host, stun.port)));
    return {ipv4: ipv4 && (names[ipv4] ?? ipv4), ipv6: ipv6 && (names[ipv6] ?? ipv6)};
  }

  /// Datagrams per sender that reached the internet side since wire_reset(), the tunnel's own not counted.
  wire() {
    const {nftables} = JSON.parse(sh('internet', 'nft -j list counters table inet wire'));
    return Object.fromEntries(nftables.filter((entry) => entry.counter)
                                  .map(({counter}) => [counter.name, counter.packets]));
  }

  wire_reset() {
    sh('internet', 'nft reset counters table inet wire');
  }

  /// The link that the kernel would use for a public destination, or null.
  route(family = 4) {
    try {
      const target = family === 4 ? '1.1.1.1' : '2606:4700:4700::1111';
      return JSON.parse(sh('client', `ip -j -${family} route get ${target}`))[0].dev;
    } catch {
      return null;
    }
  }

  /// For a test that ends well; a crash needs nothing.
  async stop() {
    this.stop_pages();
    for (const child of [this.tunnel?.client, this.tunnel?.server, this.origin, this.stun_server]) {
      if (child) await stop(child);
    }
  }
}
