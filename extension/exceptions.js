// SPDX-License-Identifier: Apache-2.0
// Calls let through for a while. Where the service can loosen one site, it is asked to and keeps the time;
// here is only the lease of a call, renewed while its tab lives, so that a browser that dies leaves nothing
// behind. Where nobody can, the browser is loosened, for a tab and a time that are kept here. Both live in
// storage.session: a restarted browser has no such tab, and is locked.

import {isLooser} from './handling.js';
import {isPattern} from './sites.js';
import {floorOf, siteWay} from './state.js';

export const alarmName = 'exceptions';
const minute = 60_000;

/** Milliseconds. `lease` is what the service is asked for while a call lasts, `renew` how often. `read` is
 * how long a browser may still give a new tab what is over: Chromium reads a changed policy file at once or,
 * where it missed the change, after 5 s (components/policy/core/common/async_policy_loader.cc). */
export const times = {call: 240 * minute, hour: 60 * minute, serviceCall: 720 * minute, lease: 15 * minute,
  renew: 5 * minute, tick: minute, read: 6000};
const most = {exceptions: 8, kept: 8, tabs: 200};

/** @typedef {import('./state.js').Known} Known */
/** @typedef {import('./state.js').Exception} Exception */

/** A clock that was set back must not make an exception longer.
 * @param {Exception} one @param {number} now */
const isOver = ({seen, until}, now) => now >= until || now < seen - minute;

/** @param {any} one @returns {one is Exception} */
const isException = (one) => ['service', 'browser'].includes(one?.kind) && isPattern(one.pattern) &&
  [one.tab, one.seen, one.until].every(Number.isFinite);

/** @param {import('./ext.js').Api} ext @param {Known} known its `exceptions` and `kept` are this module's
 * @param {(op: string, args?: object) => Promise<object>} request to the host
 * @param {() => void} changed called when the level may have to follow */
export function createExceptions(ext, known, request, changed) {
  /** Leases of an earlier browser session, to be given back when the host is there.
   * @type {string[]} */
  let forgotten = [];
  /** @type {Set<string>} those that are being given back */
  const giving = new Set();
  /** The patterns that the service held last. @type {Set<string>} */
  let held = new Set();

  /** @param {any} session @param {any} local what storage has */
  async function load(session, local) {
    if (Array.isArray(session.exceptions)) known.exceptions = session.exceptions.filter(isException);
    known.kept = Object.fromEntries(
      Object.entries(session.kept ?? {}).filter(([, tabs]) => Array.isArray(tabs)));
    known.keptUntil = Number.isFinite(session.keptUntil) ? session.keptUntil : 0;
    held = new Set((known.state?.sites?.list ?? []).map(({pattern}) => pattern));
    const mine = new Set(leases());
    forgotten = (Array.isArray(local.leases) ? local.leases : [])
      .filter((/** @type {unknown} */ one) => isPattern(one) && !mine.has(one));
    await removeOver();
    if (known.exceptions.length > 0) store();
  }

  /** Those whose time or whose tab is over. */
  async function removeOver() {
    const there = new Map(await Promise.all(known.exceptions.map(async (one) =>
      /** @type {const} */ ([one, await tabIsThere(one.tab)]))));
    const now = Date.now();
    await remove((one) => there.get(one) === false || isOver(one, now));
    known.exceptions = known.exceptions.map((one) => ({...one, seen: Math.max(one.seen, now)}));
  }

  /** @param {number} tab */
  const tabIsThere = (tab) => ext.tabs.get(tab).then(() => true, () => false);

  const leases = () => known.exceptions.filter(({kind}) => kind === 'service').map(({pattern}) => pattern);

  function store() {
    const {exceptions, kept, keptUntil} = known;
    ext.storage.session.set({exceptions, kept, keptUntil}).catch(() => {});
    ext.storage.local.set({leases: [...leases(), ...forgotten]}).catch(() => {});
    if (exceptions.length === 0) return void ext.alarms.clear(alarmName);
    const browser = exceptions.filter(({kind}) => kind === 'browser');
    const soonest = Math.min(...exceptions.map(({until}) => until),
      Date.now() + (browser.length ? times.tick : times.renew));
    ext.alarms.create(alarmName, {when: soonest});
  }

  /** @param {(one: Exception) => boolean} which */
  async function remove(which) {
    const gone = known.exceptions.filter(which);
    if (gone.length === 0) return;
    known.exceptions = known.exceptions.filter((one) => !gone.includes(one));
    const given = gone.filter(({kind}) => kind === 'service').map(({pattern}) => pattern);
    forgotten.push(...given);
    store();
    changed();
    await giveBack();
  }

  /** Ends at the service what is over here; what cannot be ended now is tried again with the next host. */
  async function giveBack() {
    for (const pattern of forgotten.filter((one) => !giving.has(one))) {
      giving.add(pattern);
      try {
        await request('deny', {pattern});
      } catch (refusal) {
        if (!['not_found', 'not_permitted'].includes(/** @type {any} */ (refusal).code)) continue;
      } finally {
        giving.delete(pattern);
      }
      forgotten = forgotten.filter((one) => one !== pattern);
      store();
    }
  }

  /** @param {unknown} pattern @param {unknown} tab the call's @param {unknown} span
   * @returns {Promise<void>} rejects with the host's Refusal */
  async function allow(pattern, tab, span) {
    const way = siteWay(known);
    if (!isPattern(pattern) || !['call', 'hour', 'always'].includes(String(span))) return;
    const id = Number.isInteger(tab) && await tabIsThere(Number(tab)) ? Number(tab) : null;
    if (way === 'service') return allowSite(pattern, id, String(span));
    if (way !== 'browser' || id === null || span === 'always') return;
    const until = Date.now() + (span === 'hour' ? times.hour : times.call);
    add({kind: 'browser', pattern, tab: id, seen: Date.now(), until});
  }

  /** @param {string} pattern @param {number | null} tab @param {string} span */
  async function allowSite(pattern, tab, span) {
    if (span === 'call' && tab === null) return;
    const seconds = {call: times.lease / 1000, hour: times.hour / 1000}[span];
    await request('allow', {pattern, ...seconds && {seconds}});
    forgotten = forgotten.filter((one) => one !== pattern);
    if (span !== 'call' || tab === null) return store();
    add({kind: 'service', pattern, tab, seen: Date.now(), until: Date.now() + times.serviceCall});
  }

  /** @param {Exception} one */
  function add(one) {
    const others = known.exceptions.filter(({pattern}) => pattern !== one.pattern);
    known.exceptions = [...others, one].slice(-most.exceptions);
    store();
    changed();
  }

  /** @param {unknown} pattern @returns {Promise<void>} rejects with the host's Refusal */
  async function end(pattern) {
    const own = known.exceptions.some((one) => one.pattern === pattern);
    await remove((one) => one.pattern === pattern);
    if (!own && isPattern(pattern)) await request('deny', {pattern});
  }

  /** The alarm. */
  async function tick() {
    await removeOver();
    for (const pattern of leases()) {
      // A refusal shows in the next state; the lease ends by itself.
      await request('allow', {pattern, seconds: times.lease / 1000}).catch(() => {});
    }
    if (known.exceptions.length > 0) {
      store();
      changed();
    }
  }

  /** A tab that the browser put to sleep comes back under another id.
   * @param {number} tab @param {number} before */
  function tabIsNow(tab, before) {
    const named = (/** @type {number} */ one) => one === before ? tab : one;
    known.exceptions = known.exceptions.map((one) => ({...one, tab: named(one.tab)}));
    known.kept = Object.fromEntries(
      Object.entries(known.kept).map(([pattern, tabs]) => [pattern, tabs.map(named)]));
    store();
  }

  /** A tab that may still have been given what is over.
   * @param {number | undefined} tab */
  function tabMade(tab) {
    if (tab === undefined || Date.now() >= known.keptUntil) return;
    known.kept = Object.fromEntries(
      Object.entries(known.kept).map(([pattern, tabs]) => [pattern, [...tabs, tab]]));
    store();
    changed();
  }

  /** @param {number} tab */
  async function tabGone(tab) {
    const keeping = Object.entries(known.kept).map(([pattern, tabs]) =>
      /** @type {const} */ ([pattern, tabs.filter((one) => one !== tab)]));
    if (keeping.some(([pattern, tabs]) => tabs.length < known.kept[pattern].length)) {
      known.kept = Object.fromEntries(keeping.filter(([, tabs]) => tabs.length > 0));
      store();
      changed();
    }
    await remove((one) => one.tab === tab);
  }

  /** A floor that rose ends what it does not allow. */
  const fit = () => remove(({kind}) => kind === 'browser' && isLooser('default_route_only', floorOf(known)));

  /** A new state. A tab keeps what the service no longer holds, so the tabs of that moment are noted; and
   * what somebody ended there is not asked for again. */
  async function stateCame() {
    const list = known.state?.sites?.list ?? [];
    const now = new Set(list.map(({pattern}) => pattern));
    const ended = [...held].filter((pattern) => !now.has(pattern));
    held = now;
    if (ended.length > 0 && known.family === 'chromium') await noteTabs(ended);
    if (known.state?.sites?.possible) {
      await remove(({kind, pattern}) => kind === 'service' && ended.includes(pattern));
    }
    await fit();
    if (forgotten.length > 0) await giveBack();
  }

  /** @param {string[]} patterns that are over */
  async function noteTabs(patterns) {
    const tabs = (await ext.tabs.query({}).catch(() => [])).map(({id}) => id ?? -1).slice(0, most.tabs);
    const kept = {...known.kept, ...Object.fromEntries(patterns.map((pattern) => [pattern, tabs]))};
    known.kept = Object.fromEntries(Object.entries(kept).slice(-most.kept));
    known.keptUntil = Date.now() + times.read;
    store();
    changed();
  }

  return {load, allow, end, fit, tick, tabMade, tabGone, tabIsNow, stateCame};
}
