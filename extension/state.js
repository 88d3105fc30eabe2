// SPDX-License-Identifier: Apache-2.0
// What is known, and which level follows from it. No browser API and no clock in here.

import {isLooser, levels, stricter} from './handling.js';

/** @typedef {import('./handling.js').Level} Level */
/** @typedef {import('./handling.js').Family} Family */
/** @typedef {import('./view.js').Words} Words */
/** @typedef {import('./view.js').View} View */
/** @typedef {'locked' | 'route' | 'open'} Hand  what the person chose while no host was there to ask */
/** @typedef {'connecting' | 'connected' | 'absent' | 'forbidden' | 'lost' | 'silent' | 'unusable' |
 *  'older' | 'newer'} HostIs */
/** @typedef {'none' | 'set' | 'declared' | 'unreadable'} ProxyIs  `declared`: the person says so, where the
 *  browser would not tell; `unreadable`: it should tell and does not */

/** @typedef {object} Exception  one that this browser keeps itself
 * @property {'service' | 'browser'} kind `service`: the service loosens that site, and this is the lease for
 *   one tab; `browser`: nobody can loosen one site, so the browser is loose for as long as this lasts
 * @property {string} pattern
 * @property {number} tab it ends with
 * @property {number} seen when it was last looked at, ms of the epoch
 * @property {number} until ms of the epoch */

/** @typedef {object} Known
 * @property {Family} family
 * @property {HostIs} host `absent`: no word in this browser session; `lost`: it spoke, and went
 * @property {string} detail why there is no host, in the browser's or protocol's words
 * @property {boolean} spoken whether the host spoke in this browser session
 * @property {number} serial of the last state
 * @property {import('./host.js').HostState | null} state the host's last
 * @property {number} at when it came, ms of the epoch
 * @property {import('./host.js').Browser[]} browsers what the host said last of this machine's browsers
 * @property {Level} wish the level that host or hand ask for
 * @property {Hand} hand
 * @property {{floor: Level | null, mode: 'auto' | 'locked' | 'open' | null}} settings the administrator's
 * @property {ProxyIs} proxy
 * @property {boolean} closing whether the last window may be closing, with what the next session begins
 * @property {Exception[]} exceptions
 * @property {Record<string, number[]>} kept the tabs that keep an exception which is over, by its pattern
 * @property {number} keptUntil when a new tab is without them for certain, ms of the epoch
 * @property {{id: number, title: string, count: number}[]} stale tabs with connections from before the lock
 * @property {boolean} privateToo whether private windows obey: Chromium's only where the extension is allowed
 * @property {import('./lock.js').Reading | null} reading what the browser last said is in force
 * @property {import('./host.js').Refusal | null} refusal of the last choice made in the popup */

/** @param {Family} family @returns {Known} locked until the host has spoken */
export const initial = (family) => ({
  family, host: 'connecting', detail: '', spoken: false, serial: 0, state: null, at: 0, browsers: [],
  wish: 'force_proxy', hand: 'locked', settings: {floor: null, mode: null}, proxy: 'none', closing: false,
  exceptions: [], kept: {}, keptUntil: 0, stale: [], privateToo: true, reading: null, refusal: null});

/** @type {Record<Hand, Level>} */
const handLevels = {open: 'unrestricted', route: 'default_route_only', locked: 'force_proxy'};

/** The administrator's choice counts instead of the person's, and leaves that as it was.
 * @param {Known} known @returns {Hand} */
export const handOf = ({settings, hand}) =>
  settings.mode === null ? hand : settings.mode === 'open' ? 'open' : 'locked';

/** Nobody watches the network: only levels that hold whatever it does may stay.
 * @param {Known} known @returns {Level} */
export function wishAlone(known) {
  const hand = handOf(known);
  if (hand !== 'locked') return handLevels[hand];
  return stricter(known.wish, 'force_proxy');
}

/** The administrator's least level, by all ways that one can state it.
 * @param {Known} known @returns {Level} */
export function floorOf({settings, state}) {
  const fixed = state?.mode_fixed === true && state.mode === 'locked';
  /** @type {(Level | null | undefined)[]} */
  const all = [settings.floor, settings.mode === 'locked' ? 'force_proxy' : null, state?.floor,
    fixed ? state.mode_level ?? 'force_proxy' : null];
  return all.map((one) => one ?? levels[0]).reduce(stricter);
}

/** @param {Known} known @returns {string} the mode that the popup shows */
export const modeOf = (known) =>
  (known.host === 'connected' && known.state ? known.state.mode : handOf(known));

/** A proxy hides an address as a tunnel does, and WebRTC would go around it.
 * @param {Known} known */
export const proxyCounts = (known) => known.proxy !== 'none' && modeOf(known) !== 'open';

/** @param {Known} known */
export const isExcepted = ({exceptions}) => exceptions.some(({kind}) => kind === 'browser');

/** The level that should be in force, with all that is above the host's word.
 * @param {Known} known @returns {Level} */
export function target(known) {
  let level = known.wish;
  if (proxyCounts(known)) level = stricter(level, 'force_proxy');
  if (isExcepted(known) && isLooser('default_route_only', level)) level = 'default_route_only';
  if (known.closing) level = stricter(level, 'force_proxy');
  return stricter(level, floorOf(known));
}

/** How a site can be let through.
 * `service`: that site alone. `browser`: the whole browser, for a time. `works`: no need to. `floor`, `held`:
 * not at all.
 * @param {Known} known @returns {'service' | 'browser' | 'works' | 'floor' | 'held'} */
export function siteWay(known) {
  const {family, host, state, reading} = known;
  const service = family === 'chromium' && host === 'connected' && state?.sites?.possible === true;
  if (isLooser('default_route_only', floorOf(known))) return 'floor';
  if (isExcepted(known)) return 'browser';
  if (reading?.level && !isLooser('default_route_only', reading.level)) return 'works';
  if (service) return 'service';
  return reading?.control.endsWith('_by_this_extension') ? 'browser' : 'held';
}
