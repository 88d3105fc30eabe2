// SPDX-License-Identifier: Apache-2.0
// The one file that knows that browsers differ in where they keep the extension API.

/** @typedef {typeof chrome} Api */

/** @returns {Api} the browser's promise-based API */
export const api = () => /** @type {any} */ (globalThis).browser ?? globalThis.chrome;

/** Newer Chromium has a `browser` object too, so the address tells the families apart.
 * @param {Api} ext @returns {'chromium' | 'firefox'} */
export const familyOf = (ext) =>
  ext.runtime.getURL('').startsWith('moz-extension:') ? 'firefox' : 'chromium';

/** Why a port closed, in the browser's own words: Firefox puts it on the port, Chromium beside it.
 * @param {Api} ext @param {chrome.runtime.Port} port @returns {string} */
export const closeReason = (ext, port) =>
  /** @type {any} */ (port).error?.message ?? ext.runtime.lastError?.message ?? '';

/** A port to the background, which the browser may stop under a page and starts again for a new one.
 * @param {Api} ext @param {string} name @param {(message: any) => void} hear
 * @param {() => void} [gone] called when one closed: what was asked through it gets no answer
 * @returns {(message: object) => void} posts */
export function connectTo(ext, name, hear, gone = () => {}) {
  /** @type {chrome.runtime.Port | null} */
  let port = null;
  const open = () => {
    if (port) return port;
    const opened = ext.runtime.connect({name});
    opened.onMessage.addListener(hear);
    opened.onDisconnect.addListener(() => lose(opened));
    return port = opened;
  };
  /** @param {chrome.runtime.Port} lost */
  const lose = (lost) => {
    if (port !== lost) return;
    port = null;
    gone();
    setTimeout(open, 500);
  };
  open();
  return (message) => {
    const used = open();
    try {
      used.postMessage(message);
    } catch {
      // Firefox stops a background whose port is open, and says so only now.
      lose(used);
      open().postMessage(message);
    }
  };
}

/** A message of _locales in the person's language; empty when there is none. Where that is written from right
 * to left, each argument keeps its own direction: an address must not be turned around.
 * @param {Api} ext @param {string} key @param {string[]} [args] */
export function words(ext, key, args = []) {
  const isolated = args.length > 0 && ext.i18n.getMessage('@@bidi_dir') === 'rtl' ?
    args.map((one) => `\u2068${one}\u2069`) : args;
  return ext.i18n.getMessage(key, isolated);
}
