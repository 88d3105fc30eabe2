// SPDX-License-Identifier: Apache-2.0
// The leak test. No server is contacted before somebody agreed to it.

import {familyOf} from './ext.js';
import {gather, gatherTime, holdsPermission, permissionToTest} from './gather.js';
import {asText, examine, inWords, readHistory, remember, toneOf} from './leak.js';
import {byId, connect, copy, ext, make, moment, say, startPage, word, write} from './page.js';
import {loadSettings, onSettings, saveSettings} from './settings.js';

/** @typedef {import('./leak.js').Check} Check */

/** @type {any} */
let raw = null;
/** @type {import('./settings.js').Settings} */
let settings;
/** @type {Check | null} */
let last = null;
let busy = false;
const firefox = familyOf(ext) === 'firefox';

const background = connect((view) => {
  raw = view.raw;
  document.body.dataset.state = view.icon;
  byId('icon').setAttribute('src', `icons/${view.icon}.svg`);
  write('sentence', say(view.sentence));
  byId('no_host').hidden = raw.state !== null;
});

/** @param {string} server */
const short = (server) => server.replace('stun:', '');

async function showControls() {
  const asks = !settings.stunAgreed && settings.stunServers.length > 0;
  byId('agree').hidden = busy || !asks;
  byId('ready').hidden = busy || asks;
  byId('no_servers').hidden = settings.stunServers.length > 0;
  byId('servers').replaceChildren(...settings.stunServers.map((one) => make('li', {}, short(one))));
  byId('running').hidden = !busy;
  const held = firefox && await holdsPermission();
  byId('run_permission').hidden = held;
  write('permission_why', word(held ? 'check_permission_held' :
    firefox ? 'check_permission_why' : 'check_permission_why_chromium'));
}

/** @param {'site' | 'caller'} as an ordinary site, or one that may use the microphone
 * @param {string[]} servers @param {Promise<boolean>} [ready] false when this may not be */
async function run(as, servers, ready = mayTest()) {
  if (busy) return;
  busy = true;
  write('fault', '');
  byId('result').hidden = true;
  /** @type {(() => void) | null} */
  let stop = null;
  try {
    if (!await ready) throw word('check_needs_permission');
    if (firefox && as === 'caller') stop = await openMicrophone();
    await runNow(as, servers);
  } catch (why) {
    write('fault', typeof why === 'string' ? why : word('page_failed', String(why)));
  }
  stop?.();
  busy = false;
  await showControls();
  if (!byId('result').hidden) byId('result').focus();
}

/** Browsers take it for the person's wish only right after the click, so this comes before all else.
 * @returns {Promise<boolean>} */
async function mayTest() {
  const needed = permissionToTest(ext);
  return !needed || ext.permissions.request(needed);
}

/** @param {'site' | 'caller'} as @param {string[]} servers */
async function runNow(as, servers) {
  await showControls();
  const began = Date.now();
  const ticking = setInterval(() => byId('progress').setAttribute('value',
    String(Math.min(100, 100 * (Date.now() - began) / gatherTime))), 100);
  try {
    // Chromium's lock holds for callers as well, but not for extensions: their own pages show what a caller
    // learns only where there is no lock.
    const own = !firefox && as === 'caller' && raw?.level === 'unrestricted';
    const [gathered, links] = await Promise.all([gather(ext, servers, own), linksOfThisMachine(servers)]);
    const known = {level: raw?.level ?? null, state: raw?.state ?? null, links};
    const permission = as === 'caller' || (firefox && await holdsPermission());
    last = examine(gathered, known, {at: began, cause: 'you', permission, servers});
  } finally {
    clearInterval(ticking);
  }
  byId('shown').replaceChildren(...drawing(last));
  byId('result').hidden = false;
  write('copied', '');
  const {checks} = await ext.storage.local.get('checks');
  await ext.storage.local.set({checks: remember(checks, last)});
}

/** Also asks the host which address the server sees behind each network, which tells a VPN's from a
 * provider's. @param {string[]} servers */
async function linksOfThisMachine([server]) {
  if (!raw?.state) return null;
  const links = (/** @type {string | undefined} */ stun) => background.probe(stun).then((one) => one.links);
  // A server that the host cannot find is no reason to know nothing of the machine.
  return links(server && short(server)).catch(() => links(undefined)).catch(() => null);
}

/** @returns {Promise<() => void>} ends the recording */
async function openMicrophone() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({audio: true});
    return () => { for (const track of stream.getTracks()) track.stop(); };
  } catch {
    throw word('check_permission_refused');
  }
}

/** @param {Check} check @returns {Node[]} */
function drawing(check) {
  const {verdict, found, permission, servers, answered} = check;
  const notes = servers.map((server) =>
    make('li', {}, word(answered.includes(server) ? 'check_answered' : 'check_not_answered', short(server))));
  for (const family of servers.length ? [4, 6] : []) {
    const shown = found.some((one) => one.family === family && !['lan', 'tunnel'].includes(one.kind));
    if (!shown) notes.push(make('li', {}, word('check_no_family', String(family))));
  }
  const as = word(permission ? 'check_with_permission' : 'check_without_permission');
  return [
    make('p', {class: 'verdict', 'data-tone': toneOf(verdict)},
      make('span', {}, word(`check_verdict_${verdict}`))),
    make('p', {class: 'quiet'}, `${as} · ${moment(check.at)}`),
    found.length ? tableOf(check) : make('p', {}, word('check_nothing')),
    make('ul', {class: 'quiet'}, ...notes)];
}

/** @param {Check} check */
function tableOf({found}) {
  const head = ['check_address', 'check_meaning'].map((key) => make('th', {scope: 'col'}, word(key)));
  const rows = found.map((one) => make('tr', {'data-kind': one.kind},
    make('th', {scope: 'row'}, one.address), make('td', {}, inWords(one, say))));
  return make('div', {class: 'scroll'}, make('table', {},
    make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...rows)));
}

async function showHistory() {
  const checks = readHistory((await ext.storage.local.get('checks')).checks);
  byId('history_empty').hidden = checks.length > 0;
  byId('forget').hidden = checks.length === 0;
  byId('history').replaceChildren(...checks.map((check) => make('details', {},
    make('summary', {}, `${moment(check.at)} (${word(`check_cause_${check.cause}`)}): ${
      word(`check_verdict_${check.verdict}`)}`),
    ...drawing(check))));
}

startPage('page_check');
byId('agree_tab').hidden = firefox;
onSettings(ext, (now) => {
  settings = now;
  showControls();
});
ext.storage.onChanged.addListener((changes) => { if ('checks' in changes) showHistory(); });
byId('agree_run').addEventListener('click', async () => {
  const ready = mayTest();
  settings = await saveSettings(ext, {stunAgreed: true});
  await run('site', settings.stunServers, ready);
});
byId('local_run').addEventListener('click', () => run('site', []));
byId('run').addEventListener('click', () => run('site', settings.stunServers));
byId('run_permission').addEventListener('click', () => run('caller', settings.stunServers));
byId('copy').addEventListener('click', () => last && copy(asText(last, say, moment(last.at)), 'copied'));
byId('forget').addEventListener('click', () => ext.storage.local.remove('checks'));
loadSettings(ext).then((now) => {
  settings = now;
  showControls();
});
showHistory();
