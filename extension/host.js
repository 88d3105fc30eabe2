// SPDX-License-Identifier: Apache-2.0
// The port to icelock-host: docs/protocol.md, version 1. Keeps it open, tries again for ever, and calls a
// host that is silent, malformed or of another version unusable.

import {closeReason} from './ext.js';
import {isLevel} from './handling.js';

export const hostName = 'icelock.host';
const version = 1;

/** Milliseconds. The longest wait stays below the 30 s after which browsers stop an idle background, since
 * each try is what keeps it running. */
export const times = {answer: 5000, firstRetry: 500, lastRetry: 25_000};

/** @typedef {{code: string, text: string, args?: Record<string, unknown>}} Reason */
/** @typedef {import('./handling.js').Level} Level */
/** @typedef {{mode: string, floor?: Level, decision: Record<string, Level>, reasons: Reason[],
 *   browsers: {id: string, problems: string[]}[]}} HostState */
/** @typedef {{code: string, what: string, object: string}} Refusal  a request that the host refused */
/** @typedef {{onState: (serial: number, state: HostState) => void,
 *   onDown: (why: 'closed' | 'unusable', detail: string) => void}} Listener */

/** @param {any} frame @returns {boolean} whether it carries a state that can be acted on and shown */
function carriesState({serial, state}) {
  const strings = (/** @type {unknown[]} */ ...all) => all.every((one) => typeof one === 'string');
  return Number.isInteger(serial) && strings(state?.mode) &&
    isLevel(state.decision?.chromium) && isLevel(state.decision?.firefox) &&
    Array.isArray(state.reasons) &&
    state.reasons.every((/** @type {any} */ one) => strings(one?.code, one?.text)) &&
    Array.isArray(state.browsers) && state.browsers.every((/** @type {any} */ one) =>
      strings(one?.id) && Array.isArray(one.problems) && strings(...one.problems));
}

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
        if (port === opened) down('unusable', refusal.what || refusal.code);
      });
    } catch (error) {
      down('closed', String(error));
    }
  }

  /** @param {'closed' | 'unusable'} why @param {string} detail */
  function down(why, detail) {
    const old = port;
    port = null;
    old?.disconnect();
    for (const {done} of waiting.values()) done(null);
    // A word alone does not end the backing off, or a host that crashes after it would be started for ever.
    if (old && Date.now() - openedAt > times.lastRetry) failures = 0;
    clearTimeout(retry);
    retry = setTimeout(connect, Math.min(times.firstRetry * 2 ** failures, times.lastRetry));
    failures = Math.min(failures + 1, 16);
    listener.onDown(why, detail);
  }

  /** @param {any} frame */
  function receive(frame) {
    // A host that cannot work says why before it goes.
    if (frame?.ok === false && frame.id === null) return down('unusable', String(frame.what));
    if (frame?.v !== version) return down('unusable', `v ${JSON.stringify(frame?.v) ?? '?'}`);
    if ('state' in frame) {
      if (!carriesState(frame)) return down('unusable', 'state');
      listener.onState(frame.serial, frame.state);
    } else if (!('id' in frame) && typeof frame.event !== 'string') {
      return down('unusable', 'frame');
    }
    waiting.get(frame.id)?.done(frame);
  }

  /** @param {string} op @param {object} [args] @param {number} [time]
   * @returns {Promise<object>} the answer; rejects with a Refusal */
  function request(op, args = {}, time = times.answer) {
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        done(null);
        down('unusable', 'timeout');
      }, time);
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

  /** Tries at once instead of at the end of the wait. */
  return {connect, request};
}
