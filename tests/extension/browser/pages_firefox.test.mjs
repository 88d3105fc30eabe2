// SPDX-License-Identifier: Apache-2.0
// The extension's pages in a real headless Firefox, with a STUN server on loopback, and the administrator's
// settings from a policy.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {fakeHost, until} from '../lib/common.mjs';
import {hostLinks, plainState, stateAt} from '../lib/fake_browser.mjs';
import {launchFirefox} from '../lib/firefox.mjs';
import {createHostServer} from '../lib/host_server.mjs';
import {createStun} from '../lib/stun.mjs';

/** @type {Awaited<ReturnType<typeof createHostServer>>} */
let host;
/** @type {Awaited<ReturnType<typeof launchFirefox>>} */
let firefox;
/** @type {Awaited<ReturnType<typeof createStun>>} */
let stun;

before(async () => {
  stun = await createStun('203.0.113.10');
  host = await createHostServer();
  host.state = plainState();
  host.probed = [hostLinks[0]];
  // Firefox leaves loopback addresses out unless told otherwise.
  firefox = await launchFirefox({host: fakeHost, env: host.env, prefs: {'media.peerconnection.ice.loopback': true}});
  await host.link();
  await firefox.untilPrefs([]);
}, {timeout: 120_000});

after(async () => {
  await firefox?.close();
  await host?.close();
  stun?.close();
});

/** @param {string} id @param {RegExp} words */
const untilText = (id, words) => until(
  async () => words.test(await firefox.inPage(`return document.getElementById("${id}").innerText`)),
  `#${id} to say ${words}`, 20_000);

/** @param {string} id */
const click = (id) => firefox.inPage(`document.getElementById("${id}").click()`);

/** @param {string} id */
const shows = (id) => until(() =>
  firefox.inPage(`return document.getElementById("${id}").checkVisibility()`), `#${id} to show`, 20_000);

/** Runs in the page, and gives what it promises. @param {string} script */
const later = async (script) => (await firefox.marionette.call('WebDriver:ExecuteAsyncScript',
  {script: `const done = arguments[0]; (async () => {${script}})().then(done, (why) => done(String(why)))`,
    args: []})).value;

test('own servers, the agreement, and a test that explains what it saw', async () => {
  await firefox.openPage('options.html');
  await until(() => firefox.inPage('return document.getElementById("servers").value'), 'the servers proposed');
  await firefox.inPage(`document.getElementById("servers").value = "${stun.server}"`);
  await click('save_servers');
  await untilText('servers_saved', /Saved/);
  await firefox.openPage('test.html');
  await shows('agree_run');
  assert.equal(stun.asked(), 0);
  await click('local_run');
  await untilText('shown', /No server answered/);
  assert.equal(stun.asked(), 0);
  await click('agree_run');
  await untilText('shown', /203\.0\.113\.10\s+Not one of this computer’s own\. Your provider’s side of enp3s0/);
  assert.ok(stun.asked() > 0);
  await until(async () => await firefox.inPage('return document.querySelectorAll("#history details").length') === 2,
    'the history');
});

test('locked: the page shows no address and reaches no server', async () => {
  await (await host.link()).report(host.push(stateAt('force_proxy')));
  await firefox.untilPrefs(['proxy_only']);
  const asked = stun.asked();
  await firefox.openPage('test.html');
  await shows('run');
  await click('run');
  await untilText('shown', /No leak: WebRTC is locked.*No address shows/s);
  assert.equal(stun.asked(), asked);
  await (await host.link()).report(host.push(stateAt('disabled')));
  await firefox.openPage('test.html');
  await shows('run');
  await click('run');
  await untilText('shown', /No leak: sites in this browser have no WebRTC/);
});

test('the regular check runs in the background', async () => {
  await (await host.link()).report(host.push(plainState()));
  await firefox.untilPrefs([]);
  await firefox.openPage('options.html');
  await until(() => firefox.inPage('return document.getElementById("stunAgreed").checked'), 'the agreement');
  await click('regularCheck');
  await until(() => later('return Boolean(await browser.alarms.get("check_daily"))'), 'the alarm');
  await later('await browser.storage.local.remove("checks"); browser.alarms.create("check_daily", {when: Date.now()})');
  const first = 'return (await browser.storage.local.get("checks")).checks?.[0]';
  const check = await until(() => later(first), 'a check', 30_000);
  assert.equal(check.cause, 'daily');
  assert.ok(check.found.some((/** @type {any} */ one) => one.address === '203.0.113.10'));
});

test('a hostile file changes nothing', async () => {
  await firefox.openPage('options.html');
  await untilText('sentence', /./);
  const stored = 'return JSON.stringify((await browser.storage.local.get("settings")).settings)';
  const before_ = await later(stored);
  await firefox.inPage(`const data = new DataTransfer();
    data.items.add(new File(['{"icelock": 1, "settings": {"stunAgreed": true, "<img>": 1}}'], "x.json"));
    const file = document.getElementById("file"); file.files = data.files; file.dispatchEvent(new Event("change"))`);
  await untilText('import_fault', /no setting “stunAgreed”/);
  assert.equal(await later(stored), before_);
});
