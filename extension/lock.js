// SPDX-License-Identifier: Apache-2.0
// The hand on the browser's privacy settings: sets, and believes only what it reads back, because set()
// resolves without an error when a policy or another extension keeps it from having any effect.
//
// The scope is the regular one. In Firefox the settings are global. Chromium's private windows inherit it
// where the extension is allowed in them, and nowhere else; so no second value is set. Another extension can
// set one for them alone, so theirs is read as well (measured in 156).
// A policy that names sites (WebRtcIPHandlingUrl) outranks all of this and cannot be seen here: the host
// finds it and says so.

import {handlings, isLooser, levelOf} from './handling.js';

/** @typedef {import('./handling.js').Level} Level */
/** @typedef {{value: string, control: string, level: Level | null}} Reading
 *  `value`: the handling read back, empty when the browser would not say; `control`: levelOfControl */

/** Whoever keeps icelock out, strongest first; a reading of two settings is as weak as the weaker. */
const controls = ['not_controllable', 'controlled_by_other_extensions',
  'controllable_by_this_extension', 'controlled_by_this_extension'];

/** @param {import('./ext.js').Api} ext @param {import('./handling.js').Family} family
 * @param {() => boolean} [readsPrivate] whether private windows have a setting of their own to be read */
export function createLock(ext, family, readsPrivate = () => false) {
  const network = /** @type {any} */ (ext.privacy.network);
  const policy = network.webRTCIPHandlingPolicy;
  const api = family === 'firefox' ? network.peerConnectionEnabled : null;

  /** @type {Promise<unknown> | null} */
  let underWay = null;

  /** One change after the other. Firefox keeps an entry for each of two first set() calls at once, and
   * clear() lets only one of them go, so that nothing could open the browser again (measured in 153;
   * addSetting() in its ExtensionSettingsStore.sys.mjs).
   * @template T @param {() => Promise<T>} change never rejects @returns {Promise<T>} */
  function inTurn(change) {
    const mine = underWay ? underWay.then(change) : change();
    underWay = mine;
    mine.then(() => { if (underWay === mine) underWay = null; });
    return mine;
  }

  /** Locks before anything is known. Never looser than what is in force: Firefox without the API has this
   * value beside. Never rejects. */
  const shut = () => inTurn(async () => {
    try {
      await policy.set({value: handlings[family].force_proxy.policy});
    } catch {
      // apply() comes next, and says what is in force.
    }
  });

  /** Sets the level and says what the browser then has. Never rejects.
   * @param {Level} level @returns {Promise<Reading>} */
  async function apply(level) {
    await inTurn(() => write(level));
    return read();
  }

  /** @param {Level} level */
  async function write(level) {
    const handling = handlings[family][level];
    try {
      // Straight from the old value to the new one: clear() first would open a gap. It is let go only to
      // leave WebRTC alone, so that a stricter choice of the person or another extension counts again.
      await (level === 'unrestricted' ? policy.clear({}) : policy.set({value: handling.policy}));
    } catch {
      // What matters is what is in force, and read() says that.
    }
    try {
      if (api) await setApi(handling.peerConnectionEnabled !== false);
    } catch {
      // As above; and the one setting must not keep the other from being set.
    }
  }

  /** Taking the API away is a set(); giving it back is letting go, since a person who switched it off in
   * about:config must not get it back from us.
   * @param {boolean} enabled */
  async function setApi(enabled) {
    if (!enabled) return api.set({value: false});
    const now = await api.get({});
    if (now.levelOfControl === 'controlled_by_this_extension') await api.clear({});
  }

  /** @returns {Promise<Reading>} what is in force now; never rejects */
  async function read() {
    try {
      const [regular, hidden, peer] = await Promise.all([policy.get({}), inPrivate(), api?.get({})]);
      const all = [regular, hidden ?? regular].map(({value, levelOfControl}) => ({value: String(value),
        level: levelOf(family, {policy: value, peerConnectionEnabled: peer?.value}),
        rank: controls.indexOf(levelOfControl)}));
      const ranks = all.map(({rank}) => rank);
      // The API that nobody switched off is not ours to hold, so "controllable" is no weakness there.
      if (peer && peer.levelOfControl !== controls[2]) ranks.push(controls.indexOf(peer.levelOfControl));
      const {value, level} = all[all[0].level && isLooser(all[1].level, all[0].level) ? 1 : 0];
      return {value, control: controls[Math.max(0, Math.min(...ranks))], level};
    } catch {
      return {value: '', control: 'unknown', level: null};
    }
  }

  /** What private windows obey. */
  const inPrivate = () => readsPrivate() ? policy.get({incognito: true}).catch(() => null) : null;

  /** @param {() => void} listener called when anyone, icelock included, changed a setting */
  function onChange(listener) {
    policy.onChange.addListener(listener);
    api?.onChange.addListener(listener);
  }

  return {shut, apply, read, onChange};
}
