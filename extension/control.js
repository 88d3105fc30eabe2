// SPDX-License-Identifier: Apache-2.0
// Brings host, lock and popup together. Locked from when the background starts until the host has spoken, and
// never looser because it went. (Before that the browser has what the last session left.)

import {createClosing} from './closing.js';
import {createConnections} from './connections.js';
import {createDoors} from './doors.js';
import {alarmName as exceptionsAlarm, createExceptions} from './exceptions.js';
import {familyOf, words} from './ext.js';
import {isLevel, isLooser, reachable, stricter} from './handling.js';
import {alarmName as retryAlarm, createHost} from './host.js';
import {createLock} from './lock.js';
import {registerPages} from './pages.js';
import {createProxy} from './proxy.js';
import {loadSettings, onSettings} from './settings.js';
import {createStartHold} from './start_hold.js';
import {floorOf, handOf, initial, target, wishAlone} from './state.js';
import {raw, view} from './view.js';

/** Milliseconds: how long a level that needs a watched network outlives its host. Minutes: how often a host
 * is asked for a sign of life while such a level is in force. */
export const times = {grace: 2000, heartbeat: 1};
const heartbeat = 'heartbeat';

/** Registers every listener before it returns, so that an event which woke the background is not lost.
 * @param {import('./ext.js').Api} ext */
export function createControl(ext) {
  const known = initial(familyOf(ext));
  const lock = createLock(ext, known.family, () => readsPrivate);
  const host = createHost(ext, {onState, onBrowsers, onDown});
  const exceptions = createExceptions(ext, known, host.request, settle);
  const connections = createConnections(ext, lookForStale);
  let release = () => {};
  const startHold = createStartHold(ext, known.family, new Promise((resolve) => { release = resolve; }));
  createClosing(ext, {
    shut() {
      known.closing = true;
      // Read back, or on its way: nothing waits for that now.
      if ([known.reading?.level ?? null, applied].some((one) => isLooser(one, 'force_proxy'))) lock.shut();
      settle();
    },
    reopen() {
      known.closing = false;
      settle();
    },
  });
  const proxy = createProxy(ext, known.family, () => ready.then(follow));
  const pages = registerPages(ext, {probe});
  const doors = createDoors(ext, {
    verbs: {
      mode: (mode) => ready.then(() => choose(mode)),
      allow: ({tab, pattern, span} = {}) => tried(() => exceptions.allow(pattern, tab, span)),
      deny: (pattern) => tried(() => exceptions.end(pattern)),
      reload: (tab) => ext.tabs.reload(tab),
      close: (tab) => ext.tabs.remove(tab),
      reopen,
      probe: (what) => probe(what?.stun),
    },
    opened: () => {
      known.refusal = null;
      ready.then(check).then(host.connect);
      ready.then(proxy.look);
    },
    connections: connections.attach,
    shown,
  });
  let settings = {watchConnections: false, holdStart: false, followProxy: false};
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let grace;
  let readsPrivate = false;
  let lockAsked = false;
  let lockSent = false;
  /** @type {string | null} */
  let modeAsked = null;
  let looks = 0;
  /** @type {import('./handling.js').Level | null} */
  let applied = null;
  let serial = 0;  // of the state that `applied` is from
  let painted = '';
  let kept = '';
  /** @type {Promise<unknown>} */
  let work = Promise.resolve();
  /** @type {Promise<unknown>} */
  let painting = Promise.resolve();

  lock.onChange(() => ready.then(check));
  onSettings(ext, () => ready.then(follow));
  ext.tabs.onCreated.addListener(({id}) => ready.then(() => exceptions.tabMade(id)));
  ext.tabs.onRemoved.addListener((tab) => ready.then(() => exceptions.tabGone(tab)));
  ext.tabs.onReplaced?.addListener((tab, before) => ready.then(() => exceptions.tabIsNow(tab, before)));
  ext.alarms.onAlarm.addListener(({name}) => ready.then(() => ring(name)));
  // These two exist to start the background with the browser.
  ext.runtime.onStartup.addListener(() => ready);
  ext.runtime.onInstalled.addListener(() => ready);
  const ready = start();

  async function start() {
    lock.shut().then(release);
    const [session, local] = await Promise.all([stored(ext.storage.session), stored(ext.storage.local)]);
    if (local.hand === 'open' || local.hand === 'route') known.hand = local.hand;
    lockAsked = local.lockAsked === true;
    if (isLevel(session.wish)) {
      const {wish, spoken, serial, state, at} = session;
      Object.assign(known, {wish, spoken, serial, state, at});
    }
    if (isLooser(known.wish, 'force_proxy')) known.wish = 'force_proxy';
    connections.load(session);
    await settle();
    await exceptions.load(session, local);
    await follow();
    host.resume(session.failures);
    // Private windows as well, for which neither lock nor host had to wait.
    if (readsPrivate) check();
  }

  /** @param {chrome.storage.StorageArea} area @returns {Promise<any>} nothing, when it cannot be read */
  async function stored(area) {
    try {
      return await area.get(null);
    } catch {
      return {};
    }
  }

  /** Reads what the person and the administrator set, and does as it says. */
  async function follow() {
    const {floor, mode, ...rest} = await loadSettings(ext);
    settings = rest;
    known.settings = {floor, mode};
    known.proxy = await proxy.read(settings.followProxy);
    known.privateToo = known.family === 'firefox' ||
      await ext.extension.isAllowedIncognitoAccess().catch(() => false);
    if (!['connecting', 'connected'].includes(known.host) && !grace) known.wish = wishAlone(known);
    readsPrivate = known.family === 'chromium' && known.privateToo;
    if (target(known) !== applied) await settle();
    askForMode();
    // The lock is there by now: none of these may keep it from following.
    await Promise.allSettled([exceptions.fit(), connections.follow(settings.watchConnections),
      startHold.follow(settings.holdStart)]);
    publish();
  }

  /** The administrator's mode, once: another program that wants another one must not be fought for ever. */
  function askForMode() {
    const {mode} = known.settings;
    if (mode === null || known.host !== 'connected' || known.state?.mode_fixed || modeAsked === mode) return;
    modeAsked = mode;
    if (known.state?.mode !== mode) host.request('set_mode', {mode}).catch(() => {});
  }

  /** @param {number} serial @param {import('./host.js').HostState} state */
  function onState(serial, state) {
    clearTimeout(grace);
    grace = undefined;
    setHand('locked');
    Object.assign(known, {host: 'connected', detail: '', spoken: true, serial, state, at: Date.now()});
    if (state.mode === 'locked') setLockAsked(false);
    obey();
    askForMode();
    exceptions.stateCame();
  }

  /** @param {import('./host.js').Browser[]} browsers */
  function onBrowsers(browsers) {
    known.browsers = browsers;
    publish();
  }

  /** Does as the host says. The person may have chosen Locked while none was there: it hears of that before
   * it may loosen anything. */
  function obey() {
    const {decision} = /** @type {import('./host.js').HostState} */ (known.state);
    known.wish = decision[known.family];
    if (lockAsked && known.settings.mode === null) {
      known.wish = stricter(known.wish, 'force_proxy');
      askForLock();
    }
    settle();
  }

  /** Once for each connection. */
  function askForLock() {
    if (lockSent) return;
    lockSent = true;
    host.request('set_mode', {mode: 'locked'}).catch((refusal) => {
      refused(refusal);
      if (refusal.code === 'timeout' || known.host !== 'connected') return;
      setLockAsked(false);
      obey();
    });
  }

  /** Kept, for a background that is stopped before the host is back. @param {boolean} asked */
  function setLockAsked(asked) {
    if (lockAsked === asked) return;
    lockAsked = asked;
    ext.storage.local.set({lockAsked}).catch(() => {});
  }

  /** @param {import('./host.js').Down} why @param {string} detail */
  function onDown(why, detail) {
    const dumb = why !== 'closed';
    // What was chosen by hand holds only while no host says anything, sensible or not.
    if (dumb && known.host !== why) setHand('locked');
    known.host = dumb ? why : /forbidden|not have permission/i.test(detail) ? 'forbidden' :
      known.spoken ? 'lost' : 'absent';
    known.detail = detail;
    modeAsked = null;
    lockSent = false;
    if (handOf(known) !== 'locked') return holdAlone();
    if (wishAlone(known) !== known.wish) startGrace();
    publish();
  }

  function startGrace() {
    grace ??= setTimeout(holdAlone, times.grace);
  }

  function holdAlone() {
    grace = undefined;
    known.wish = wishAlone(known);
    settle();
  }

  /** @param {import('./state.js').Hand} hand */
  function setHand(hand) {
    if (known.hand === hand) return;
    known.hand = hand;
    ext.storage.local.set({hand}).catch(() => {});
  }

  /** One at a time and in order; each sees the newest wish.
   * @param {() => Promise<unknown>} task */
  const enqueue = (task) => (work = work.then(task, task));

  /** Makes the browser obey, and says what came of it. */
  function settle() {
    return enqueue(async () => {
      applied = target(known);
      serial = known.serial;
      const obeyed = lock.apply(applied);
      // In the turn of the set() that is under way, and behind it: a background that dies here wakes up with
      // this wish, and the lock does not wait for the storage.
      remember();
      isNow(await obeyed, true);
    });
  }

  function remember() {
    const {wish, spoken, state, at} = known;
    ext.storage.session.set({wish, spoken, serial: known.serial, state, at}).catch(() => {});
  }

  /** Somebody may have changed the setting: look, and take it back where the browser lets icelock. */
  const check = () => enqueue(async () => {
    const reading = await lock.read();
    const ours = reading.control.endsWith('_by_this_extension');
    const loose = ours && isLooser(reading.level, reachable(known.family, target(known)));
    isNow(loose ? await lock.apply(target(known)) : reading, false);
  });

  /** The host hears of it first; the rest is for people.
   * @param {import('./lock.js').Reading} reading
   * @param {boolean} asked whether it is waited for, changed or not */
  function isNow(reading, asked) {
    const changed = JSON.stringify(reading) !== JSON.stringify(known.reading);
    if (!known.reading) performance.mark('locked');
    known.reading = reading;
    if (asked || changed) report();
    connections.levelIs(reading.level);
    watchHost();
    publish();
    lookForStale();
  }

  async function lookForStale() {
    const before = JSON.stringify(known.stale);
    const turn = ++looks;
    const found = await connections.stale(known.reading?.level ?? null);
    if (turn !== looks) return;  // a later look is under way, or done already
    known.stale = found;
    if (JSON.stringify(known.stale) !== before) publish();
  }

  /** A host that hangs is noticed only by asking, and matters only while its word keeps the browser loose. */
  function watchHost() {
    const risky = known.host === 'connected' && isLooser(known.wish, 'force_proxy');
    if (risky) ext.alarms.create(heartbeat, {periodInMinutes: times.heartbeat});
    else ext.alarms.clear(heartbeat);
  }

  /** @param {string} name of an alarm */
  function ring(name) {
    if (name === retryAlarm) host.connect();
    if (name === exceptionsAlarm) return exceptions.tick();
    if (name !== heartbeat) return;
    proxy.look();
    if (known.host === 'connected') host.request('status').catch(() => {});
  }

  function report() {
    if (known.host !== 'connected' || !known.reading) return;
    const {value, control, level} = known.reading;
    host.request('report', {serial, value, level_of_control: control, level}).catch(() => {});
  }

  /** @param {import('./host.js').Refusal} refusal */
  function refused(refusal) {
    known.refusal = refusal;
    publish();
  }

  /** Does what a person asked for, and shows it when it is refused.
   * @param {() => Promise<void>} task */
  async function tried(task) {
    await ready;
    known.refusal = null;
    await task().catch(refused);
  }

  /** @param {unknown} mode what the person chose */
  async function choose(mode) {
    known.refusal = null;
    if (known.settings.mode !== null) return publish();
    if (known.host === 'connected') {
      setLockAsked(false);
      await host.request('set_mode', {mode}).catch(refused);
    } else if (mode === 'open' || mode === 'route' || mode === 'locked') {
      const loosest = {open: 'unrestricted', route: 'default_route_only', locked: 'force_proxy'}[mode];
      if (isLooser(/** @type {import('./handling.js').Level} */ (loosest), floorOf(known))) {
        return refused({code: 'below_floor', what: '', object: ''});
      }
      setHand(mode);
      setLockAsked(mode === 'locked');
      holdAlone();
    }
    publish();
  }

  /** The page's site again, in a tab that the browser makes anew, with no exception in it.
   * @param {unknown} id of the tab */
  async function reopen(id) {
    const {url, index, windowId} = await ext.tabs.get(Number(id));
    if (!/^https?:/.test(url ?? '')) return;
    await ext.tabs.create({url, index: index + 1, windowId});
    await ext.tabs.remove(Number(id));
  }

  /** @param {string} [stun] */
  async function probe(stun) {
    const {links, wildcards} = await host.request('probe', stun === undefined ? {} : {stun});
    return {links, wildcards};
  }

  /** @param {string} name of a page @returns {object} what it is to show */
  function shown(name) {
    const now = view(known, Date.now());
    return name === 'popup' ? now :
      {...now, modes: now.modes.filter(({id}) => id !== 'route'), raw: raw(known)};
  }

  function publish() {
    doors.publish();
    keep(JSON.stringify(view(known, Date.now())));
    pages.changed(raw(known));
    painting = painting.then(paint);
  }

  /** What a popup draws first, when this background was stopped and has to be started for it.
   * @param {string} now */
  function keep(now) {
    if (now === kept) return;
    kept = now;
    ext.storage.session.set({shown: now}).catch(() => {});
  }

  /** The toolbar button. Loading an icon takes longer than all else here, so it is done when that changes,
   * and in turn, or an older one could come last. */
  async function paint() {
    const {icon, tip, badge} = view(known, Date.now());
    const path = Object.fromEntries([16, 32, 48].map((size) => [size, `icons/${icon}-${size}.png`]));
    const title = `icelock: ${words(ext, tip.key, tip.args)}`;
    const now = JSON.stringify([icon, title, badge]);
    if (now === painted) return;
    painted = now;
    await Promise.all([ext.action.setIcon({path}), ext.action.setTitle({title}),
      ext.action.setBadgeText({text: badge})]).catch(() => { painted = ''; });
  }

  return {ready};
}
