// SPDX-License-Identifier: Apache-2.0
// What popup.mjs is for Chromium: the popup and the pages in a real Firefox with the real host, each from a real
// cause. The extension is installed for good, so that a restart is one.
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

import {outputDir} from '../extension/lib/common.mjs';
import {firefoxId, launchFirefox} from '../extension/lib/firefox.mjs';
import {Lab, until} from '../lab/lab.mjs';
import {pages, proxies, stun} from '../lab/network.mjs';
import {gather_ms, named, Report, stun_urls, text_of} from './expect.mjs';
import {need_extension, need_programs, program} from './setup.mjs';

const report = new Report('popup.firefox');
/// The API, in a page of the extension.
const browser = '(window.wrappedJSObject ?? window).browser';
const home = mkdtempSync(path.join(process.env.TMPDIR, 'home-'));
let firefox;
let view;  // a tab with a page of the extension, from which its popup can be seen
let site;  // a tab with the test's page

function settings(content) {
  mkdirSync(path.join(home, '.config/icelock'), {recursive: true});
  writeFileSync(path.join(home, '.config/icelock/icelock.json'), JSON.stringify(content));
}

function pack() {
  const out = path.join(home, 'packages');
  execFileSync(process.execPath, [fileURLToPath(new URL('../../installer/pack-extension.mjs', import.meta.url)),
                                  '--out', out], {stdio: 'ignore'});
  return path.join(out, readdirSync(out).find((one) => one.endsWith('.xpi')));
}

const call = (name, args) => firefox.marionette.call(name, args);

async function to(handle) {
  await call('Marionette:SetContext', {value: 'content'});
  await call('WebDriver:SwitchToWindow', {handle, focus: true});
}

async function open(url) {
  await call('Marionette:SetContext', {value: 'content'});
  const {handle} = await call('WebDriver:NewWindow', {type: 'tab', focus: true});
  await to(handle);
  await call('WebDriver:Navigate', {url});
  return handle;
}

async function start(installs) {
  firefox = await launchFirefox({host: program('icelock-host'), home, installs, prefs: {
    'xpinstall.signatures.required': false,
    // No test can press the browser's own buttons for these.
    'extensions.webextOptionalPermissionPrompts': false,
    'media.navigator.streams.fake': true}});
  await until('the extension', () => firefox.openPage('options.html').then(() => true, () => false), 20000);
  view = (await call('WebDriver:GetWindowHandle')).value;
  site = await open(`${pages.plain}/`);
}

/// Asks the popup over the test's page, which listens once it is drawn; opens it when it is not there.
async function popup(expression) {
  const ask = () => firefox.inPopup(view, `popup.body?.dataset.drawn ? (${expression}) : null`).catch(() => null);
  const found = await ask();
  if (found !== null) return found;
  await to(site);
  await firefox.clickIcon();
  return until('the popup', ask, 20000);
}

async function shows(what, icon, words, deadline_ms = 30000) {
  let last;
  try {
    await until(what, async () => {
      last = await popup('[popup.body.dataset.state, popup.querySelector("main").innerText.replaceAll("\\n", " ")]');
      return last[0] === icon && words.test(last[1]);
    }, deadline_ms, 100);
    report.check(`${what}: shown as ${icon}`, true);
  } catch {
    report.check(`${what}: shown as ${icon}`, false, JSON.stringify(last));
  }
}

const press = (selector) => popup(`(popup.querySelector(${JSON.stringify(selector)}).click(), true)`);

async function obeys(what, prefs) {
  await firefox.untilPrefs(prefs).then(() => report.check(`${what}: ${prefs.join() || 'open'}`, true),
                                       (error) => report.check(what, false, error.message));
}

/// Presses a control of a page as a person does, which is what permissions are asked on.
async function click(selector) {
  const {value} = await call('WebDriver:FindElement', {using: 'css selector', value: selector});
  await call('WebDriver:ElementClick', {id: Object.values(value)[0]});
}

async function learns(handle) {
  await to(handle);
  return named(await firefox.inPage(`return gather(${gather_ms}, ${JSON.stringify(stun_urls)})`));
}

async function sees(what, handle, wanted) {
  const seen = await learns(handle);
  report.check(`${what}: a page sees ${wanted ? 'something' : 'nothing'}`,
               Object.keys(seen).length > 0 === wanted, text_of(seen));
}

/// The optional permission, and the browser's proxy set and unset.
async function follows_proxy() {
  const prefs = (type) => firefox.marionette.run('chrome', `
    Services.prefs.setStringPref("network.proxy.http", "${proxies.address}");
    Services.prefs.setIntPref("network.proxy.http_port", ${proxies.http});
    Services.prefs.setIntPref("network.proxy.type", ${type});`);
  await to(view);
  await click('#followProxy');
  await obeys('proxy followed, none set', []);
  // Firefox says nothing of this to extensions; another tab is what makes icelock look.
  await prefs(1);
  await to(site);
  await obeys('a proxy is set', ['proxy_only']);
  await shows('proxy', 'locked', /proxy/i);
  await prefs(5);
  await to(view);
  await obeys('it is unset', []);
}

/// A connection from before the lock, its tab named and reloaded.
async function watches_connections(lab) {
  await to(view);
  await click('#watchConnections');
  await until('the scripts', () => firefox.inPage(
      `return ${browser}.scripting.getRegisteredContentScripts().then((all) => all.length)`));
  await to(site);
  await call('WebDriver:Refresh');
  await firefox.inPage('window.held = new RTCPeerConnection(); held.createDataChannel("x"); return null;');
  await lab.tunnel_up();
  await obeys('VPN up', ['proxy_only']);
  await shows('connection from before', 'leaking', /leak page/);
  await press('#tabs button');
  await shows('VPN up', 'locked', /VPN tun0 is up but carries no IPv6.*limited to proxies/);
}

async function modes() {
  for (const [mode, prefs] of [['open', []], ['locked', ['proxy_only']], ['auto', ['proxy_only']]]) {
    await press(`#${mode}`);
    await obeys(`mode ${mode}`, prefs);
    await until(mode, () => popup(`popup.querySelector("#${mode}").checked`));
  }
}

/// Two switches want access to all sites; that of the one that goes off first stays.
async function shares_a_permission() {
  await to(view);
  await firefox.openPage('options.html');
  const held = () => firefox.inPage(`return ${browser}.permissions.getAll().then(({origins, permissions}) =>
    [...origins, ...permissions].filter((one) => ["*://*/*", "scripting", "webRequestBlocking"].includes(one)).join())`);
  for (const [selector, wanted] of [['#holdStart', '*://*/*,scripting,webRequestBlocking'],
                                    ['#watchConnections', '*://*/*,webRequestBlocking'], ['#holdStart', '']]) {
    await click(selector);
    let last;
    const right = await until(selector, async () => (last = await held()) === wanted).catch(() => false);
    report.check(`${selector} switched: holds ${wanted || 'none of them'}`, right, last);
  }
}

async function in_private(what, wanted) {
  await call('Marionette:SetContext', {value: 'content'});
  const {handle} = await call('WebDriver:NewWindow', {type: 'window', private: true, focus: true});
  await to(handle);
  await call('WebDriver:Navigate', {url: `${pages.plain}/`});
  await sees(what, handle, wanted);
  await call('WebDriver:CloseWindow');
  await to(site);
}

/// What "remember this decision" stores for the extension's own page, or its end.
async function remember_microphone(action) {
  await firefox.marionette.run('chrome', `
    const {extension} = WebExtensionPolicy.getByID(arguments[0]);
    Services.perms.addFromPrincipal(extension.principal, "microphone", Services.perms[arguments[1]]);`,
                               [firefoxId, action]);
  await call('Marionette:SetContext', {value: 'content'});
}

/// The leak test as a calling site, microphone and all.
async function leak_test(what, words) {
  await to(view);
  await firefox.openPage('test.html');
  const run = '#run_permission';
  // A page that is drawn after the permission was stored has no need of this button, and hides it.
  await until('the button', () => firefox.inPage(`return document.querySelector("${run}").offsetParent !== null`));
  await remember_microphone('ALLOW_ACTION');
  await click(run);
  const shown = await until('the result', () => firefox.inPage(
      'return !document.querySelector("#result").hidden && document.querySelector("#shown").innerText'), 20000);
  report.check(`leak test, ${what}`, words.test(shown), shown.replaceAll('\n', ' '));
  await remember_microphone('UNKNOWN_ACTION');
}

need_programs('icelock', 'icelock-host');
need_extension();
mkdirSync(outputDir, {recursive: true});
let failure;
try {
  settings({hold_seconds: 1});
  const lab = await Lab.build('ovpn_full_v6');
  const xpi = pack();
  await start(xpi);
  await shows('no VPN', 'open', /No VPN carries web traffic\. WebRTC is open/);
  await follows_proxy();
  await watches_connections(lab);
  await shares_a_permission();
  await in_private('private window, locked', false);
  await modes();
  await press('#open');
  await obeys('open by hand of the person', []);
  await in_private('private window, open', true);
  await to(view);
  await firefox.inPage(`return ${browser}.storage.local.get("settings").then(({settings}) =>
    ${browser}.storage.local.set({settings: {...settings, stunAgreed: true,
      stunServers: ["stun:${stun.ipv4}:${stun.port}"]}}))`);
  await leak_test('open', /192\.168\.77\.10/);
  await press('#auto');
  await obeys('auto again', ['proxy_only']);
  await leak_test('locked', /No leak: WebRTC is locked/);

  await popup('(popup.querySelector("#site_buttons button:nth-child(2)").click(), true)');
  await obeys('a call for an hour', ['default_address_only']);
  await shows('excepted', 'open', /Allowed for 59:\d\d more/);
  await firefox.close();
  await start('');
  await obeys('restarted with an exception under way', ['proxy_only']);
  await sees('restarted', site, false);
  await firefox.close();
} catch (error) {
  failure = error;
}
process.exit(report.finish(failure));
