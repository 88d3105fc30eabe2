// SPDX-License-Identifier: Apache-2.0
// One reading of a browser: what script on different pages learned, and what went over the wire meanwhile.
import {leaks} from '../browser/expect.mjs';
import {sleep} from './machine.mjs';
import {inside_origins, origins, pages, stun, turn} from './network.mjs';
import {name_of, web_of} from './scenarios.mjs';
import {read_wire, reset_wire} from './wire.mjs';

const bracket = (address) => (address.includes(':') ? `[${address}]` : address);
const account = {username: turn.username, credential: turn.credential};

export const stun_servers = [stun.ipv4, stun.ipv6, stun.excluded]
    .map((address) => ({urls: `stun:${bracket(address)}:${stun.port}`}));
const turn_server = (address, transport) =>
    ({urls: `turn:${bracket(address)}:${turn.port}?transport=${transport}`, ...account});
export const turn_servers = [turn.ipv4, turn.ipv6].flatMap((address) =>
    [turn_server(address, 'udp'), turn_server(address, 'tcp')]).concat(turn_server(turn.excluded, 'tcp'));
export const all_servers = [...stun_servers, ...turn_servers];

// Answered candidates are there within 0.3 s. `patient` is for a second look at what was expected and did not come.
export const timing = {least_ms: 600, quiet_ms: 350, most_ms: 1500};
export const patient = {least_ms: 2500, quiet_ms: 800, most_ms: 4000};

/// The pages of a scenario, in groups that are read one after another: pages of one group came by the same way, so
/// that what goes over the wire meanwhile is theirs. A page is [url] or [url, url of a frame in it].
export function page_groups(scenario, permission) {
  const {inside, excluded, proxy} = scenario;
  const has = permission === 'granted';
  const groups = {
    ipv4: has ? [[pages.granted], [origins.secure_ipv4], [origins.ipv4, origins.secure_ipv4]]
              : [[pages.plain], [origins.ipv4], [origins.ipv4, origins.frame]],
  };
  // microsocks sends from one address, an IPv4 one.
  if (web_of(scenario).ipv6 && proxy !== 'socks') groups.ipv6 = [[has ? origins.secure_ipv6 : origins.ipv6]];
  if (inside) groups.inside = [[has ? inside_origins.secure_inside : inside_origins.inside]];
  if (excluded) groups.excluded = [[has ? origins.secure_excluded : origins.excluded]];
  return groups;
}

/// {NAME: letters} of one page.
function named(addresses, scenario) {
  const result = {};
  for (const [address, letters] of Object.entries(addresses)) {
    const name = name_of(address, scenario);
    result[name] = [...new Set((result[name] ?? '') + letters)].sort().join('');
  }
  return result;
}

/// Addresses that are there to be hidden. What the page's own server sees is known without WebRTC, and so is the
/// related address of a relay over TCP (nothing but p and its copy in getStats()).
export function protected_in(seen, knows) {
  return leaks(seen).filter((name) => !['relay', 'PROXY', knows].includes(name) && !/^[pt]*p[pt]*$/.test(seen[name]));
}

/// {script, wire: [entry], protected: {script: [], wire: []}} of one group of pages.
async function read_group(browser, scenario, group, when) {
  const calls = group.map(([url, frame]) =>
      (frame ? [url, 'study_in_frame', frame, when] : [url, 'study', when]));
  reset_wire();
  const studied = await browser.run_all(calls);
  await sleep(30);
  const wire = read_wire();
  const script = {};
  const shown = new Set();
  const known = new Set();
  for (const {api, addresses, knows} of studied) {
    const seen = named(addresses, scenario);
    const server_sees = name_of(knows ?? '', scenario);
    known.add(server_sees);
    if (!api) script['no API'] = '';
    for (const [name, letters] of Object.entries(seen)) {
      script[name] = [...new Set((script[name] ?? '') + letters)].sort().join('');
    }
    for (const name of protected_in(seen, server_sees)) shown.add(name);
  }
  const sent = new Set(wire.filter(({protocol}) => protocol === 'udp')
      .map(({source}) => name_of(source, scenario)).filter((name) => leaks({[name]: ''}).length > 0 && name !== 'PROXY'));
  for (const name of known) sent.delete(name);
  // Before the router's translation an address is the LAN's.
  if (known.has('REALv4')) sent.delete('LANv4');
  return {script, wire, knows: [...known], protected: {script: [...shown].sort(), wire: [...sent].sort()}};
}

/// All groups together. wire: what reached the internet side, as {NAME: 'udp tcp'}; left: what left by the card.
export async function read_all(browser, scenario, permission, pace = timing, servers = all_servers) {
  const groups = page_groups(scenario, permission);
  const total = {script: {}, wire: {}, left: {}, http: new Set(), protected: {script: new Set(), wire: new Set()}};
  for (const group of Object.values(groups)) {
    const one = await read_group(browser, scenario, group, {servers, timing: pace});
    for (const [name, letters] of Object.entries(one.script)) {
      total.script[name] = [...new Set((total.script[name] ?? '') + letters)].sort().join('');
    }
    for (const {place, source, protocol} of one.wire) {
      const side = place === 'internet' ? total.wire : total.left;
      const name = name_of(source, scenario);
      side[name] = [...new Set([...(side[name] ?? '').split(' '), protocol])].filter(Boolean).sort().join(' ');
    }
    for (const name of one.knows) total.http.add(name);
    for (const channel of ['script', 'wire']) {
      for (const name of one.protected[channel]) total.protected[channel].add(name);
    }
  }
  return {...total, http: [...total.http].sort(),
          protected: {script: [...total.protected.script].sort(), wire: [...total.protected.wire].sort()}};
}
