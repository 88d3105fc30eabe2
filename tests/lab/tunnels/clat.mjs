// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, writeFileSync} from 'node:fs';

import {run_folder, sh, start, until} from '../machine.mjs';

const nat64 = '64:ff9b::/96';
const own = '2a0e:77:0:1::c1a7';

/// IPv4 on a network that has only IPv6, as clatd sets it up with tayga: the client translates to IPv6 (CLAT, RFC 6877),
/// the router back (NAT64). It belongs to the network, so that it is there all the time.
export class Clat {
  start_tayga(host, link, lines) {
    const folder = `${run_folder}/tayga-${host}`;
    mkdirSync(folder, {recursive: true});
    const config = `${folder}/tayga.conf`;
    writeFileSync(config, `tun-device ${link}\nprefix ${nat64}\ndata-dir ${folder}\n${lines.join('\n')}\n`);
    sh(host, ['tayga', '--config', config, '--mktun']);
    sh(host, `ip link set ${link} up`);
    return start(host, `tayga-${host}`, ['tayga', '--nodetach', '--config', config]);
  }

  async start() {
    this.server = this.start_tayga('router', 'nat64', ['ipv4-addr 192.168.255.1', 'ipv6-addr 2a0e:77:0:64::1',
                                                       'dynamic-pool 192.168.255.0/24']);
    sh('router', 'ip route add 192.168.255.0/24 dev nat64');
    sh('router', `ip route add ${nat64} dev nat64`);
    this.client = this.start_tayga('client', 'clat', ['ipv4-addr 192.0.0.2', `map 192.0.0.1 ${own}`]);
    sh('client', 'sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.proxy_ndp=1 net.ipv6.conf.enp3s0.proxy_ndp=1');
    sh('client', `ip neighbour add proxy ${own} dev enp3s0`);
    sh('client', `ip route add ${own} dev clat`);
    sh('client', 'ip address add 192.0.0.1/32 dev clat');
    sh('client', 'ip route add default dev clat mtu 1260');
    await until('CLAT', () => sh('client', 'ip route show default dev clat'));
  }

  async up() {}

  async drop() {}
}
