// SPDX-License-Identifier: Apache-2.0
// What a person is shown of what is known. No browser API and no clock in here. Icon, badge and sentence come
// from the value read back, never from the wish alone:
//
// | icon    | read back
// |---------|------------------------------------------------------------------------
// | locked  | as strict as wanted, and a host watches the network
// | alone   | as strict as wanted, but no host watches
// | open    | unrestricted as wanted, or loosened for a call
// | leaking | looser than wanted, no level at all, or a connection from before the lock
// | policy  | as wanted, but a policy holds it
// | other   | as wanted, but another extension holds it
// | unknown | nothing: not read yet, or the browser refused

import {isLooser, levels, reachable} from './handling.js';
import {siteName} from './sites.js';
import {isExcepted, modeOf, proxyCounts, siteWay, target} from './state.js';

/** @typedef {import('./state.js').Known} Known */
/** @typedef {{key: string, args?: string[], text?: string}} Words
 *  a message of _locales; `text` stands in where there is none */

/** Arguments of the reason messages, in the order of their placeholders.
 * @type {Record<string, string[]>} */
const reasonArgs = {
  no_tunnel: [], full_tunnel: ['tunnel'], full_tunnel_unmarked: ['tunnel'], split_tunnel: ['tunnel'],
  ipv6_outside_tunnel: ['tunnel', 'link'], ipv4_outside_tunnel: ['tunnel', 'link'],
  udp_outside_tunnel: ['tunnel', 'link'], marked_into_tunnel: ['tunnel'],
  excluded_routes: ['tunnel', 'example'], excluded_service: ['service', 'pattern'],
  neighbours_outside_tunnel: ['link', 'example'], partial_tunnel: ['tunnel', 'link'], blocked: [],
  ways_unknown: [], ways_disputed: ['example'], links_named: [],
  isp_v6_accepted: ['link'], may_accept_isp_v6: [],
  hold_after_drop: ['seconds'], probe_failed: ['error'], mode_locked: [], mode_open: [],
  floor: [], http_shows_too: ['link'], settings_broken: ['error'],
  admin_protects: [], service_gone: [], service_silent: [], policy_failed: ['error'], sites_broken: ['error'],
};

/** An argument as a person of any language reads it: a list of addresses has an English word before its link.
 * @param {string} name @param {string} value */
const readable = (name, value) => name === 'pattern' ? siteName(value) :
  name === 'example' ? value.replace(/ over ([^\s,;]+)/g, ' ($1)') : value;

/** @param {import('./host.js').Reason} reason @returns {Words} the host's own text when args are missing */
function reasonWords({code, text, args}) {
  const wanted = Object.hasOwn(reasonArgs, code) ? reasonArgs[code] : null;
  const complete = wanted?.every((name) => ['string', 'number'].includes(typeof args?.[name]));
  if (!wanted || !complete) return {key: '', text};
  return {key: `reason_${code}`, args: wanted.map((name) => readable(name, String(args?.[name]))), text};
}

/** Who else holds the setting, and keeps icelock out.
 * @param {Known} known @returns {'policy' | 'service' | 'other' | null} */
function holder({reading, state, host}) {
  if (reading?.control === 'controlled_by_other_extensions') return 'other';
  if (reading?.control !== 'not_controllable') return null;
  const managed = state?.service?.manages_policies === true || state?.sites?.possible === true;
  return host === 'connected' && managed ? 'service' : 'policy';
}

/** @param {Known} known */
function facts(known) {
  const {family, host, reading, stale} = known;
  const level = reading?.level ?? null;
  const read = reading !== null && reading.control !== 'unknown';
  return {level, read, held: holder(known), alone: host !== 'connected',
    leaking: read && isLooser(level, reachable(family, target(known))),
    excepted: known.exceptions.find(({kind}) => kind === 'browser' && isLooser(level, 'force_proxy')),
    sites: host === 'connected' && (known.state?.sites?.list ?? []).length > 0,
    stale: read && level !== levels[0] ? stale.length : 0};
}

/** @typedef {ReturnType<typeof facts>} Facts */

/** @param {Facts} facts */
function iconOf({level, read, held, alone, leaking, excepted, stale}) {
  if (!read) return 'unknown';
  if (leaking || stale > 0) return 'leaking';
  if (excepted) return 'open';
  if (held === 'policy' || held === 'other') return held;
  if (level === levels[0]) return 'open';
  return alone ? 'alone' : 'locked';
}

/** @param {Facts} facts @returns {Words} */
function tipOf(facts) {
  const {level, read, held, alone, leaking, excepted, stale, sites} = facts;
  if (!read) return {key: 'tip_unread'};
  if (leaking) return {key: 'tip_leaking'};
  if (stale > 0) return {key: 'tip_stale'};
  if (excepted) return {key: 'tip_excepted', args: [siteName(excepted.pattern)]};
  if (held === 'policy' || held === 'other') return {key: `tip_${held}`};
  const kind = level === levels[0] ? 'open' : level === 'default_route_only' ? 'route' : 'locked';
  if (alone) return {key: {open: 'tip_alone_open', route: 'tip_route_alone', locked: 'tip_alone'}[kind]};
  return {key: kind === 'locked' && sites ? 'tip_locked_but_sites' : `tip_${kind}`};
}

/** @param {Known} known @param {Facts} facts @returns {Words} */
function effectOf({reading}, {level, read, alone, leaking, excepted, stale}) {
  if (!read) return {key: 'effect_unread'};
  if (level === null) return {key: 'effect_unknown', args: [reading?.value ?? '']};
  if (leaking) return {key: 'effect_leaking'};
  if (excepted) return {key: 'effect_excepted', args: [siteName(excepted.pattern)]};
  if (stale === 1) return {key: 'effect_stale_one'};
  if (stale > 1) return {key: 'effect_stale', args: [String(stale)]};
  return {key: alone && level === 'default_route_only' ? 'effect_route_by_hand' : `effect_${level}`};
}

/** The host's reasons: the first is the cause, in the state's sentence.
 * @param {Known} known @returns {Words[]} */
const reasons = ({host, state}) => (host === 'connected' ? state?.reasons ?? [] : []).map(reasonWords);

/** @param {Known} known @param {Facts} facts @returns {Words[]} what stands in the way, and more of why */
function notes(known, {leaking, held, alone}) {
  const {family, host, detail, browsers, refusal, proxy} = known;
  const wanted = target(known);
  /** @type {Words[]} */
  const all = [];
  if (refusal && !(refusal.code === 'timeout' && host === 'silent')) {
    all.push({key: `error_${refusal.code}`,
      text: [refusal.what, refusal.object].filter(Boolean).join(': ') || refusal.code});
  }
  if (held) all.push({key: `held_by_${held}`});
  if (leaking) all.push({key: `wanted_${wanted}`});
  else if (wanted !== reachable(family, wanted)) all.push({key: 'no_such_level'});
  if (proxyCounts(known)) all.push({key: `proxy_${proxy}`});
  if (!known.privateToo) all.push({key: 'private_not_covered'});
  if (alone) return [...all, {key: `host_${host}`, args: [detail]}];
  const problems = browsers
    .filter(({id}) => (id === 'firefox') === (family === 'firefox'))
    .flatMap(({id, problems: list}) => list.map((text) => ({key: '', text: `${id}: ${text}`})));
  return [...all, ...reasons(known).slice(1), ...problems];
}

/** @param {Known} known */
function modesOf(known) {
  const {host, state, settings} = known;
  const fixed = settings.mode !== null || (host === 'connected' && state?.mode_fixed === true);
  const mode = modeOf(known);
  const offered = host === 'connected' ? ['auto', 'locked', 'open'] : ['auto', 'locked', 'route', 'open'];
  const allowed = (/** @type {string} */ id) => (host === 'connected' ? state?.modes?.includes(id) ?? true
    : id !== 'auto');
  return {fixed, modes: offered.map((id) => ({id, checked: id === mode, enabled: !fixed && allowed(id)}))};
}

/** What is loosened, by whoever. `until`: ms of the epoch, null for no end.
 * @param {Known} known */
function exceptionsOf({exceptions, state, host, at}) {
  const list = host === 'connected' ? state?.sites?.list ?? [] : [];
  const leased = new Map(exceptions.map((one) => [one.pattern, one]));
  const own = exceptions.filter(({kind}) => kind === 'browser')
    .map(({kind, pattern, tab, until}) => ({kind, pattern, by: 'you', tab, until}));
  return [...own, ...list.map(({pattern, by, seconds_left}) => ({kind: 'service', pattern, by,
    tab: leased.get(pattern)?.tab ?? null,
    until: typeof seconds_left === 'number' ? at + seconds_left * 1000 : null}))];
}

/** @param {Known} known @param {number} now ms of the epoch */
export function view(known, now) {
  const {host, state, kept, keptUntil, stale} = known;
  const all = facts(known);
  const icon = iconOf(all);
  const minutes = all.excepted ? Math.max(1, Math.ceil((all.excepted.until - now) / 60_000)) : 0;
  return {
    icon,
    badge: icon === 'leaking' ? '!' : minutes ? `${minutes}m` : icon === 'unknown' || all.alone ? '?' : '',
    tip: tipOf(all),
    cause: reasons(known)[0] ?? null,
    sentence: effectOf(known, all),
    notes: notes(known, all),
    hostHelp: host === 'absent' || host === 'older' || host === 'unusable',
    ...modesOf(known),
    site: {way: siteWay(known), family: known.family, hostOld: host === 'connected' && !state?.sites,
      exceptions: exceptionsOf(known), kept, keptUntil},
    stale,
  };
}

/** @typedef {ReturnType<typeof view>} View */

/** The same for the extension's other pages, which show more of it.
 * @param {Known} known */
export function raw(known) {
  const {family, host, detail, reading, wish, state, proxy} = known;
  return {family, host, detail, level: reading?.level ?? null, control: reading?.control ?? 'unknown', wish,
    state, proxy, excepted: isExcepted(known), exceptions: exceptionsOf(known)};
}
