// SPDX-License-Identifier: Apache-2.0
// The extension's pages in a real headless Chromium: real connections to STUN servers on loopback, which tell
// whatever addresses the test wants seen.

import assert from 'node:assert/strict';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {chromiumId, launchChromium, untilPolicy, withTestPermission} from '../lib/chromium.mjs';
import {fakeHost, until} from '../lib/common.mjs';
import {hostLinks, hostState, plainState, stateAt} from '../lib/fake_browser.mjs';
import {createHostServer} from '../lib/host_server.mjs';
import {createStun} from '../lib/stun.mjs';

const locked = 'disable_non_proxied_udp';
/** @type {Awaited<ReturnType<typeof createHostServer>>} */
let host;
/** @type {Awaited<ReturnType<typeof launchChromium>>} */
let chromium;
/** @type {import('puppeteer-core').WebWorker} */
let worker;
/** @type {Awaited<ReturnType<typeof createStun>>[]} an IPv4 and an IPv6 server */
let stun;
/** @type {string} */
let scratch;
/** @type {string} */
let extension;

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'icelock-pages-'));
  stun = [await createStun('203.0.113.10'), await createStun('2001:db8:99::1')];
  host = await createHostServer();
  host.state = plainState();
  host.probed = [hostLinks[0]];
  extension = await withTestPermission();
  chromium = await launchChromium({host: fakeHost, env: host.env, extensions: [extension], welcome: true});
  worker = await chromium.worker();
  await host.link();
}, {timeout: 60_000});

after(async () => {
  await chromium?.close();
  await host?.close();
  for (const one of stun ?? []) one.close();
  for (const folder of [scratch, extension]) if (folder) await rm(folder, {recursive: true, force: true});
});

/** @param {import('puppeteer-core').Page} page @param {string} id */
const textOf = (page, id) => page.$eval(`#${id}`, (element) => /** @type {HTMLElement} */ (element).innerText);

/** @param {import('puppeteer-core').Page} page @param {RegExp} words @param {string} [id] */
const untilText = (page, words, id = 'shown') =>
  until(async () => words.test(await textOf(page, id)), `#${id} to say ${words}`, 20_000);

/** Clicks what shows, and waits for the new result. @param {import('puppeteer-core').Page} page @param {string} id */
async function runTest(page, id) {
  await page.waitForSelector(`#${id}`, {visible: true});
  await page.$eval('#result', (one) => { /** @type {HTMLElement} */ (one).hidden = true; });
  await page.click(`#${id}`);
  await page.waitForSelector('#result', {visible: true, timeout: 20_000});
  return textOf(page, 'shown');
}

/** @returns {Promise<any>} */
const stored = () => worker.evaluate(() => chrome.storage.local.get(null));
const askedAll = () => stun.map(({asked}) => asked());

/** @param {any} state @param {string} value what the browser then holds */
async function stateIs(state, value) {
  await (await host.link()).report(host.push(state));
  await untilPolicy(worker, value);
}

test('the first install opens the welcome page, which says what is done', async () => {
  const page = await until(async () => (await chromium.browser.pages())
    .find((one) => one.url().endsWith('/welcome.html')), 'the welcome page');
  await untilText(page, /It is there and talks to this browser/, 'host_is');
  assert.notEqual(await page.$('#host[data-done]'), null);
  assert.equal(await page.$('#private[data-done]'), null);
  assert.match(await textOf(page, 'private_is'), /private windows are not locked/);
  assert.equal(await page.$('#check[data-done]'), null);
  await page.click('#check_run');
  await page.waitForSelector('#agree', {visible: true});
  assert.match(page.url(), /test\.html$/);
  await page.close();
});

test('nobody is asked before the person agreed, and agreeing is to these servers', async () => {
  await worker.evaluate((servers) => chrome.storage.local.set({settings: {stunServers: servers}}),
    [stun[0].server]);
  const page = await chromium.page('test.html');
  await untilText(page, /127\.0\.0\.1/, 'servers');
  assert.match(await runTest(page, 'local_run'), /No server answered.*made-up name/s);
  assert.deepEqual(askedAll(), [0, 0]);
  const text = await runTest(page, 'agree_run');
  assert.match(text, /No VPN is up/);
  assert.match(text, /203\.0\.113\.10\s+Not one of this computer’s own\. Your provider’s side of enp3s0/);
  assert.match(text, /127\.0\.0\.1:\d+ answered\./);
  assert.match(text, /No public IPv6 address shows/);
  assert.ok(stun[0].asked() > 0);
  assert.equal((await stored()).settings.stunAgreed, true);
  await page.close();
});

test('own servers are set in the settings, and need an agreement of their own', async () => {
  const options = await chromium.page('options.html');
  await untilText(options, /WebRTC/, 'sentence');
  assert.equal(await options.$eval('#hold', (one) => one.checkVisibility()), false, 'a switch for Firefox alone');
  const fill = async (/** @type {string} */ text) => {
    await options.$eval('#servers', (area) => { /** @type {HTMLTextAreaElement} */ (area).value = ''; });
    await options.type('#servers', text);
    await options.click('#save_servers');
  };
  await fill('127.0.0.1:1\nhttp://evil.example/');
  await untilText(options, /“http:\/\/evil\.example\/” is no server/, 'servers_fault');
  await fill('a\nb\nc\nd\ne');
  await untilText(options, /Four servers at most/, 'servers_fault');
  assert.deepEqual((await stored()).settings.stunServers, [`stun:${stun[0].server}`], 'nothing of it was taken');
  await fill(`${stun[0].server}\n${stun[1].server}`);
  await untilText(options, /Saved/, 'servers_saved');
  assert.equal((await stored()).settings.stunAgreed, false);
  assert.equal(stun[1].asked(), 0);
  await options.close();
});

test('what a person writes while the page still reads its settings is left as it is', async () => {
  const page = await chromium.browser.newPage();
  await page.evaluateOnNewDocument(() => {
    const get = chrome.storage.local.get.bind(chrome.storage.local);
    Object.assign(chrome.storage.local, {get: async (/** @type {any} */ keys) => {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      setTimeout(() => { document.body.dataset.read = 'yes'; }, 300);
      return get(keys);
    }});
  });
  await page.goto(`chrome-extension://${chromiumId}/options.html`);
  const before = await page.$eval('#servers', (area) => {
    const {value} = /** @type {HTMLTextAreaElement} */ (area);
    Object.assign(area, {value: 'own.example'});
    return value;
  });
  await page.waitForSelector('body[data-read]');
  assert.deepEqual([before, await page.$eval('#servers', (area) => /** @type {HTMLTextAreaElement} */ (area).value)],
    ['', 'own.example']);
  await page.close();
});

test('both families, a leak beside a VPN, the history and the text', async () => {
  host.probed = hostLinks;
  await stateIs(stateAt('unrestricted'), 'default');
  const page = await chromium.page('test.html');
  const text = await runTest(page, 'agree_run');
  assert.match(text, /Leak: sites can learn an address that your VPN should hide/);
  assert.match(text, /2001:db8:99::1\s+Not one of this computer’s own\. Your provider’s side of enp3s0/);
  assert.equal(await page.$eval('.verdict', (one) => /** @type {HTMLElement} */ (one).dataset.tone), 'bad');
  const link = await host.link();
  assert.deepEqual(link.asked('probe').at(-1).stun, stun[0].server);
  await chromium.browser.defaultBrowserContext().overridePermissions(`chrome-extension://${chromiumId}`,
    ['clipboard-read', 'clipboard-write']);
  await page.click('#copy');
  await untilText(page, /Copied/, 'copied');
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^icelock: Leak: .*\n2001:db8:99::1: Not one/s);
  await page.waitForFunction(() => document.querySelectorAll('#history details').length === 3);
  const {checks} = await stored();
  assert.deepEqual(checks.map((/** @type {any} */ one) => one.verdict), ['leak', 'plain', 'silent']);
  await page.click('#forget');
  await page.waitForFunction(() => document.querySelectorAll('#history details').length === 0);
  assert.equal((await stored()).checks, undefined);
  await page.close();
});

test('locked: no address shows and no server is reached', async () => {
  await stateIs(hostState(), locked);
  const before_ = askedAll();
  const page = await chromium.page('test.html');
  assert.match(await runTest(page, 'run'), /No leak: WebRTC is locked.*No address shows.*did not answer/s);
  assert.deepEqual(askedAll(), before_);
  await page.close();
});

test('as a calling site: more is learnt when open, and nothing when locked', async () => {
  const page = await chromium.page('test.html');
  assert.match(await runTest(page, 'run_permission'), /No leak: WebRTC is locked.*As a site that may use the mic/s);
  await stateIs(stateAt('unrestricted'), 'default');
  const text = await runTest(page, 'run_permission');
  assert.match(text, /As a site that may use the microphone/);
  assert.doesNotMatch(text, /made-up name/);
  assert.match(await runTest(page, 'run'), /As an ordinary site.*made-up name/s);
  await page.close();
});

test('the regular check runs in the background, and only where it is wanted', async () => {
  const ring = () => worker.evaluate(() => chrome.alarms.create('check_daily', {when: Date.now()}));
  const alarms = () => worker.evaluate(async () => (await chrome.alarms.getAll()).map(({name}) => name));
  assert.equal((await alarms()).some((name) => name.startsWith('check_')), false);
  const options = await chromium.page('options.html');
  await options.waitForFunction(() => /** @type {any} */ (document.querySelector('#stunAgreed')).checked);
  await options.click('#regularCheck');
  await until(async () => (await alarms()).includes('check_daily'), 'the alarm');
  await worker.evaluate(() => chrome.storage.local.remove('checks'));
  await ring();
  const [check] = await until(async () => (await stored()).checks, 'a check in the background', 20_000);
  assert.equal(check.cause, 'daily');
  assert.ok(check.found.some((/** @type {any} */ one) => one.address === '2001:db8:99::1' && one.foreign));
  await options.click('#regularCheck');
  await until(async () => !(await alarms()).some((name) => name.startsWith('check_')), 'no alarm');
  await options.close();
});

test('a hostile file changes nothing, a good one all it says, and never the agreement', async () => {
  const page = await chromium.page('options.html');
  await untilText(page, /WebRTC/, 'sentence');
  const before_ = (await stored()).settings;
  const give = async (/** @type {string} */ text) => {
    const file = join(scratch, 'settings.json');
    await writeFile(file, text);
    await (/** @type {any} */ (await page.$('#file'))).uploadFile(file);
  };
  const wrap = (/** @type {string} */ settings) => `{"icelock": 1, "settings": ${settings}}`;
  for (const [text, words] of /** @type {[string, RegExp][]} */ ([
    ['<script>alert(1)</script>', /no JSON/], ['[]', /no settings of icelock/], ['x'.repeat(70_000), /too large/],
    [wrap('{"__proto__": {"stunAgreed": true}}'), /no setting “__proto__”/],
    [wrap('{"stunAgreed": true}'), /no setting “stunAgreed”/],
    [wrap('{"<img src=x onerror=alert(1)>": 1}'), /no setting “<img src=x onerror/],
    [wrap('{"stunServers": ["javascript:alert(1)"]}'), /“stunServers” is wrong/],
    [wrap('{"regularCheck": true, "notifications": 1}'), /“notifications” is wrong/]])) {
    await give(text);
    await untilText(page, words, 'import_fault');
    assert.equal(await page.$('#import_fault img'), null);
    assert.deepEqual((await stored()).settings, before_);
  }
  await give(wrap(`{"regularCheck": true, "stunServers": ["stun.example.org"]}`));
  await untilText(page, /Imported/, 'imported');
  const {stunServers, stunAgreed, regularCheck} = (await stored()).settings;
  assert.deepEqual([stunServers, stunAgreed, regularCheck], [['stun:stun.example.org:3478'], false, true]);
  assert.equal(await textOf(page, 'import_fault'), '');
  await page.close();
});

test('the settings page shows floor, sites, keys and a report without addresses', async () => {
  await stateIs(stateAt('default_route_only', {floor: 'default_route_only', sites: {possible: true, list: [
    {pattern: 'https://meet.example', level: 'default_route_only', seconds_left: 3541, by: 'you'},
    {pattern: 'https://[*.]corp.example', level: 'unrestricted', seconds_left: null, by: 'admin'}]},
  reasons: [{code: 'excluded_routes', text: '', args: {tunnel: 'tun0', example: '198.51.100.7'}}]}),
  'default_public_interface_only');
  const page = await chromium.page('options.html');
  await untilText(page, /nothing looser than “only the default route”/, 'mode_note');
  assert.equal(await page.$eval('#open', (one) => /** @type {HTMLInputElement} */ (one).disabled), true);
  const rows = await textOf(page, 'site_rows');
  assert.match(rows, /meet\.example\s+in 60 min\s+Remove\s+https:\/\/\[\*\.\]corp\.example\s+when you remove/);
  await untilText(page, /Open the popup:.*Alt\+Shift\+L/, 'keys');
  const report = () => page.$eval('#diagnostics', (area) => /** @type {HTMLTextAreaElement} */ (area).value);
  await until(async () => /"excluded_routes"/.test(await report()), 'the report');
  assert.doesNotMatch(await report(), /198\.51\.100\.7/);
  await page.click('#with_addresses');
  await until(async () => /198\.51\.100\.7/.test(await report()), 'the report with addresses');
  await page.close();
});
