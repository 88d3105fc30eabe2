// SPDX-License-Identifier: Apache-2.0
// Which tabs hold an RTCPeerConnection that was opened under looser rules: browsers read the rules when a
// connection is made, and never again. Off until the person switches it on and gives the permission.
// What comes from pages is a number and two times; nothing of it is shown or trusted beyond that.

import {isLevel, isLooser} from './handling.js';

/** @typedef {import('./handling.js').Level} Level */
/** @typedef {{count: number, first: number, last: number}} Held  open connections, and when the first and the
 *  last of them were opened, ms of the epoch */

export const portName = 'connections';
/** @type {chrome.permissions.Permissions & {origins: string[]}} */
const wanted = {permissions: ['scripting'], origins: ['*://*/*']};
/** `slack`: ms between opening a connection here and the browser's reading of the rules. */
const limits = {frames: 500, count: 999, messages: 5000, levels: 64, slack: 1000, title: 80};

/** The page's own world counts, the isolated one passes it on; no page can speak to the extension itself. */
const scripts = [
  {id: 'watch-page', js: ['watch_page.js'], world: 'MAIN'},
  {id: 'watch-relay', js: ['watch_relay.js'], world: 'ISOLATED'},
].map((one) => ({...one, matches: wanted.origins, allFrames: true, matchOriginAsFallback: true,
  runAt: 'document_start', persistAcrossSessions: true}));

/** @param {any} message @param {number} now @returns {Held | null} null when it is none */
export function readHeld(message, now) {
  const {count, first, last} = message ?? {};
  const times = [first, last].every((at) => Number.isFinite(at) && at >= 0 && at <= now + limits.slack);
  const right = Number.isInteger(count) && count >= 0 && count <= limits.count && times && first <= last;
  return right ? {count, first, last} : null;
}

/** The loosest level that was in force in a span of time; null (no level at all) is the loosest.
 * @param {{at: number, level: Level | null}[]} history oldest first @param {number} from @param {number} to
 * @returns {Level | null} */
export function loosestIn(history, from, to) {
  const inForce = history.filter(({at}, n) => at <= to && (history[n + 1]?.at ?? Infinity) >= from);
  return (inForce.length ? inForce : history.slice(0, 1))
    .reduce((/** @type {Level | null} */ loosest, {level}) =>
      loosest === null || level === null ? null : isLooser(level, loosest) ? level : loosest, 'disabled');
}

/** @param {import('./ext.js').Api} ext @param {() => void} changed called when `stale` may answer another */
export function createConnections(ext, changed) {
  /** @type {Map<chrome.runtime.Port, Held & {tab: number}>} */
  const frames = new Map();
  /** @type {{at: number, level: Level | null}[]} */
  let history = [];

  /** @param {any} session what storage has */
  function load(session) {
    if (!Array.isArray(session.levels)) return;
    const old = session.levels.filter((/** @type {any} */ one) =>
      Number.isFinite(one?.at) && (one.level === null || isLevel(one.level)));
    history = [...old, ...history];
  }

  /** Notes the level that was read back. @param {Level | null} level */
  function levelIs(level) {
    if (history.length > 0 && history[history.length - 1].level === level) return;
    history = [...history, {at: Date.now(), level}].slice(-limits.levels);
    ext.storage.session.set({levels: history}).catch(() => {});
  }

  /** Follows the switch and the permission. @param {boolean} on
   * @returns {Promise<boolean>} whether pages are watched now */
  async function follow(on) {
    try {
      /** @type {boolean} */
      const permitted = on && await ext.permissions.contains(wanted);
      const there = ext.scripting ? await ext.scripting.getRegisteredContentScripts({}) : [];
      if (permitted && there.length === 0) {
        await ext.scripting.registerContentScripts(/** @type {any} */ (scripts));
      }
      if (!permitted && there.length > 0) await ext.scripting.unregisterContentScripts();
      if (!permitted) drop();
      return permitted;
    } catch {
      return false;
    }
  }

  function drop() {
    for (const port of frames.keys()) port.disconnect();
    frames.clear();
  }

  /** @param {chrome.runtime.Port} port of a page's isolated script */
  function attach(port) {
    const tab = port.sender?.tab?.id;
    if (tab === undefined) return port.disconnect();
    let messages = 0;
    port.onDisconnect.addListener(() => {
      if (frames.delete(port)) changed();
    });
    port.onMessage.addListener((message) => {
      const held = readHeld(message, Date.now());
      const full = frames.size >= limits.frames && !frames.has(port);
      if (!held || full || ++messages > limits.messages) {
        frames.delete(port);
        return port.disconnect();
      }
      frames.set(port, {...held, tab});
      changed();
    });
  }

  /** In the order in which tabs were opened, so that a list of them does not jump: hidden tabs report late.
   * @param {Level | null} level in force @returns {Promise<{id: number, title: string, count: number}[]>} */
  async function stale(level) {
    /** @type {Map<number, number>} */
    const counts = new Map();
    for (const {tab, count, first, last} of frames.values()) {
      const then = loosestIn(history, first - limits.slack, last + limits.slack);
      if (count === 0 || level === null || !isLooser(then, level)) continue;
      counts.set(tab, (counts.get(tab) ?? 0) + count);
    }
    const byTab = [...counts].sort(([one], [other]) => one - other);
    return Promise.all(byTab.map(async ([id, count]) => {
      const {title = ''} = await ext.tabs.get(id).catch(() => /** @type {any} */ ({}));
      return {id, count, title: title.slice(0, limits.title)};
    }));
  }

  return {load, levelIs, follow, attach, stale};
}
