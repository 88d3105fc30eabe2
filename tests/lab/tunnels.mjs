// SPDX-License-Identifier: Apache-2.0
// The tunnels: each a pair of a server, started with the lab, and a client that comes up and drops. One file each.
import {readFileSync} from 'node:fs';

import {sh, stop} from './machine.mjs';
import {Clat} from './tunnels/clat.mjs';
import {OpenConnect} from './tunnels/openconnect.mjs';
import {OpenVpn} from './tunnels/openvpn.mjs';
import {PointToPoint} from './tunnels/point_to_point.mjs';
import {Redsocks} from './tunnels/redsocks.mjs';
import {SoftEther} from './tunnels/softether.mjs';
import {StrongSwan} from './tunnels/strongswan.mjs';
import {Tinc} from './tunnels/tinc.mjs';
import {WireGuard} from './tunnels/wireguard.mjs';

const types = {openvpn: OpenVpn, wireguard: WireGuard, strongswan: StrongSwan, openconnect: OpenConnect,
               softether: SoftEther, tinc: Tinc, clat: Clat, point_to_point: PointToPoint, redsocks: Redsocks};

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
    for (const [host, command] of this.scenario.on_top ?? []) sh(host, command);
  }

  async drop() {
    for (const tunnel of [...this.all].reverse()) await tunnel.drop();
    for (const [host, command] of this.scenario.down ?? []) sh(host, command);
  }

  /// The end of what the programs at both ends said, for a tunnel that did not come up.
  said() {
    return this.all.flatMap(({client, server}) => [client, server]).filter((child) => child?.log)
        .map(({log}) => `${log}:\n${readFileSync(log, 'utf8').slice(-1500)}`).join('\n');
  }

  async stop() {
    for (const tunnel of this.all) {
      if (tunnel.stop) await tunnel.stop();
      else for (const child of [tunnel.client, tunnel.server]) if (child) await stop(child);
    }
  }
}
