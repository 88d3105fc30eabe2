// SPDX-License-Identifier: Apache-2.0
// What a person chose, and what the administrator chose for them. Whatever is read, from storage, a policy
// or a file, is checked value by value; the administrator's choice wins.

import {isLevel} from './handling.js';

/** @typedef {import('./handling.js').Level} Level */
/** @typedef {'auto' | 'locked' | 'open'} Mode */
/** @typedef {object} Settings
 * @property {boolean} notifications say so when a regular check finds what should not show
 * @property {boolean} watchConnections look for connections that are older than the lock
 * @property {boolean} holdStart let pages wait for the lock when the browser starts; in Firefox alone
 * @property {boolean} followProxy take a proxy of the browser for a tunnel
 * @property {boolean} regularCheck test when the network changes, and daily
 * @property {boolean} stunAgreed whether the servers may be contacted at all
 * @property {string[]} stunServers as `stun:host:port`
 * @property {Level | null} floor the administrator's least level; only a policy has it
 * @property {Mode | null} mode the administrator's mode; only a policy has it
 * @property {string[]} managed the names of those that a policy sets */

export const limits = {servers: 4, file: 65_536};

/** Proposed, and not contacted before somebody agreed. Two operators, so that a VPN which leaves one of
 * them aside is found out. */
export const proposedServers = ['stun:stun.cloudflare.com:3478', 'stun:stun.l.google.com:19302'];

/** @type {Settings} */
export const defaults = {
  notifications: false, watchConnections: false, holdStart: false, followProxy: false, regularCheck: false,
  stunAgreed: false, stunServers: proposedServers, floor: null, mode: null, managed: []};

/** What each switch needs besides; the browser asks for it when the switch is turned on.
 * @type {Partial<Record<keyof Settings, chrome.permissions.Permissions>>} */
export const permissionsFor = {
  notifications: {permissions: ['notifications']},
  followProxy: {permissions: ['proxy']},
  watchConnections: {permissions: ['scripting'], origins: ['*://*/*']},
  holdStart: {permissions: ['webRequest', 'webRequestBlocking'], origins: ['*://*/*']},
};

/** `host`, `host:port` or `[address]:port`, with or without `stun:` before it.
 * @param {unknown} text @returns {string | null} as `stun:host:port`; null when it names no server */
export function parseServer(text) {
  const found = /^(?:stun:)?(\[[\da-f:.]+\]|[a-z\d](?:[a-z\d.-]*[a-z\d])?)(?::(\d{1,5}))?$/i
    .exec(typeof text === 'string' && text.length <= 255 ? text.trim() : '');
  const port = Number(found?.[2] ?? 3478);
  if (!found || found[1].includes('..') || port < 1 || port > 65_535) return null;
  try {
    return `stun:${new URL(`http://${found[1]}`).hostname}:${port}`;
  } catch {
    return null;
  }
}

/** @param {unknown} value @returns {string[] | null} */
function parseServers(value) {
  if (!Array.isArray(value) || value.length > limits.servers) return null;
  const servers = value.map(parseServer);
  return servers.every((one) => one !== null) ? [...new Set(/** @type {string[]} */ (servers))] : null;
}

const flag = (/** @type {unknown} */ value) => typeof value === 'boolean' ? value : null;

/** Reads one value; null when it is wrong. What a person, and what a file of theirs, may set.
 * @type {Record<string, (value: unknown) => boolean | string[] | null>} */
const readers = {
  notifications: flag, watchConnections: flag, holdStart: flag, followProxy: flag, regularCheck: flag,
  stunAgreed: flag,
  stunServers: parseServers};

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** @param {unknown} from @returns {Partial<Settings>} those values of it that are right */
function readable(from) {
  if (!isRecord(from)) return {};
  return Object.fromEntries(Object.entries(readers)
    .map(([name, read]) => [name, Object.hasOwn(from, name) ? read(from[name]) : null])
    .filter(([, value]) => value !== null));
}

/** @param {unknown} policy @returns {Partial<Settings>} what cannot be read of a lock counts as locked */
function readPolicy(policy) {
  const read = readable(policy);
  if (!isRecord(policy)) return read;
  if (Object.hasOwn(policy, 'floor')) read.floor = isLevel(policy.floor) ? policy.floor : 'force_proxy';
  if (Object.hasOwn(policy, 'mode')) {
    const modes = ['auto', 'locked', 'open'];
    read.mode = modes.includes(String(policy.mode)) ? /** @type {Mode} */ (policy.mode) : 'locked';
  }
  return read;
}

/** @param {unknown} stored @param {unknown} policy @returns {Settings} */
export function join(stored, policy) {
  const managed = readPolicy(policy);
  return {...defaults, ...readable(stored), ...managed, managed: Object.keys(managed)};
}

/** Firefox rejects where there is no policy.
 * @param {chrome.storage.StorageArea} area @returns {Promise<any>} */
const all = async (area) => area.get(null).catch(() => ({}));

/** @param {import('./ext.js').Api} ext @returns {Promise<Settings>} never rejects */
export async function loadSettings(ext) {
  const [local, policy] = await Promise.all([all(ext.storage.local), all(ext.storage.managed)]);
  return join(local.settings, policy);
}

/** Keeps what is right of `part`, beside what is there. Other servers than those agreed to need a new
 * agreement, so it goes with the list unless `part` brings it.
 * @param {import('./ext.js').Api} ext @param {Partial<Settings>} part @returns {Promise<Settings>} */
export async function saveSettings(ext, part) {
  const {settings} = await ext.storage.local.get('settings');
  const before = {...defaults, ...readable(settings)};
  const change = readable(part);
  const fresh = change.stunServers?.some((one) => !before.stunServers.includes(one));
  if (fresh && change.stunAgreed === undefined) change.stunAgreed = false;
  await ext.storage.local.set({settings: {...readable(settings), ...change}});
  return loadSettings(ext);
}

/** @param {import('./ext.js').Api} ext @param {(settings: Settings) => void} listener */
export function onSettings(ext, listener) {
  ext.storage.onChanged.addListener((changes, area) => {
    if (area === 'managed' || (area === 'local' && 'settings' in changes)) {
      loadSettings(ext).then(listener);
    }
  });
}

/** What a person takes to another browser. The agreement stays: it is given to servers, by a person.
 * @param {Settings} settings @returns {string} */
export function exportSettings(settings) {
  const names = Object.keys(readers).filter((name) => name !== 'stunAgreed');
  const own = Object.fromEntries(names.map((name) => [name, /** @type {any} */ (settings)[name]]));
  return `${JSON.stringify({icelock: 1, settings: own}, null, 2)}\n`;
}

/** All of it or nothing of it.
 * @param {string} text
 * @returns {{part: Partial<Settings>} | {fault: 'size' | 'json' | 'kind' | 'name' | 'value', at: string}} */
export function importSettings(text) {
  if (text.length > limits.file) return {fault: 'size', at: ''};
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    return {fault: 'json', at: ''};
  }
  if (!isRecord(file) || file.icelock !== 1 || !isRecord(file.settings)) return {fault: 'kind', at: ''};
  for (const [name, value] of Object.entries(file.settings)) {
    const known = name !== 'stunAgreed' && Object.hasOwn(readers, name);
    if (!known) return {fault: 'name', at: name.slice(0, 40)};
    if (readers[name](value) === null) return {fault: 'value', at: name};
  }
  return {part: readable(file.settings)};
}
