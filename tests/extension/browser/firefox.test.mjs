// SPDX-License-Identifier: Apache-2.0
// The extension in a real headless Firefox, with a fake host behind a real native-messaging port. What is in
// force is read from the preferences, below the API that the extension uses.

import assert from 'node:assert/strict';
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {fakeHost, outputDir, sleep, until} from '../lib/common.mjs';
import {hostState, stateAt} from '../lib/fake_browser.mjs';
import {firefoxId, launchFirefox} from '../lib/firefox.mjs';
import {createHostServer, pushToReport} from '../lib/host_server.mjs';
import {createWeb} from '../lib/web.mjs';

/** @type {Awaited<ReturnType<typeof createHostServer>>} */
let host;
/** @type {Awaited<ReturnType<typeof launchFirefox>>} */
let firefox;

before(async () => {
  await mkdir(outputDir, {recursive: true});
  host = await createHostServer();
  host.answer = false;
  firefox = await launchFirefox({host: fakeHost, env: host.env});
}, {timeout: 120_000});

after(async () => {
  await firefox?.close();
  await host?.close();
});

/** @param {RegExp} words */
const untilWords = (words) => until(async () =>
  words.test(await firefox.inPage('return document.querySelector("main").innerText')), `the popup to say ${words}`);

test('locked before the host has spoken', async () => {
  const link = await host.link();
  assert.match(link.argv[0], /icelock\.host\.json$/);
  assert.equal(link.argv[1], firefoxId);
  await until(() => link.asked('subscribe').length === 1, 'subscribe');
  await firefox.untilPrefs(['proxy_only']);
});

test('obeys the host, reads back and reports', async () => {
  Object.assign(host, {serial: 4, state: stateAt('default_route_only')});
  host.resume();
  const first = await host.report(4);
  const link = await host.link();
  assert.deepEqual([first.value, first.level_of_control, first.level],
    ['default_public_and_private_interfaces', 'controlled_by_this_extension', 'default_route_only']);
  /** @type {[string, string, string[], boolean][]} */
  const steps = [['unrestricted', 'default', [], true], ['force_proxy', 'proxy_only', ['proxy_only'], true],
    ['disabled', 'proxy_only', ['proxy_only'], false], ['unrestricted', 'default', [], true],
    ['disabled', 'proxy_only', ['proxy_only'], false],
    ['default_route_only', 'default_public_and_private_interfaces', ['default_address_only'], true]];
  for (const [level, value, on, enabled] of steps) {
    const report = await link.report(host.push(stateAt(level)));
    assert.deepEqual([report.value, report.level], [value, level]);
    assert.deepEqual(await firefox.prefs(), {enabled, on});
  }
});

test('from push to report', (context) => pushToReport(host, context));

test('a page has no WebRTC when it is disabled', async () => {
  const link = await host.link();
  for (const [level, type] of [['disabled', 'undefined'], ['force_proxy', 'function']]) {
    await link.report(host.push(stateAt(level)));
    await firefox.marionette.call('Marionette:SetContext', {value: 'content'});
    await firefox.marionette.call('WebDriver:Navigate', {url: `data:text/html,${level}`});
    assert.equal(await firefox.inPage('return typeof RTCPeerConnection'), type);
  }
});

test('the popup shows it, and a choice reaches the host', async () => {
  const link = await host.link();
  await link.report(host.push(hostState()));
  await firefox.openPopup();
  await untilWords(/^VPN tun0 is up but carries no IPv6.*the same way as web traffic/s);
  await firefox.screenshot(join(outputDir, 'popup-firefox.png'));
  await firefox.inPage('document.querySelector("#locked").click()');
  await until(() => link.asked('set_mode').length === 1, 'set_mode');
  assert.equal(link.asked('set_mode')[0].mode, 'locked');
});

test('locked preferences are said to be held, and reported as what they are', async () => {
  const link = await host.link();
  const pref = '"media.peerconnection.ice.proxy_only"';
  await link.report(host.push(stateAt('unrestricted')));
  await firefox.marionette.run('chrome', `Services.prefs.lockPref(${pref})`);
  try {
    const report = await link.report(host.push(stateAt('force_proxy')));
    assert.deepEqual([report.value, report.level_of_control, report.level],
      ['default', 'not_controllable', 'unrestricted']);
    await firefox.openPopup();
    await untilWords(/Sites may see your address.*A policy or a switch.*Wanted, but not in force/s);
  } finally {
    await firefox.marionette.run('chrome', `Services.prefs.unlockPref(${pref})`);
  }
});

test('a call on one site loosens the browser, says so, and ends with its tab', async () => {
  const link = await host.link();
  await link.report(host.push(stateAt('force_proxy', {sites: {possible: true, list: [], granted: []}})));
  const web = await createWeb();
  const {marionette} = firefox;
  await firefox.openPopup();  // a page of the extension, from which the real popup can be seen
  const first = await marionette.call('WebDriver:GetWindowHandle').then(({value}) => value);
  try {
    const {handle} = await marionette.call('WebDriver:NewWindow', {type: 'tab', focus: true});
    await marionette.call('WebDriver:SwitchToWindow', {handle});
    await marionette.call('WebDriver:Navigate', {url: web.site});
    await firefox.clickIcon();
    const says = (/** @type {RegExp} */ words) => until(async () =>
      words.test(await firefox.inPopup(first, 'popup.querySelector("main").innerText')), String(words));
    await says(/Allow calls on localhost:\d+:.*Firefox cannot loosen one site alone/s);
    await firefox.inPopup(first, 'popup.querySelector("#site_buttons button").click()');
    await firefox.untilPrefs(['default_address_only']);
    await says(/Allowed for 3:59:\d\d more/);
    assert.equal(link.asked('allow').length, 0);
    await marionette.call('Marionette:SetContext', {value: 'content'});
    await marionette.call('WebDriver:SwitchToWindow', {handle});
    await marionette.call('WebDriver:CloseWindow');
    await firefox.untilPrefs(['proxy_only']);
  } finally {
    await marionette.call('Marionette:SetContext', {value: 'content'});
    await marionette.call('WebDriver:SwitchToWindow', {handle: first});
    web.close();
  }
});

test('host killed while loose: locked after the grace', async () => {
  const link = await host.link();
  await link.report(host.push(stateAt('unrestricted')));
  await firefox.untilPrefs([]);
  host.answer = false;
  const count = host.started();
  link.kill();
  await firefox.untilPrefs(['proxy_only']);
  await host.link(count + 1);
  await untilWords(/went away|does not answer/);
  host.serial += 1;
  host.resume();
  await host.report(host.serial);
});

test('host killed while locked: stays locked all the time', async () => {
  const link = await host.link();
  await link.report(host.push(stateAt('force_proxy')));
  const count = host.started();
  link.kill();
  for (const end = Date.now() + 3000; Date.now() < end; await sleep(20)) {
    assert.deepEqual((await firefox.prefs()).on, ['proxy_only']);
  }
  await host.link(count + 1);
});

test('no host: locked, and still trying after the background would have been stopped', async () => {
  const alone = await launchFirefox({prefs: {'extensions.background.idle.timeout': 3000}});
  try {
    await alone.untilPrefs(['proxy_only']);
    await sleep(9000);
    assert.deepEqual((await alone.prefs()).on, ['proxy_only']);
    await alone.openPopup();
    await until(async () => /No icelock program/.test(
      await alone.inPage('return document.querySelector("main").innerText')), 'the popup to say so');
    await alone.inPage('document.querySelector("#open").click()');
    await alone.untilPrefs([]);
    await alone.inPage('document.querySelector("#locked").click()');
    await alone.untilPrefs(['proxy_only']);
  } finally {
    await alone.close();
  }
});
