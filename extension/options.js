// SPDX-License-Identifier: Apache-2.0
// The settings page. Nothing here keeps a truth of its own: it shows what the background and the storage
// say, and sends them what the person chose.

import {diagnose} from './diagnostics.js';
import {familyOf} from './ext.js';
import {permissionToTest} from './gather.js';
import {byId, connect, copy, ext, input, make, say, startPage, word, write} from './page.js';
import {exportSettings, importSettings, limits, loadSettings, onSettings, parseServer, permissionsFor,
  proposedServers, saveSettings} from './settings.js';

/** @typedef {import('./settings.js').Settings} Settings */

const switches = /** @type {const} */ (
  ['stunAgreed', 'regularCheck', 'notifications', 'watchConnections', 'holdStart', 'followProxy']);

const firefox = familyOf(ext) === 'firefox';
/** @type {Settings} */
let settings;
/** @type {import('./page.js').View | null} */
let view = null;
/** @type {any} permissions that this extension holds */
let held = {};

const background = connect((now) => {
  view = now;
  show();
});

function show() {
  if (view) showView(view);
  if (!settings) return;
  for (const name of switches) {
    const box = input(name);
    box.checked = settings[name];
    box.disabled = settings.managed.includes(name);
    markManaged(box.parentElement, box.disabled);
    markMissing(name, settings[name] && !holds(neededFor(name)));
  }
  const fixed = settings.managed.includes('stunServers');
  for (const id of ['servers', 'save_servers', 'propose']) input(id).disabled = fixed;
  markManaged(byId('servers_is'), fixed);
  showDiagnostics();
}

/** @param {typeof switches[number]} name */
function neededFor(name) {
  if (name === 'regularCheck') return permissionToTest(ext) ?? undefined;
  // Chromium has no optional permission for its proxy, so the person's word counts, nor holds its start.
  return ['followProxy', 'holdStart'].includes(name) && !firefox ? undefined : permissionsFor[name];
}

/** @param {chrome.permissions.Permissions | undefined} wanted */
const holds = (wanted) =>
  (wanted?.permissions ?? []).every((one) => held.permissions?.includes(one)) &&
  (wanted?.origins ?? []).every((one) => held.origins?.includes(one));

/** @param {HTMLElement | null} element @param {boolean} managed */
function markManaged(element, managed) {
  const mark = element?.querySelector('.managed');
  if (!managed) mark?.remove();
  else if (!mark) element?.append(make('small', {class: 'managed'}, word('page_managed')));
}

/** What is on and cannot work: an administrator or a file switched it on, or the permission was taken back.
 * @param {typeof switches[number]} name @param {boolean} missing */
function markMissing(name, missing) {
  const row = /** @type {HTMLElement} */ (input(name).closest('label'));
  const mark = row.nextElementSibling?.classList.contains('missing') ? row.nextElementSibling : null;
  if (!missing) return mark?.remove();
  if (mark) return;
  const give = make('button', {type: 'button'}, word('options_permission_give'));
  give.addEventListener('click', () => ask(neededFor(name)));
  row.after(make('p', {class: 'missing'}, `${word('options_permission_missing')} `, give));
}

/** @param {chrome.permissions.Permissions | undefined} wanted */
async function ask(wanted) {
  write('refused', '');
  const given = await ext.permissions.request(wanted ?? {}).catch(() => false);
  if (!given) write('refused', word('options_refused'));
  await refresh();
}

/** @param {import('./page.js').View} now */
function showView({icon, sentence, modes, notes, raw}) {
  document.body.dataset.state = icon;
  byId('icon').setAttribute('src', `icons/${icon}.svg`);
  write('sentence', say(sentence));
  const fixed = Boolean(settings?.mode || raw.state?.mode_fixed);
  for (const {id, checked, enabled} of modes) {
    input(id).checked = settings?.mode ? id === settings.mode : checked;
    input(id).disabled = fixed || !enabled;
  }
  const floor = strictest(settings?.floor, raw.state?.floor);
  if (floor !== 'unrestricted') input('open').disabled = true;
  write('mode_note', fixed ? word('options_fixed') :
    floor === 'unrestricted' ? '' : word('options_floor', word(`options_level_${floor}`)));
  const refusal = notes.find(({key}) => key.startsWith('error_'));
  write('refusal', refusal ? say(refusal) : '');
  showSites(raw.state?.sites);
}

/** @param {...(string | null | undefined)} floors */
function strictest(...floors) {
  const order = ['unrestricted', 'default_route_only', 'force_proxy', 'disabled'];
  return order[Math.max(0, ...floors.map((one) => order.indexOf(one ?? '')))];
}

/** @param {any} sites the host's */
function showSites(sites) {
  const list = Array.isArray(sites?.list) ? sites.list : [];
  byId('sites').hidden = list.length === 0;
  write('sites_note', list.length > 0 ? '' :
    word(sites?.possible ? 'options_sites_none' : 'options_sites_impossible'));
  byId('site_rows').replaceChildren(...list.map(siteRow));
}

/** @param {{pattern: string, seconds_left: number | null, by: string}} site */
function siteRow({pattern, seconds_left: left, by}) {
  const until = left === null ? word('options_site_never') :
    word('options_site_minutes', String(Math.ceil(left / 60)));
  const remove = make('button', {type: 'button', 'aria-label': word('options_site_remove_of', pattern)},
    word('options_site_remove'));
  remove.addEventListener('click', () => background.post({deny: pattern}));
  const last = by === 'you' ? remove :
    make('span', {class: 'quiet'}, word(by === 'admin' ? 'options_site_admin' : 'options_site_other'));
  return make('tr', {}, make('th', {scope: 'row'}, pattern), make('td', {}, until), make('td', {}, last));
}

/** What no other switch needs that is on. @param {typeof switches[number]} name
 * @param {chrome.permissions.Permissions} wanted @returns {chrome.permissions.Permissions} */
function unshared(name, wanted) {
  const others = switches.filter((one) => one !== name && settings[one]).map(neededFor).filter(holds);
  const kept = (/** @type {'permissions' | 'origins'} */ kind, /** @type {string} */ value) =>
    others.some((other) => /** @type {string[]} */ (other?.[kind] ?? []).includes(value));
  return {permissions: wanted.permissions?.filter((one) => !kept('permissions', one)),
    origins: wanted.origins?.filter((one) => !kept('origins', one))};
}

/** @param {typeof switches[number]} name */
async function turn(name) {
  const on = input(name).checked;
  const wanted = neededFor(name);
  write('refused', '');
  try {
    // Asked for at once: browsers take it for the person's wish only right after the click.
    const given = !on || !wanted || await ext.permissions.request(wanted);
    if (!given) write('refused', word('options_refused'));
    await saveSettings(ext, {[name]: on && given});
    if (!on && wanted && name !== 'regularCheck') await ext.permissions.remove(unshared(name, wanted));
  } catch (error) {
    write('refused', word('page_failed', String(error)));
  }
  await refresh();
}

async function refresh() {
  const before = settings?.stunServers.join();
  [settings, held] = await Promise.all([loadSettings(ext), ext.permissions.getAll()]);
  // What a person is writing there is left alone while the list itself stays as it was.
  const written = before === undefined && input('servers').value !== '';
  if (settings.stunServers.join() !== before && !written) showServers();
  show();
}

const serverLines = () => input('servers').value.split('\n').map((one) => one.trim()).filter(Boolean);

async function saveServers() {
  write('servers_saved', '');
  const lines = serverLines();
  const bad = lines.find((line) => parseServer(line) === null);
  const many = lines.length > limits.servers;
  write('servers_fault', bad !== undefined ? word('options_servers_bad', bad) :
    many ? word('options_servers_many') : '');
  if (bad !== undefined || many) return input('servers').focus();
  settings = await saveSettings(ext, {stunServers: lines});
  showServers();
  write('servers_saved', word('options_saved'));
  show();
}

function showServers() {
  input('servers').value = settings.stunServers.map((one) => one.replace('stun:', '')).join('\n');
}

async function showKeys() {
  const commands = await ext.commands.getAll();
  byId('keys').replaceChildren(...commands.map(({name, shortcut}) => make('li', {},
    `${word(name === 'open_check' ? 'page_check' : 'options_shortcut_popup')}: `,
    shortcut ? make('kbd', {}, shortcut) : make('span', {class: 'quiet'}, word('options_shortcut_none')))));
}

function changeKeys() {
  const own = /** @type {any} */ (ext.commands).openShortcutSettings;
  return own ? own.call(ext.commands) : ext.tabs.create({url: 'chrome://extensions/shortcuts'});
}

function exportFile() {
  const url = URL.createObjectURL(new Blob([exportSettings(settings)], {type: 'application/json'}));
  make('a', {href: url, download: 'icelock-settings.json'}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function importFile() {
  const [file] = input('file').files ?? [];
  if (!file) return;
  write('imported', '');
  // Not even read when it is too large.
  const read = importSettings(file.size > limits.file ? ' '.repeat(limits.file + 1) : await file.text());
  input('file').value = '';
  write('import_fault', 'fault' in read ? word(`options_import_${read.fault}`, read.at) : '');
  if ('fault' in read) return;
  settings = await saveSettings(ext, {...read.part, stunAgreed: false});
  showServers();
  show();
  write('imported', word('options_imported'));
}

async function showDiagnostics() {
  const {version} = ext.runtime.getManifest();
  const known = {version, agent: navigator.userAgent, language: ext.i18n.getUILanguage(), settings,
    permissions: held, raw: view?.raw, privateWindows: await ext.extension.isAllowedIncognitoAccess()};
  input('diagnostics').value = diagnose(known, input('with_addresses').checked);
}

startPage('page_options');
byId('hold').hidden = !firefox;
if (!firefox) {
  write('proxy_label', word('options_proxy_declare'));
  write('proxy_is', word('options_proxy_declare_is'));
}
byId('modes').addEventListener('change', (event) =>
  background.post({mode: /** @type {HTMLInputElement} */ (event.target).value}));
for (const name of switches) byId(name).addEventListener('change', () => turn(name));
for (const [id, act] of /** @type {[string, () => unknown][]} */ ([
  ['save_servers', saveServers], ['export', exportFile], ['change_keys', changeKeys],
  ['import', () => byId('file').click()],
  ['propose', () => { input('servers').value = proposedServers.join('\n').replaceAll('stun:', ''); }],
  ['copy', () => copy(input('diagnostics').value, 'copied')]])) byId(id).addEventListener('click', act);
byId('file').addEventListener('change', importFile);
byId('with_addresses').addEventListener('change', showDiagnostics);
onSettings(ext, refresh);
for (const event of [ext.permissions.onAdded, ext.permissions.onRemoved]) event.addListener(refresh);
refresh();
showKeys();
