// SPDX-License-Identifier: Apache-2.0
// The port to icelock-host: docs/protocol.md, version 1. Keeps it open, tries again for ever, and calls a
// host that is silent, malformed or of another version no use.

import {closeReason} from './ext.js';
import {isLevel} from './handling.js';
import {isPattern} from './sites.js';

export const hostName = 'icelock.host';
const version = 1;

export const alarmName = 'retry';
/** Milliseconds. Short waits are timers; long ones, and those of a background that the browser may stop
 * meanwhile, are alarms. A probe takes up to 8 s. */
export const times = {answer: 5000, probe: 12_000, firstRetry: 500, lastTimer: 16_000, minute: 60_000,
  lastRetry: 1_800_000};

/** @typedef {{code: string, text: string, args?: Record<string, unknown>}} Reason */
/** @typedef {import('./handling.js').Level} Level */
/** @typedef {{pattern: string, by: 'admin' | 'you' | 'other', level: Level,
 *   seconds_left: number | null}} Site */
/** @typedef {{mode: string, mode_fixed?: boolean, mode_level?: Level, modes?: string[], floor?: Level,
 *   decision: Record<string, Level>, reasons: Reason[],
 *   service?: {manages_policies?: boolean},
 *   sites?: {possible: boolean, list: Site[]}}} HostState  `sites` is missing in hosts that are too old */
/** @typedef {{code: string, what: string, object: string}} Refusal  a request that the host refused */
/** @typedef {{id: string, problems: string[]}} Browser  what the host says of one browser of this machine */
/** @typedef {{onState: (serial: number, state: HostState) => void,
 *   onBrowsers: (browsers: Browser[]) => void,
 *   onDown: (why: Down, detail: string) => void}} Listener */
/** @typedef {'closed' | 'silent' | 'unusable' | 'older' | 'newer'} Down  all but the first: no use */

/** @param {any} sites @returns {boolean} */
const carriesSites = (sites) => typeof sites?.possible === 'boolean' && Array.isArray(sites.list) &&
  sites.list.every((/** @type {any} */ one) => isPattern(one?.pattern) && isLevel(one.level) &&
    ['admin', 'you', 'other'].includes(one.by) &&
    (one.seconds_left === null || (Number.isFinite(one.seconds_left) && one.seconds_left >= 0)));

/** @param {unknown[]} all */
const strings = (...all) => all.every((one) => typeof one === 'string');

/** @param {any} browsers @returns {boolean} */
const carriesBrowsers = (browsers) => Array.isArray(browsers) &&
  browsers.every((one) => strings(one?.id) && Array.isArray(one.problems) && strings(...one.problems));

/** @param {any} frame @returns {boolean} whether it carries a state that can be acted on and shown */
function carriesState({serial, state}) {
  return Number.isInteger(serial) && strings(state?.mode) &&
    isLevel(state.decision?.chromium) && isLevel(state.decision?.firefox) &&
    [state.floor, state.mode_level].every((one) => one === undefined || isLevel(one)) &&
    (state.modes === undefined || (Array.isArray(state.modes) && strings(...state.modes))) &&
    (state.sites === undefined || carriesSites(state.sites)) &&
    Array.isArray(state.reasons) &&
    state.reasons.every((/** @type {any} */ one) => strings(one?.code, one?.text));
}

/** @param {unknown} text from the host, for people */
const brief = (text) => String(text ?? '?').slice(0, 200);

/** @param {unknown} v @returns {Down} */
const otherVersion = (v) =>
  !Number.isInteger(v) ? 'unusable' : Number(v) < version ? 'older' : 'newer';

/** @param {import('./ext.js').Api} ext @param {Listener} listener */
export function createHost(ext, listener) {
  /** @type {chrome.runtime.Port | null} */
  let port = null;
  let openedAt = 0;
  let failures = 0;
  let lastId = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;
  /** @type {Map<number, {done: (frame: any) => void, timer: ReturnType<typeof setTimeout>}>} */
  const waiting = new Map();

  function connect() {
    clearTimeout(retry);
    ext.alarms.clear(alarmName);
    if (port) return;
    try {
      const opened = ext.runtime.connectNative(hostName);
      port = opened;
      openedAt = Date.now();
      opened.onMessage.addListener((frame) => { if (port === opened) receive(frame); });
      opened.onDisconnect.addListener(() => {
        const detail = closeReason(ext, opened);
        if (port === opened) down('closed', detail);
      });
      request('subscribe').then((answer) => {
        if (!('state' in answer)) throw {code: 'state'};
      }).catch((refusal) => {
        if (port !== opened) return;
        down(refusal.code === 'version' ? 'older' : 'unusable', refusal.what || refusal.code);
      });
    } catch (error) {
      down('closed', String(error));
    }
  }

  /** @param {Down} why @param {string} detail */
  function down(why, detail) {
    const old = port;
    port = null;
    old?.disconnect();
    for (const {done} of waiting.values()) done(null);
    // A word alone does not end the backing off, or a host that crashes after it would be started for ever.
    if (old && Date.now() - openedAt > times.minute) failures = 0;
    tryLater();
    listener.onDown(why, detail);
  }

  function tryLater() {
    clearTimeout(retry);
    const wait = Math.min(times.firstRetry * 2 ** failures, times.lastRetry);
    failures = Math.min(failures + 1, 16);
    // A background that is stopped before the timer is started again by the alarm, and then tries at once.
    if (wait <= times.lastTimer) retry = setTimeout(connect, wait);
    ext.alarms.create(alarmName, {when: Date.now() + Math.max(wait, times.minute)});
    ext.storage.session.set({failures}).catch(() => {});
  }

  /** @param {any} frame */
  function receive(frame) {
    // A host that cannot work says why before it goes.
    if (frame?.ok === false && frame.id === null) return down('unusable', brief(frame.what));
    if (frame?.v !== version) return down(otherVersion(frame?.v), `v ${brief(JSON.stringify(frame?.v))}`);
    if ('state' in frame) {
      if (!carriesState(frame)) return down('unusable', 'state');
      listener.onState(frame.serial, frame.state);
    } else if (frame.event === 'browsers') {
      if (!carriesBrowsers(frame.browsers)) return down('unusable', 'browsers');
      listener.onBrowsers(frame.browsers);
    } else if (!('id' in frame) && typeof frame.event !== 'string') {
      return down('unusable', 'frame');
    }
    waiting.get(frame.id)?.done(frame);
  }

  /** @param {string} op @param {object} [args]
   * @returns {Promise<any>} the answer; rejects with a Refusal */
  function request(op, args = {}) {
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        done(null);
        down('silent', '');
      }, op === 'probe' ? times.probe : times.answer);
      /** @param {any} frame null when no answer will come */
      const done = (frame) => {
        clearTimeout(timer);
        waiting.delete(id);
        if (frame?.ok === true) resolve(frame);
        else reject({code: 'timeout', what: '', object: '', ...frame});
      };
      waiting.set(id, {done, timer});
      try {
        if (!port) throw new Error('no port');
        port.postMessage({v: version, id, op, ...args});
      } catch {
        done(null);
      }
    });
  }

  /** @param {unknown} before what an earlier background of this browser session had */
  function resume(before) {
    if (Number.isInteger(before)) failures = Math.max(failures, Number(before));
    connect();
  }

  /** `connect` tries at once instead of at the end of the wait. */
  return {connect, resume, request};
}
