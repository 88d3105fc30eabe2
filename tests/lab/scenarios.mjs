// SPDX-License-Identifier: Apache-2.0
// The scenarios: one file each in scenarios/, read by name.
//
//   about    one line for people
//   kind     what it stands for in a representative run: one scenario of each kind is enough
//   needs    programs for which not every system has a package: without them the scenario is left out
//   ipv6     true: the client has native IPv6
//   ipv4     false: the client's card has no IPv4 address
//   machine  commands that make the network what it is, tunnel or not: [host, command]
//   tunnels  what comes up, in this order: {type: 'openvpn' | 'wireguard' | ..., ...} (tunnels.mjs)
//   up       commands before the tunnels, on_top after them, down after they dropped
//   seen     what a STUN server sees of a plain datagram from the client, per family; null: no answer
//   web      what a web server sees, where that is something else
//   unseen   what icelock cannot know of, since it is in no route, rule or link: 'web': where web traffic goes; 'all': where
//            UDP goes too, so that the model has nothing to say and the matrix leaves it out
//   level    what mode auto takes although a looser one would do here: it cannot see which programs are meant
//   names    addresses of this scenario alone: {address: name}
//   inside   true: a web server is reachable only inside the tunnel
//   excluded true: stun.excluded and its web pages are routed past the tunnel
//   proxy    'http' | 'socks': set in the browser, not on the machine
import {existsSync, readdirSync} from 'node:fs';

import {names} from './network.mjs';

const folder = new URL('scenarios/', import.meta.url);

export const scenarios = {};
for (const file of readdirSync(folder).filter((name) => name.endsWith('.mjs')).sort()) {
  scenarios[file.slice(0, -4)] = (await import(new URL(file, folder))).default;
}

const on_path = (program) => process.env.PATH.split(':').some((folder) => existsSync(`${folder}/${program}`));

/// The names that can be run here. Says what is left out and why; ICELOCK_REQUIRE=1 makes that an error.
export function runnable(names) {
  return names.filter((name) => {
    const missing = (scenarios[name].needs ?? []).filter((program) => !on_path(program));
    if (missing.length && process.env.ICELOCK_REQUIRE === '1') throw new Error(`${name}: missing: ${missing.join(' ')}`);
    if (missing.length) console.log(`skip ${name}: missing: ${missing.join(' ')}`);
    return missing.length === 0;
  });
}

/// What tests and reports call an address.
export const name_of = (address, scenario) =>
    scenario.names?.[address] ?? (address.endsWith('.local') ? 'mdns' : names[address] ?? address);

export const web_of = ({seen, web}) => ({...seen, ...web});

/// Whether something stands between the client and the internet that hides an address.
export const hides = (scenario) => Boolean(scenario.proxy) ||
    [...Object.values(scenario.seen), ...Object.values(web_of(scenario))].some((name) => name?.startsWith('VPN'));
