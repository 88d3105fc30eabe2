// SPDX-License-Identifier: Apache-2.0
// The extension in a real headless Chromium, with a fake host behind a real native-messaging port.

import assert from 'node:assert/strict';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {chromiumId, launchChromium, pictureOf, readPolicy, untilPolicy} from '../lib/chromium.mjs';
import {fakeHost, outputDir, sleep, until} from '../lib/common.mjs';
import {hostState, stateAt} from '../lib/fake_browser.mjs';
import {createHostServer, pushToReport} from '../lib/host_server.mjs';

const locked = 'disable_non_proxied_udp';
/** @type {Awaited<ReturnType<typeof createHostServer>>} */
let host;
/** @type {Awaited<ReturnType<typeof launchChromium>>} */
let chromium;
/** @type {import('puppeteer-core').WebWorker} */
let worker;

before(async () => {
  await mkdir(outputDir, {recursive: true});
  host = await createHostServer();
  host.answer = false;
  chromium = await launchChromium({host: fakeHost, env: host.env});
  worker = await chromium.worker();
}, {timeout: 60_000});

after(async () => {
  await chromium?.close();
  await host?.close();
});

/** Pictures of the popup in both colour schemes, and its words.
 * @param {string} name */
async function picture(name, browser = chromium) {
  let words = '';
  for (const dark of [false, true]) {
    const page = await browser.popup({dark});
    await page.waitForFunction(() => document.body.dataset.drawn);
    await sleep(150);
    words = await page.$eval('main', (main) => main.innerText);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    const file = join(outputDir, `popup-${name}-${dark ? 'dark' : 'light'}.png`);
    await pictureOf(page, /** @type {`${string}.png`} */ (file));
    await page.close();
  }
  return words;
}

/** @returns {Promise<[string, string]>} badge and title of the toolbar button */
const button = (from = worker) => from.evaluate(async () =>
  /** @type {[string, string]} */ ([await chrome.action.getBadgeText({}), await chrome.action.getTitle({})]));

/** The kinds of candidate that a page gathers. @returns {Promise<string[]>} */
async function candidates() {
  const page = await chromium.browser.newPage();
  await page.goto('data:text/html,<title>page</title>');
  const kinds = await page.evaluate(async () => {
    const peer = new RTCPeerConnection();
    peer.createDataChannel('x');
    /** @type {string[]} */
    const found = [];
    const done = new Promise((resolve) => {
      peer.onicecandidate = ({candidate}) => candidate ? found.push(candidate.candidate) : resolve(null);
    });
    await peer.setLocalDescription(await peer.createOffer());
    await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 3000))]);
    peer.close();
    return found;
  });
  await page.close();
  return kinds;
}

test('locked before the host has spoken', async () => {
  const link = await host.link();
  assert.deepEqual(link.argv[0], `chrome-extension://${chromiumId}/`);
  await until(() => link.asked('subscribe').length === 1, 'subscribe');
  await untilPolicy(worker, locked);
  assert.equal((await readPolicy(worker)).levelOfControl, 'controlled_by_this_extension');
  assert.match(await picture('connecting'),
    /^WebRTC is limited to proxies.*(Waiting for the icelock program|does not answer)/s);
});

test('obeys the host, reads back and reports', async () => {
  Object.assign(host, {serial: 4, state: stateAt('default_route_only')});
  host.resume();
  const first = await host.report(4);
  const link = await host.link();
  assert.deepEqual([first.value, first.level_of_control, first.level],
    ['default_public_interface_only', 'controlled_by_this_extension', 'default_route_only']);
  for (const [level, value] of [['unrestricted', 'default'], ['force_proxy', locked], ['disabled', locked],
    ['default_route_only', 'default_public_interface_only'], ['unrestricted', 'default']]) {
    const report = await link.report(host.push(stateAt(level)));
    assert.equal(report.value, value);
    assert.equal((await readPolicy(worker)).value, value);
  }
});

test('a page gathers candidates when open and none when locked', async () => {
  const link = await host.link();
  await link.report(host.push(stateAt('unrestricted')));
  assert.notEqual((await candidates()).length, 0);
  await link.report(host.push(stateAt('force_proxy')));
  assert.deepEqual(await candidates(), []);
});

test('from push to report', (context) => pushToReport(host, context));

test('what the popup shows with a host', async () => {
  const link = await host.link();
  await link.report(host.push(hostState()));
  assert.match(await picture('locked'), /^VPN tun0 is up but carries no IPv6; .* WebRTC is limited to proxies/s);
  assert.deepEqual(await button(), ['', 'icelock: Locked: sites cannot see your address through WebRTC.']);
  await link.report(host.push(stateAt('default_route_only',
    {reasons: [{code: 'full_tunnel', text: '', args: {tunnel: 'wg0'}}]})));
  assert.match(await picture('route'), /^VPN wg0 carries all traffic\. WebRTC takes the same way as web traffic/s);
  await link.report(host.push(stateAt('unrestricted', {reasons: [{code: 'no_tunnel', text: ''}]})));
  assert.match(await picture('open'), /^No VPN carries web traffic\. WebRTC is open/s);
  assert.match((await button())[1], /^icelock: Open/);
  await link.report(host.push(stateAt('disabled', {mode: 'locked', reasons: [{code: 'new', text: 'In its own words.'},
    {code: 'mode_locked', text: '', args: {level: 'disabled'}}]}), [{id: 'chromium', problems:
    ['20-site.json sets WebRtcIPHandlingUrl for <b>meet.example</b>, which outranks this lock there.']}]));
  assert.match(await picture('problems'), /own words.*cannot take WebRTC away.*<b>meet\.example<\/b>/s);
});

test('a choice in the popup reaches the host, and its refusal the person', async () => {
  const link = await host.link();
  await link.report(host.push(hostState()));
  const page = await chromium.popup();
  await page.waitForFunction(() => !/** @type {any} */ (document.querySelector('#auto')).disabled);
  await page.focus('#auto');
  await page.keyboard.press('ArrowDown');
  await until(() => link.asked('set_mode').length === 1, 'set_mode');
  assert.equal(link.asked('set_mode')[0].mode, 'locked');
  host.refuse = 'below_floor';
  await page.click('#open');
  await page.waitForFunction(() => /administrator/.test(document.body.innerText));
  assert.equal(await page.$eval('#auto', (input) => /** @type {HTMLInputElement} */ (input).checked), true);
  host.refuse = '';
  const tree = JSON.stringify(await page.accessibility.snapshot());
  for (const name of ['Auto', 'Locked', 'Open', 'WebRTC in this browser']) assert.ok(tree.includes(name), name);
  await page.close();
});

test('host killed while loose: locked after the grace, and obeyed again when it is back', async () => {
  const link = await host.link();
  await link.report(host.push(stateAt('unrestricted')));
  host.answer = false;
  const count = host.started();
  const begin = performance.now();
  link.kill();
  await untilPolicy(worker, locked);
  assert.ok(performance.now() - begin < 4000);
  await host.link(count + 1);
  assert.match(await picture('lost'), /limited to proxies.*(went away|does not answer)/s);
  host.serial += 1;
  host.resume();
  await host.report(host.serial);
  assert.equal((await readPolicy(worker)).value, 'default');
});

test('host killed while locked: stays locked all the time', async () => {
  const link = await host.link();
  await link.report(host.push(stateAt('force_proxy')));
  const count = host.started();
  link.kill();
  const end = Date.now() + 3000;
  while (Date.now() < end) {
    assert.equal((await readPolicy(worker)).value, locked);
    await sleep(20);
  }
  await host.link(count + 1);
});

test('a host of another version is unusable, and the lock stays', async () => {
  const link = await host.link();
  await link.report(host.push(stateAt('unrestricted')));
  host.version = 2;
  host.push(stateAt('unrestricted'));
  await untilPolicy(worker, locked);
  assert.match(await picture('newer'), /newer than this extension/);
});

test('without a host: locked, opened and locked by hand, and said so', async () => {
  const alone = await launchChromium();
  try {
    const own = await alone.worker();
    await untilPolicy(own, locked);
    const page = await alone.popup();
    await page.waitForFunction(() => /No icelock program/.test(document.body.innerText));
    assert.equal(await page.$eval('#auto', (input) => /** @type {HTMLInputElement} */ (input).disabled), true);
    await pictureOf(page, /** @type {`${string}.png`} */ (join(outputDir, 'popup-absent-light.png')));
    // The page of the first run may have come in front, and a real click waits for ever to see a page that is behind.
    const choose = (/** @type {string} */ id) =>
      page.$eval(id, (input) => /** @type {HTMLInputElement} */ (input).click());
    await choose('#open');
    await untilPolicy(own, 'default');
    await choose('#locked');
    await untilPolicy(own, locked);
  } finally {
    await alone.close();
  }
});

test('another extension that holds the setting is named, and what is in force is shown', async () => {
  const other = await mkdtemp(join(tmpdir(), 'icelock-other-'));
  await writeFile(join(other, 'manifest.json'), JSON.stringify({manifest_version: 3, name: 'other', version: '1',
    permissions: ['privacy'], background: {service_worker: 'other.js'}}));
  await writeFile(join(other, 'other.js'),
    'chrome.privacy.network.webRTCIPHandlingPolicy.set({value: "default"});');
  const own = await createHostServer();
  own.push(stateAt('force_proxy'));
  const held = await launchChromium({host: fakeHost, env: own.env});
  try {
    const link = await own.link();
    await link.report(own.serial);
    await held.browser.installExtension(other);
    const report = await until(() => link.asked('report').find((one) =>
      one.level_of_control === 'controlled_by_other_extensions'), 'a report of the other extension');
    assert.deepEqual([report.value, report.level], ['default', 'unrestricted']);
    assert.match(await picture('held', held),
      /^VPN tun0 .*Sites may see your address.*Another extension holds.*Wanted, but not in force/s);
    assert.equal((await button(await held.worker()))[0], '!');
  } finally {
    await held.close();
    await own.close();
    await rm(other, {recursive: true, force: true});
  }
});
