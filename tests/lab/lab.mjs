// SPDX-License-Identifier: Apache-2.0
// Builds the network of network.mjs inside the namespaces that `enter` made, brings tunnels up and down, and
// counts what goes out on the wire. Nothing here cleans up behind a crash: the kernel does (see `enter`).
import {mkdirSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

import {make_certificate} from './certificate.mjs';
import {run_folder, sh, start, stop, until} from './machine.mjs';
import {hosts, inside_origins, links, origins, pages, proxies, stun, turn} from './network.mjs';
import {serve} from './origin.mjs';
import {name_of, scenarios, web_of} from './scenarios.mjs';
import {seen_by, seen_by_web} from './stun.mjs';
import {Tunnels} from './tunnels.mjs';
import {read_wire, reset_wire, sum_wire, watch_wire} from './wire.mjs';

export {sleep, until} from './machine.mjs';

const page_folder = fileURLToPath(new URL('../browser/page', import.meta.url));

function set_up_host(name, host, {ipv4 = true, ipv6 = false}) {
  const parts = [...(ipv4 || name !== 'client' ? [host] : []), ...(ipv6 && host.ipv6 ? [host.ipv6] : [])];
  sh(name, 'ip link set lo up');
  if (name === 'client') sh(name, 'ip link set enp3s0 up');
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

function build_hosts(scenario) {
  for (const name of Object.keys(hosts).filter((host) => host !== 'client')) sh('client', `ip netns add ${name}`);
  for (const {between: [host_a, link_a], and: [host_b, link_b]} of links) {
    sh(host_a, `ip link add ${link_a} type veth peer name ${link_b} netns ${host_b}`);
  }
  for (const [name, host] of Object.entries(hosts)) set_up_host(name, host, scenario);
  for (const [host, command] of scenario.machine ?? []) sh(host, command);
}

const same = (one, other) => one.ipv4 === other.ipv4 && one.ipv6 === other.ipv6;

export class Lab {
  /// The network of a scenario, with its servers running and its tunnel still down.
  static async build(name) {
    const scenario = scenarios[name];
    if (!scenario) throw new Error(`no scenario ${name}; there are: ${Object.keys(scenarios).join(' ')}`);
    if (process.env.ICELOCK_LAB !== 'inside') throw new Error('start this with tests/lab/enter');
    mkdirSync(run_folder, {recursive: true, mode: 0o700});
    build_hosts(scenario);
    const lab = new Lab();
    lab.name = name;
    lab.scenario = scenario;
    lab.tunnels = new Tunnels(scenario);
    await lab.tunnels.start();
    await lab.start_servers();
    return lab;
  }

  async start_servers() {
    const tls = make_certificate('origin', ['IP:44.3.3.3', 'IP:44.3.3.4', 'IP:2a0e:33::3', 'IP:10.50.1.1']);
    const serve_on = (host, urls) => start(host, `origin-${host}`, [
      process.execPath, fileURLToPath(new URL('origin.mjs', import.meta.url)), page_folder, '--tls', tls.cert, tls.key,
      ...Object.values(urls)]);
    this.servers = [
      start('internet', 'stun', [
        'turnserver', '-n', '--stun-only', '--no-tls', '--no-dtls', '--no-cli', '--log-file', 'stdout', '--pidfile',
        `${run_folder}/stun.pid`, '-p', String(stun.port), '-L', stun.ipv4, '-L', stun.excluded, '-L', stun.ipv6]),
      start('internet', 'turn', [
        'turnserver', '-n', '--lt-cred-mech', '--user', `${turn.username}:${turn.credential}`, '--realm', 'lab',
        '--no-tls', '--no-dtls', '--no-cli', '--log-file', 'stdout', '--pidfile', `${run_folder}/turn.pid`,
        '-p', String(turn.port), '-L', turn.ipv4, '-L', turn.excluded, '-L', turn.ipv6, '-E', turn.ipv4]),
      serve_on('internet', origins),
      serve_on('vpn', inside_origins),
    ];
    if (this.scenario.proxy) this.servers.push(this.start_proxy());
    this.stop_pages = await serve(page_folder, [pages.plain]);
    await until('STUN server', async () => {
      const seen = await this.seen();
      return seen.ipv4 && (seen.ipv6 || !this.scenario.ipv6);
    });
    await until('web origin', async () => (await fetch(origins.ipv4)).ok);
    watch_wire();
  }

  start_proxy() {
    if (this.scenario.proxy === 'socks') {
      return start('internet', 'proxy', ['microsocks', '-p', String(proxies.socks), '-b', proxies.address]);
    }
    const config = `${run_folder}/tinyproxy.conf`;
    writeFileSync(config, `Port ${proxies.http}\nBind ${proxies.address}\nBind ${proxies.ipv6}\nTimeout 60\nMaxClients 100\n`);
    return start('internet', 'proxy', ['tinyproxy', '-d', '-c', config]);
  }

  /// Brings the tunnel up and waits until traffic uses it. Resolves to the milliseconds that it took.
  async tunnel_up() {
    const begin = Date.now();
    await this.tunnels.up();
    let found;
    await until(`${this.name} up`, async () => {
      found = {seen: await this.seen(), web: await this.web(), running: this.all_running()};
      return same(found.seen, this.scenario.seen) && same(found.web, web_of(this.scenario)) && found.running;
    }, 40000).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(found)}\n${this.tunnels.said()}`);
    });
    return Date.now() - begin;
  }

  /// The kernel says some time after a bridge got its port that the bridge has a carrier; browsers list it only then.
  all_running() {
    return (this.scenario.running ?? []).every((link) => {
      return JSON.parse(sh('client', `ip -j link show dev ${link}`))[0].operstate === 'UP';
    });
  }

  async tunnel_drop() {
    await this.tunnels.drop();
  }

  /// The names of the addresses that a STUN server sees of plain datagrams from the client now.
  async seen(wait_ms = 300) {
    const [ipv4, ipv6] = await Promise.all([stun.ipv4, stun.ipv6].map((host) => seen_by(host, stun.port, wait_ms)));
    return {ipv4: ipv4 && name_of(ipv4, this.scenario), ipv6: ipv6 && name_of(ipv6, this.scenario)};
  }

  /// The same for the second STUN server, which some scenarios route past the tunnel.
  async seen_excluded(wait_ms = 300) {
    const address = await seen_by(stun.excluded, stun.port, wait_ms);
    return address && name_of(address, this.scenario);
  }

  /// The same for what a web server sees.
  async web(wait_ms = 1000) {
    const [ipv4, ipv6] = await Promise.all([origins.ipv4, origins.ipv6].map((origin) => seen_by_web(origin, wait_ms)));
    return {ipv4: ipv4 && name_of(ipv4, this.scenario), ipv6: ipv6 && name_of(ipv6, this.scenario)};
  }

  /// Packets per sender that reached the internet side since wire_reset(), the tunnel's own not counted.
  wire() {
    return sum_wire(read_wire(), this.scenario);
  }

  wire_reset() {
    reset_wire();
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
    await this.tunnels.stop();
    for (const child of this.servers) await stop(child);
  }
}
