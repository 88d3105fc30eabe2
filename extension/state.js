// SPDX-License-Identifier: Apache-2.0
// What is known, and what a person is shown of it. No browser API and no clock in here.

import {isLooser, levels, reachable} from './handling.js';

/** @typedef {import('./handling.js').Level} Level */
/** @typedef {import('./handling.js').Family} Family */
/** @typedef {{key: string, args?: string[], text?: string}} Words
 *  a message of _locales; `text` stands in where there is none */
/** @typedef {'locked' | 'open'} Hand  what the person chose while no host was there to ask */
/** @typedef {'connecting' | 'connected' | 'absent' | 'lost' | 'unusable'} HostIs */

/** @typedef {object} Known
 * @property {Family} family
 * @property {HostIs} host `absent`: no word in this browser session; `lost`: it spoke, and went
 * @property {string} detail why there is no host, in the browser's or protocol's words
 * @property {boolean} spoken whether the host spoke in this browser session
 * @property {number} serial of the last state
 * @property {import('./host.js').HostState | null} state the host's last
 * @property {Level} wish the level that should be in force
 * @property {Hand} hand
 * @property {import('./lock.js').Reading | null} reading what the browser last said is in force
 * @property {import('./host.js').Refusal | null} refusal of the last choice made in the popup */

/** @param {Family} family @returns {Known} locked until the host has spoken */
export const initial = (family) => ({
  family, host: 'connecting', detail: '', spoken: false, serial: 0, state: null,
  wish: 'force_proxy', hand: 'locked', reading: null, refusal: null});

/** Nobody watches the network: only levels that hold whatever it does may stay.
 * @param {Known} known @returns {Level} */
export function wishAlone({hand, wish}) {
  if (hand === 'open') return 'unrestricted';
  return isLooser(wish, 'force_proxy') ? 'force_proxy' : wish;
}

/** Arguments of the reason messages, in the order of their placeholders. */
/** @type {Record<string, string[]>} */
const reasonArgs = {
  no_tunnel: [], full_tunnel: ['tunnel'], split_tunnel: ['tunnel'],
  ipv6_outside_tunnel: ['tunnel', 'link'], ipv4_outside_tunnel: ['tunnel', 'link'],
  excluded_routes: ['tunnel', 'example'], partial_tunnel: ['tunnel', 'link'], blocked: [],
  hold_after_drop: ['seconds'], probe_failed: ['error'], mode_locked: [], mode_open: [],
  floor: [], http_shows_too: ['link'], settings_broken: ['error'],
  service_gone: [], service_silent: [], policy_failed: ['error'],
};

/** @param {import('./host.js').Reason} reason @returns {Words} the host's own text when args are missing */
function reasonWords({code, text, args}) {
  const wanted = Object.hasOwn(reasonArgs, code) ? reasonArgs[code] : null;
  const complete = wanted?.every((name) => ['string', 'number'].includes(typeof args?.[name]));
  return complete ? {key: `reason_${code}`, args: wanted?.map((name) => String(args?.[name])), text}
                  : {key: '', text};
}

/** @param {Known} known @returns {Words[]} why it is so, and what stands in the way */
function notes({family, host, detail, state, wish, reading, refusal}) {
  /** @type {Words[]} */
  const all = [];
  const held = holder(reading);
  if (refusal) {
    all.push({key: `error_${refusal.code}`,
      text: [refusal.what, refusal.object].filter(Boolean).join(': ') || refusal.code});
  }
  if (held) all.push({key: `held_by_${held}`});
  if (reading && isLooser(reading.level, reachable(family, wish))) {
    all.push({key: `wanted_${wish}`});
  } else if (wish !== reachable(family, wish)) {
    all.push({key: 'no_such_level'});
  }
  if (host !== 'connected') return [...all, {key: `host_${host}`, args: [detail]}];
  const problems = (state?.browsers ?? [])
    .filter(({id}) => (id === 'firefox') === (family === 'firefox'))
    .flatMap(({id, problems: list}) => list.map((text) => ({key: '', text: `${id}: ${text}`})));
  return [...all, ...(state?.reasons ?? []).map(reasonWords), ...problems];
}

/** @param {import('./lock.js').Reading | null} reading who else holds the setting */
const holder = (reading) =>
  reading?.control === 'not_controllable' ? 'policy' :
    reading?.control === 'controlled_by_other_extensions' ? 'other' : null;

/** What to show. Icon and badge come from the value read back, never from the wish alone:
 *
 * | icon    | read back                                      | badge | meaning
 * |---------|------------------------------------------------|-------|--------------------------------
 * | locked  | default_route_only, force_proxy or disabled    |       | as wanted, and the host watches
 * | open    | unrestricted, or a value that is no level      | `?`   | no host: nobody watches
 * | held    | any level, but a policy or extension holds it  | `!`   | looser than wanted
 * | unknown | nothing: not read yet, or the browser refused  |       |
 *
 * @param {Known} known */
export function view(known) {
  const {family, host, hand, reading, state, wish} = known;
  const level = reading?.level ?? null;
  const read = reading !== null && reading.control !== 'unknown';
  const icon = !read ? 'unknown' : holder(reading) ? 'held' :
    level === null || level === levels[0] ? 'open' : 'locked';
  const loose = read && isLooser(level, reachable(family, wish));
  const mode = host === 'connected' ? state?.mode : hand;
  return {
    icon,
    badge: loose || level === null && read ? '!' : !read || host !== 'connected' ? '?' : '',
    sentence: /** @type {Words} */ (!read ? {key: 'sentence_unread'} :
      {key: `sentence_${level ?? 'unknown'}`, args: [reading.value]}),
    notes: notes(known),
    modes: ['auto', 'locked', 'open'].map((id) => ({
      id, checked: id === mode, enabled: id !== 'auto' || host === 'connected'})),
  };
}

/** @typedef {ReturnType<typeof view>} View */
