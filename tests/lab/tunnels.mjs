// SPDX-License-Identifier: Apache-2.0
// The tunnels: each a pair of a server, started with the lab, and a client that comes up and drops. One file each.
import {sh, stop} from './machine.mjs';
import {OpenVpn} from './tunnels/openvpn.mjs';
import {StrongSwan} from './tunnels/strongswan.mjs';
import {WireGuard} from './tunnels/wireguard.mjs';

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
