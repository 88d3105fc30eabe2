// SPDX-License-Identifier: Apache-2.0
// The scenarios: one file each in scenarios/, read by name.
//
//   about    one line for people
//   kind     what it stands for in a representative run: one scenario of each kind is enough
//   ipv6     true: the client has native IPv6
//   tunnels  what comes up, in this order: {type: 'openvpn' | 'wireguard' | 'strongswan', ...} (tunnels.mjs)
//   up, down commands instead of, or beside, tunnels: [host, command]
//   seen     what a STUN server sees of a plain datagram from the client, per family; null: no answer
//   inside   true: a web server is reachable only inside the tunnel
//   excluded true: stun.excluded and its web pages are routed past the tunnel
//   proxy    'http' | 'socks': set in the browser, not on the machine
import {readdirSync} from 'node:fs';

const folder = new URL('scenarios/', import.meta.url);

export const scenarios = {};
for (const file of readdirSync(folder).filter((name) => name.endsWith('.mjs')).sort()) {
  scenarios[file.slice(0, -4)] = (await import(new URL(file, folder))).default;
}

/// Whether something stands between the client and the internet that hides an address.
export const hides = ({seen, proxy}) => Boolean(proxy) || Object.values(seen).some((name) => name?.startsWith('VPN'));
