// SPDX-License-Identifier: Apache-2.0
import {sh, start, until} from '../machine.mjs';

const [own, peer] = ['44.5.5.10', '44.5.5.1'];

/// Stands in for PPPoE, since a test machine's kernel may have no ppp: two socats carry packets between a tun link on
/// the client and one on the router, over the card, which has no IPv4 address of its own. As with PPPoE the provider's
/// public address is on the link itself. What differs from a real one is the link's kind (tun for ppp) and the framing.
/// It belongs to the network, so that it is there all the time.
export class PointToPoint {
  start_end(host, card, link, near, far, options) {
    return start(host, `line-${host}`, [
      'socat', '-T', '0', `TUN:${near}/32,tun-name=${link},iff-no-pi`, `UDP6-DATAGRAM:[${far}%${card}]:5000,${options}`]);
  }

  async start() {
    sh('client', 'ip address add fe80::77:10/64 dev enp3s0 nodad');
    sh('router', 'ip address add fe80::77:1/64 dev lan0 nodad');
    this.server = this.start_end('router', 'lan0', 'line0', peer, 'fe80::77:10', 'bind=[fe80::77:1%lan0]:5000');
    this.client = this.start_end('client', 'enp3s0', 'ppp0', own, 'fe80::77:1', 'bind=[fe80::77:10%enp3s0]:5000');
    for (const [host, link, near, far] of [['router', 'line0', peer, own], ['client', 'ppp0', own, peer]]) {
      await until(link, () => sh(host, `ip link show ${link}`));
      sh(host, `ip address flush dev ${link} scope global`);
      sh(host, `ip address add ${near} peer ${far} dev ${link}`);
      sh(host, `ip link set ${link} mtu 1492 up`);
    }
    sh('client', 'ip route add default dev ppp0 metric 100');
    sh('internet', `ip route add ${own} via 44.1.1.1`);
    sh('router', `nft insert rule ip nat post ip saddr ${own} accept`);
  }

  async up() {}

  async drop() {}
}
