// SPDX-License-Identifier: Apache-2.0
// The wire watch: the kernel's own record of packets (nftables sets, one entry per kind of packet, with a count), on
// the client's card and where packets enter the internet side. It is exact and read in one call, so that what a
// browser sent can be told from what it sent before.
import {isIPv6} from 'node:net';

import {hosts, names, stun, turn} from './network.mjs';
import {sh} from './machine.mjs';
import {name_of} from './scenarios.mjs';

// A tunnel's own packets to its server and the answers are no leak; neither is what every machine says to its
// neighbours (mDNS). Of the servers' TCP ports only TURN's is WebRTC's; the peer is called on any port.
const not_webrtc = ['ip daddr 44.2.2.0/24', 'ip saddr 44.2.2.0/24 ip daddr { 44.1.1.1, 44.5.5.10, 44.6.6.10 }',
                    'ip daddr 224.0.0.0/4', 'ip6 daddr ff00::/8', 'ip6 saddr fe80::/10', 'udp dport 53'];
const connects = `tcp flags syn tcp dport { ${turn.port}, ${stun.port} }`;

const set = (name, type) => `
  set ${name} {
    type ${type} . ${type} . inet_proto . inet_service
    flags dynamic
    size 65535
    counter
  }`;

const note = (match, family, version) =>
    `${match} update @seen${version} { ${family} saddr . ${family} daddr . meta l4proto . th dport }`;

const table = (hook, place, priority) => `table inet wire {${set('seen4', 'ipv4_addr')}${set('seen6', 'ipv6_addr')}
  chain watch {
    type filter hook ${hook} priority ${priority};
    ${not_webrtc.map((match) => `${place} ${match} return`).join('\n    ')}
    ${place} ${note('meta nfproto ipv4 meta l4proto udp', 'ip', 4)}
    ${place} ${note('meta nfproto ipv6 meta l4proto udp', 'ip6', 6)}
    ${place} ${note(`meta nfproto ipv4 ${connects}`, 'ip', 4)}
    ${place} ${note(`meta nfproto ipv6 ${connects}`, 'ip6', 6)}
  }
}`;

const places = {
  client: table('postrouting', 'oifname "enp3s0"', 300),
  // The proxies are on the internet side themselves.
  internet: table('prerouting', '', -300),
};

export function watch_wire() {
  for (const [host, rules] of Object.entries(places)) sh(host, 'nft -f -', {input: rules});
}

export function reset_wire() {
  for (const host of Object.keys(places)) {
    sh(host, 'nft flush set inet wire seen4');
    sh(host, 'nft flush set inet wire seen6');
  }
}

const own = new Set(['44.4.4.4', '2a0e:44::4', ...hosts.internet.addresses.isp0.map((text) => text.split('/')[0])]);

/// What the internet side's own hosts send each other is no matter.
const is_from_client_side = (source) => !own.has(source) && names[source] !== 'relay' && source !== stun.excluded &&
    !source.startsWith('44.4.4.') && !source.startsWith('2a0e:44:');

/// [{place: 'client' | 'internet', source, target, protocol: 'udp' | 'tcp', port, packets}] since reset_wire().
/// `internet`: what reached the STUN and TURN servers or the peer. `client`: what left by the card.
export function read_wire() {
  const all = [];
  for (const place of Object.keys(places)) {
    for (const version of [4, 6]) {
      const {nftables} = JSON.parse(sh(place, `nft -j list set inet wire seen${version}`));
      for (const {elem} of nftables.find((entry) => entry.set).set.elem ?? []) {
        const [source, target, protocol, port] = elem.val.concat;
        if (!is_from_client_side(source)) continue;
        all.push({place, source, target, protocol: protocol === 6 || protocol === 'tcp' ? 'tcp' : 'udp', port,
                  packets: elem.counter.packets});
      }
    }
  }
  return all;
}

const sides = {LANv4: 'isp_v4', REALv4: 'isp_v4', REALv6: 'isp_v6', VPNv4: 'vpn_v4', VPNv6: 'vpn_v6'};

/// The packets that reached the internet side, by who sent them; turn_isp: TCP connections from the ISP's side.
export function sum_wire(entries, scenario) {
  const sums = {isp_v4: 0, isp_v6: 0, vpn_v4: 0, vpn_v6: 0, turn_isp: 0};
  for (const {place, source, protocol, packets} of entries) {
    if (place !== 'internet') continue;
    const side = sides[name_of(source, scenario)];
    if (!side) continue;
    if (protocol === 'udp') sums[side] += packets;
    else if (side.startsWith('isp')) sums.turn_isp += packets;
  }
  return sums;
}

export const wire_family = ({source}) => (isIPv6(source) ? 'ipv6' : 'ipv4');
