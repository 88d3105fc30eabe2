// SPDX-License-Identifier: Apache-2.0
// Brings host, lock and popup together. Locked from when the background starts until the host has spoken, and
// never looser because it went. (Before that the browser has what the last session left.)

import {familyOf, words} from './ext.js';
import {isLevel, isLooser, reachable} from './handling.js';
import {createHost} from './host.js';
import {createLock} from './lock.js';
import {registerPages} from './pages.js';
import {initial, view, wishAlone} from './state.js';

/** Milliseconds: how long a level that needs a watched network outlives its host, and how often a host is
 * asked for a sign of life while such a level is in force; how long a probe may take. */
export const times = {grace: 2000, heartbeat: 60_000, probe: 12_000};

/** Registers every listener before it returns, so that an event which woke the background is not lost.
 * @param {import('./ext.js').Api} ext */
export function createControl(ext) {
  const known = initial(familyOf(ext));
  const lock = createLock(ext, known.family);
  const host = createHost(ext, {onState, onDown});
  const pages = registerPages(ext, {probe});
  /** @type {Set<chrome.runtime.Port>} */
  const popups = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let grace;
  let lockAsked = false;
  /** @type {Promise<unknown>} */
  let work = Promise.resolve();

  lock.onChange(() => ready.then(check));
  ext.runtime.onConnect.addListener(attach);
  // These two exist to start the background with the browser.
  ext.runtime.onStartup.addListener(() => ready);
  ext.runtime.onInstalled.addListener(() => ready);
  const ready = start();

  async function start() {
    const [session, local] = await Promise.all([stored(ext.storage.session), stored(ext.storage.local)]);
    if (local.hand === 'open') known.hand = 'open';
    if (isLevel(session.wish)) {
      const {wish, spoken, serial, state} = session;
      Object.assign(known, {wish, spoken, serial, state});
    }
    if (isLooser(known.wish, 'force_proxy')) known.wish = 'force_proxy';
    await settle();
    host.connect();
    setInterval(() => {
      const risky = known.host === 'connected' && isLooser(known.wish, 'force_proxy');
      if (risky) host.request('status').catch(() => {});
    }, times.heartbeat);
  }

  /** @param {chrome.storage.StorageArea} area @returns {Promise<any>} nothing, when it cannot be read */
  async function stored(area) {
    try {
      return await area.get(null);
    } catch {
      return {};
    }
  }

  /** @param {number} serial @param {import('./host.js').HostState} state */
  function onState(serial, state) {
    clearTimeout(grace);
    grace = undefined;
    setHand('locked');
    Object.assign(known, {host: 'connected', detail: '', spoken: true, serial, state});
    if (lockAsked && state.mode !== 'locked') return void askForLock();
    lockAsked = false;
    known.wish = state.decision[known.family];
    settle();
  }

  /** The person chose Locked while no host was there: it hears of that before it may loosen anything. */
  function askForLock() {
    lockAsked = false;
    host.request('set_mode', {mode: 'locked'}).catch((refusal) => {
      known.refusal = refusal;
      publish();
    });
  }

  /** @param {'closed' | 'unusable'} why @param {string} detail */
  function onDown(why, detail) {
    // What was chosen by hand holds only while no host says anything, sensible or not.
    if (why === 'unusable' && known.host !== 'unusable') setHand('locked');
    known.host = why === 'unusable' ? why : known.spoken ? 'lost' : 'absent';
    known.detail = detail;
    if (known.hand === 'open') return holdAlone();
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

  /** Makes the browser obey the wish, and says what came of it. */
  function settle() {
    // Written before the browser is asked, so that a background that dies here wakes up with this wish.
    const {wish, spoken, serial, state} = known;
    ext.storage.session.set({wish, spoken, serial, state}).catch(() => {});
    return enqueue(async () => {
      known.reading = await lock.apply(known.wish);
      publish();
      report();
    });
  }

  /** Somebody may have changed the setting: look, and take it back where the browser lets icelock. */
  const check = () => enqueue(async () => {
    const before = JSON.stringify(known.reading);
    known.reading = await lock.read();
    const ours = known.reading.control.endsWith('_by_this_extension');
    if (ours && isLooser(known.reading.level, reachable(known.family, known.wish))) {
      known.reading = await lock.apply(known.wish);
    }
    publish();
    if (JSON.stringify(known.reading) !== before) report();
  });

  function report() {
    if (known.host !== 'connected' || !known.reading) return;
    const {value, control, level} = known.reading;
    host.request('report', {serial: known.serial, value, level_of_control: control, level})
      .catch(() => {});
  }

  /** @param {unknown} mode what the person chose */
  async function choose(mode) {
    known.refusal = null;
    if (known.host === 'connected') {
      await host.request('set_mode', {mode}).catch((refusal) => { known.refusal = refusal; });
    } else if (mode === 'open' && isLooser('unrestricted', known.state?.floor ?? 'unrestricted')) {
      known.refusal = {code: 'below_floor', what: '', object: ''};
    } else if (mode === 'open' || mode === 'locked') {
      setHand(mode);
      lockAsked = mode === 'locked';
      holdAlone();
    }
    publish();
  }

  /** @param {string} [stun] @returns {Promise<any>} */
  function probe(stun) {
    return host.request('probe', stun ? {stun} : {}, times.probe);
  }

  /** @param {chrome.runtime.Port} port @param {any} message */
  function hear(port, message) {
    if (typeof message?.mode === 'string') return choose(message.mode);
    if (!message?.probe) return;
    const answer = message.id;
    probe(message.probe.stun).then(({links, wildcards}) => tell(port, {answer, result: {links, wildcards}}),
      ({code, what, object}) => tell(port, {answer, refusal: {code, what, object}}));
  }

  /** @param {chrome.runtime.Port} port from the popup or a page */
  function attach(port) {
    if (port.name !== 'popup' && port.name !== 'page') return;
    popups.add(port);
    known.refusal = null;
    port.onDisconnect.addListener(() => popups.delete(port));
    port.onMessage.addListener((message) => ready.then(() => hear(port, message)));
    ready.then(check).then(host.connect);
  }

  function publish() {
    const {family, host: hostIs, detail, wish, state, reading} = known;
    const raw = {family, host: hostIs, detail, wish, state: hostIs === 'connected' ? state : null,
      level: reading?.level ?? null, control: reading?.control ?? 'unknown'};
    const now = {...view(known), raw};
    pages.changed(raw);
    for (const popup of popups) tell(popup, now);
    const path = Object.fromEntries([16, 32, 48].map((size) => [size, `icons/${now.icon}-${size}.png`]));
    const title = `icelock: ${words(ext, now.sentence.key, now.sentence.args)}`;
    for (const done of [ext.action.setIcon({path}), ext.action.setTitle({title}),
      ext.action.setBadgeText({text: now.badge})]) done.catch(() => {});
  }

  /** @param {chrome.runtime.Port} popup @param {object} now */
  function tell(popup, now) {
    try {
      popup.postMessage(now);
    } catch {
      popups.delete(popup);  // closed, and its event not here yet
    }
  }

  return {ready};
}
