// SPDX-License-Identifier: Apache-2.0
// What the addresses mean that a site could learn. No browser API and no clock in here.

import {isLooser} from './handling.js';

/** @typedef {import('./handling.js').Level} Level */
/** @typedef {import('./state.js').Words} Words */
/** @typedef {{address: string, type: string, server: string}} Found
 *  `address` may be a made-up name that ends in .local; `server` is the one that was asked, if any */
/** @typedef {{api: boolean, found: Found[], answered: string[]}} Gathered
 *  `api`: whether pages have WebRTC at all; `answered`: the servers that gave an address back */
/** @typedef {{link: string, class: string, addresses: {address: string,
 *   candidates?: {type: string, address: string}[]}[]}} Link  as `icelock probe --json` has it */
/** @typedef {{level: Level | null, state: any, links: Link[] | null}} Known
 *  `level` is what was read back; `state` is the host's, null without one */
/** @typedef {'hidden' | 'tunnel' | 'lan' | 'isp' | 'egress' | 'unsure'} Kind */
/** @typedef {Found & {family: 0 | 4 | 6, kind: Kind, words: Words, foreign: boolean}} Explained
 *  `foreign`: the host knows every address of this machine, and this is none of them */
/** @typedef {'no_api' | 'leak' | 'lock_broken' | 'unsure' | 'silent' | 'locked' | 'vpn_only' |
 *   'plain'} Verdict */
/** @typedef {'you' | 'network' | 'daily'} Cause */
/** @typedef {{at: number, cause: Cause, permission: boolean, verdict: Verdict, found: Explained[],
 *   servers: string[], answered: string[]}} Check */

export const historyLength = 20;

/** One `a=candidate` line or candidate string (RFC 8839 section 5.1): its address, and the one that it is
 * related to where that is told.
 * @param {string} line @param {string} server @returns {Found[]} */
export function parseCandidate(line, server) {
  const words = line.trim().replace(/^a=/, '').split(/\s+/);
  if (!words[0]?.startsWith('candidate:') || words[6] !== 'typ' || !words[7]) return [];
  const related = words[8] === 'raddr' ? words[9] : '';
  return [{address: words[4], type: words[7], server}, {address: related, type: 'related', server}]
    .filter(({address}) => familyOf(address) !== 0 ? !isNone(address) : address.endsWith('.local'))
    .map((one) => ({...one, address: plain(one.address)}));
}

/** @param {string} address @returns {0 | 4 | 6} */
const familyOf = (address) => /^\d+\.\d+\.\d+\.\d+$/.test(address) ? 4 : address.includes(':') ? 6 : 0;

/** @param {string} address */
const isNone = (address) => address === '0.0.0.0' || /^[0:]+$/.test(address);

/** @param {string} address @returns {string} one spelling for one address */
export function plain(address) {
  try {
    return familyOf(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
  } catch {
    return address;
  }
}

/** Blocks that are no public address (RFC 6890): private, shared, link-local, loopback. */
const localBlocks = [/^(10|127)\./, /^169\.254\./, /^192\.168\./, /^172\.(1[6-9]|2\d|3[01])\./,
  /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./, /^f[cd][\da-f]{2}:/, /^fe[89ab][\da-f]:/, /^::1$/];

/** @param {string} address */
const isLocal = (address) => localBlocks.some((block) => block.test(address));

/** @param {any} state whether a VPN is there whose address should be the only one */
const hasTunnel = (state) => (state?.tunnels ?? []).some((/** @type {any} */ one) =>
  one?.ipv4 === 'full' || one?.ipv6 === 'full') ||
  ['ipv4', 'ipv6'].some((family) =>
    ['tunnel', 'ipsec', 'partial'].includes(state?.network?.[family]?.verdict));

/** @param {Kind} kind @param {string} [link] @returns {{kind: Kind, words: Words}} */
const meaning = (kind, link = '') =>
  ({kind, words: link ? {key: `check_is_${kind}_on`, args: [link]} : {key: `check_is_${kind}`}});

/** An address that is not one of this machine's: the outer side of what?
 * @param {string} address @param {Known} known */
function meaningOutside(address, {state, links}) {
  const via = (links ?? []).find(({addresses}) => addresses.some(({candidates}) =>
    candidates?.some((one) => one.type === 'srflx' && plain(one.address) === address)));
  if (via) return meaning(via.class === 'tunnel' ? 'egress' : 'isp', via.link);
  const family = state?.network?.[familyOf(address) === 4 ? 'ipv4' : 'ipv6'];
  const link = typeof family?.link === 'string' ? family.link : '';
  if (family?.verdict === 'direct') return meaning('isp', link);
  const all = ['tunnel', 'ipsec'].includes(family?.verdict) && family.excluded_routes === false;
  return all ? meaning('egress', link) : meaning('unsure', state ? link : '');
}

/** Without the host's list a tunnel's own address looks like any other. @param {Known} known */
const mayBeTunnels = ({links, state}) => !links && hasTunnel(state);

/** @param {Found} found @param {Known} known @returns {Explained} */
export function explain(found, known) {
  const {address, type} = found;
  const family = familyOf(address);
  const owner = (known.links ?? []).find((link) =>
    link.addresses.some((one) => plain(one.address) === address));
  const what = family === 0 ? meaning('hidden') :
    owner?.class === 'tunnel' ? meaning('tunnel', owner.link) :
    owner ? meaning(isLocal(address) ? 'lan' : 'isp', owner.link) :
    isLocal(address) && type !== 'srflx' ? meaning(mayBeTunnels(known) ? 'unsure' : 'lan') :
    meaningOutside(address, known);
  return {...found, family, ...what, foreign: Boolean(known.links) && family !== 0 && !owner};
}

/** @param {Gathered} gathered @param {Known} known @returns {Explained[]} each address once, worst first */
export function explainAll({found}, known) {
  const order = ['isp', 'lan', 'unsure', 'egress', 'tunnel', 'hidden'];
  const seen = new Map();
  for (const one of found.map((each) => explain(each, known))) {
    const before = seen.get(one.address);
    if (!before || order.indexOf(one.kind) < order.indexOf(before.kind)) seen.set(one.address, one);
  }
  return [...seen.values()].sort((one, two) => order.indexOf(one.kind) - order.indexOf(two.kind));
}

/** @param {Gathered} gathered @param {Explained[]} all @param {Known} known @returns {Verdict} */
export function judge({api, answered}, all, {level, state}) {
  if (!api) return 'no_api';
  const shown = all.filter(({kind}) => kind !== 'hidden');
  const has = (/** @type {Kind[]} */ ...kinds) => shown.some(({kind}) => kinds.includes(kind));
  const locked = !isLooser(level, 'force_proxy');
  if (hasTunnel(state) && has('isp', 'lan')) return 'leak';
  if (locked && shown.length > 0) return 'lock_broken';
  if (level === 'default_route_only' && has('lan')) return 'lock_broken';
  if (locked) return 'locked';
  if (answered.length === 0) return 'silent';
  if (!state || has('unsure')) return 'unsure';
  return hasTunnel(state) ? 'vpn_only' : 'plain';
}

/** @param {Verdict} verdict whether something shows that should not */
export const isBad = (verdict) => verdict === 'leak' || verdict === 'lock_broken';

/** @param {Verdict} verdict @returns {'good' | 'bad' | 'quiet'} */
export const toneOf = (verdict) => isBad(verdict) ? 'bad' :
  ['locked', 'no_api', 'vpn_only'].includes(verdict) ? 'good' : 'quiet';

/** @param {Gathered} gathered @param {Known} known
 * @param {{at: number, cause: Cause, permission: boolean, servers: string[]}} about @returns {Check} */
export function examine(gathered, known, about) {
  const found = explainAll(gathered, known);
  return {...about, verdict: judge(gathered, found, known), found, answered: gathered.answered};
}

/** @param {unknown} stored @param {Check} check @returns {Check[]} newest first, bounded */
export const remember = (stored, check) => [check, ...readHistory(stored)].slice(0, historyLength);

/** @param {unknown} stored @returns {Check[]} */
export const readHistory = (stored) => (Array.isArray(stored) ? stored : []).filter((one) =>
  Number.isFinite(one?.at) && typeof one.verdict === 'string' && Array.isArray(one.found) &&
  Array.isArray(one.servers) && Array.isArray(one.answered)).slice(0, historyLength);

/** What one address is. @param {Explained} found @param {(message: Words) => string} say @returns {string} */
export const inWords = ({foreign, words}, say) =>
  foreign ? `${say({key: 'check_not_local'})} ${say(words)}` : say(words);

/** @param {Check} check @param {(message: Words) => string} say @param {string} when @returns {string} */
export function asText({verdict, found, permission, servers, answered}, say, when) {
  const lines = [`icelock: ${say({key: `check_verdict_${verdict}`})}`, when,
    say({key: permission ? 'check_with_permission' : 'check_without_permission'})];
  for (const server of servers) {
    lines.push(say({key: answered.includes(server) ? 'check_answered' : 'check_not_answered',
      args: [server.replace('stun:', '')]}));
  }
  for (const one of found) lines.push(`${one.address}: ${inWords(one, say)}`);
  if (found.length === 0) lines.push(say({key: 'check_nothing'}));
  return `${lines.join('\n')}\n`;
}
