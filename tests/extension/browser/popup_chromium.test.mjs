// SPDX-License-Identifier: Apache-2.0
// The popup in a real headless Chromium, opened by the toolbar button over real pages, with a fake host: every state
// of the icon and every control. Leaves pictures of each in both themes.

import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, before, test} from 'node:test';
import {chromiumId, clickIcon, launchChromium, readPolicy, untilPolicy,
  withPermissions} from '../lib/chromium.mjs';
import {extensionDir, fakeHost, outputDir, sleep, until} from '../lib/common.mjs';
import {hostState, stateAt} from '../lib/fake_browser.mjs';
import {createHostServer} from '../lib/host_server.mjs';
import {createWeb} from '../lib/web.mjs';

/** @typedef {import('puppeteer-core').Page} Page */
/** @typedef {Awaited<ReturnType<typeof start>>} Chromium */

const locked = 'disable_non_proxied_udp';
const loose = 'default_public_interface_only';
/** @type {Awaited<ReturnType<typeof createHostServer>>} */
let host;
/** @type {Awaited<ReturnType<typeof createWeb>>} */
let web;
/** @type {Chromium} */
let chromium;

before(async () => {
  await mkdir(outputDir, {recursive: true});
  [host, web] = await Promise.all([createHostServer(), createWeb()]);
  host.push(hostState());
  chromium = await start();
}, {timeout: 60_000});

after(async () => {
  await chromium?.close();
  await host?.close();
  web?.close();
});

afterEach(async () => {
  if (!chromium.browser.connected) return;
  for (const page of await chromium.browser.pages()) if (page.url().startsWith('http')) await page.close();
  host.push(hostState());
});

/** @param {Parameters<typeof launchChromium>[0]} [options] */
async function start(options = {}) {
  const hosts = host.forBrowser();
  const started = await launchChromium({host: fakeHost, env: hosts.env, ...options});
  try {
    await started.worker();
    await hosts.report(host.serial);
  } catch (error) {
    await started.close();
    throw error;
  }
  return {...started, hosts};
}

/** @param {string} url @param {Chromium} [inside] */
async function open(url, inside = chromium) {
  const page = await inside.browser.newPage();
  await page.goto(url);
  return page;
}

/** @param {Page} page @param {Chromium} [inside] */
const click = (page, inside = chromium) => clickIcon(inside.browser, page);

/** @param {Page} popup */
const textOf = (popup) => popup.$eval('main', (main) => main.innerText);

/** @param {Page} popup @param {RegExp} words */
async function untilSays(popup, words) {
  let said = '';
  await until(async () => words.test(said = await textOf(popup)), `the popup to say ${words}`)
    .catch((error) => { throw new Error(`${error.message}; it says:\n${said}`); });
}

/** @param {Page} popup @param {string} words of a button */
const press = (popup, words) => popup.evaluate((text) => {
  const button = [...document.querySelectorAll('button')].find(({textContent}) => textContent === text);
  if (!button) throw new Error(`no button ${text}`);
  button.click();
}, words);

/** Pictures of the popup in both themes. @param {Page} popup @param {string} name */
async function picture(popup, name) {
  for (const theme of ['light', 'dark']) {
    await popup.emulateMediaFeatures([{name: 'prefers-color-scheme', value: theme}]);
    assert.equal(await popup.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    const path = /** @type {`${string}.png`} */ (join(outputDir, `popup-${name}-${theme}.png`));
    await popup.screenshot({path, captureBeyondViewport: false});
  }
}

/** What the toolbar button shows, and the popup with it: a new one, unless one is given.
 * @param {Chromium} [inside] @param {Page} [shown] @returns {Promise<string[]>} icon, badge, title */
async function button(inside = chromium, shown) {
  const page = shown ?? await inside.popup();
  await page.waitForFunction(() => document.body.dataset.drawn);
  const icon = await page.evaluate(() => document.body.dataset.state ?? '');
  if (!shown) await page.close();
  const worker = await inside.worker();
  return [icon, ...await worker.evaluate(async () => [await chrome.action.getBadgeText({}),
    await chrome.action.getTitle({})])];
}

/** @param {string} icon @param {string} badge @param {Chromium} [inside] */
const untilIcon = (icon, badge, inside = chromium) => until(async () => {
  const [now, text] = await button(inside);
  return now === icon && text === badge;
}, `the icon ${icon} with ${badge || 'no badge'}`);

/** @param {Chromium} [inside] */
const policy = async (inside = chromium) => (await readPolicy(await inside.worker())).value;

/** How many candidates a page gathers with no server. @param {Page} page */
const candidates = (page) => page.evaluate(async () => {
  const peer = new RTCPeerConnection();
  peer.createDataChannel('x');
  let found = 0;
  const done = new Promise((resolve) => {
    peer.onicecandidate = ({candidate}) => candidate ? ++found : resolve(null);
  });
  await peer.setLocalDescription(await peer.createOffer());
  await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 3000))]);
  peer.close();
  return found;
});

test('from the click to the popup drawn', async (context) => {
  const page = await open(web.site);
  const took = [];
  for (let n = 0; n < 8; ++n) {
    const popup = await click(page);
    took.push(await popup.evaluate(() => performance.getEntriesByName('drawn')[0].startTime));
    await popup.close();
  }
  took.sort((a, b) => a - b);
  context.diagnostic(`popup's page begun to drawn: median ${took[4].toFixed(0)} ms, worst ${took[7].toFixed(0)} ms`);
});

test('an exception of the whole browser: asked for, counted down, seen in all tabs, ended by hand', async () => {
  const [page, other] = [await open(web.site), await open(web.other)];
  assert.deepEqual([await candidates(page), await candidates(other)], [0, 0]);
  const popup = await click(page);
  assert.match(await textOf(popup), new RegExp(`Allow calls on localhost:${web.port}.*For this call\\s+1 hour`, 's'));
  assert.doesNotMatch(await textOf(popup), /Always/);
  await picture(popup, 'site-offer');
  await press(popup, '1 hour');
  await untilSays(popup, /Allowed for 59:\d\d more/);
  await picture(popup, 'site-excepted');
  assert.deepEqual(await button(chromium, popup), ['open', '60m',
    `icelock: Loosened for a call on localhost:${web.port}: until it ends, sites may see your address.`]);
  assert.equal(await policy(), loose);
  const first = /for (\d+:\d+) more/.exec(await textOf(popup))?.[1];
  await until(async () => /for (\d+:\d+) more/.exec(await textOf(popup))?.[1] !== first, 'the countdown');
  const elsewhere = await click(other);
  await untilSays(elsewhere, new RegExp(`Loosened for localhost:${web.port}: 59:`));
  await picture(elsewhere, 'site-elsewhere');
  await press(elsewhere, 'End now');
  await untilPolicy(await chromium.worker(), locked);
  assert.equal(await candidates(page), 0);
});

test('an exception ends with its tab, and with its time when the background was stopped meanwhile', async () => {
  const page = await open(web.site);
  const popup = await click(page);
  await press(popup, 'For this call');
  await untilSays(popup, /Allowed for 3:59:/);
  await page.close();
  await untilPolicy(await chromium.worker(), locked);

  const again = await click(await open(web.site));
  await press(again, '1 hour');
  await untilSays(again, /Allowed for/);
  await again.close();
  const worker = await chromium.worker();
  await worker.evaluate(async () => {
    const {exceptions} = /** @type {any} */ (await chrome.storage.session.get('exceptions'));
    exceptions[0].until = Date.now() - 1;
    await chrome.storage.session.set({exceptions});
    await chrome.alarms.create('exceptions', {when: Date.now() + 3000});
  });
  const count = chromium.hosts.started();
  await worker.close();
  await chromium.hosts.link(count + 1);
  await untilPolicy(await chromium.worker(), locked);
});

test('a site at the service: asked for, shown, ended; a tab that keeps it can be opened anew', async () => {
  const link = await chromium.hosts.link();
  const pattern = web.site;
  const sites = (/** @type {object[]} */ ...list) =>
    stateAt('force_proxy', {sites: {possible: true, list, granted: []}});
  const page = await open(web.site);
  host.push(sites());
  const popup = await click(page);
  await untilSays(popup, /Only this site is loosened\. Frames inside/);
  await picture(popup, 'site-service-offer');
  for (const [words, seconds] of /** @type {const} */ (
    [['1 hour', 3600], ['Always', undefined], ['For this call', 900]])) {
    const asked = link.asked('allow').length;
    await press(popup, words);
    const frame = await until(() => link.asked('allow')[asked], 'allow');
    assert.deepEqual([frame.pattern, frame.seconds], [pattern, seconds]);
  }
  host.push(sites({pattern, level: 'default_route_only', seconds_left: 900, by: 'you'}));
  await untilSays(popup, /Allowed until this tab is closed/);
  await picture(popup, 'site-service-call');
  assert.equal(await policy(), locked);
  await press(popup, 'End now');
  await until(() => link.asked('deny').length === 1, 'deny');
  host.push(sites());
  await untilSays(popup, /The exception is over, but this tab keeps it/);
  await until(() => textOf(popup).then((text) => text.includes('Reopen in a new tab')), 'the browser to have read it');
  await picture(popup, 'site-kept');
  await press(popup, 'Reopen in a new tab');
  await until(() => page.isClosed(), 'the old tab to be closed');
  const anew = await until(async () => (await chromium.browser.pages())
    .find((one) => one.url().startsWith(web.site)), 'the tab');
  assert.match(await textOf(await click(anew)), /Allow calls on/);
});

test('what the floor, a level that is loose enough, and a page that is no site say', async () => {
  const page = await open(web.site);
  for (const [name, state, words] of /** @type {[string, any, RegExp][]} */ ([
    ['site-floor', stateAt('force_proxy', {floor: 'force_proxy'}), /The administrator allows no exceptions/],
    ['site-works', stateAt('default_route_only'), /Calls work on every site/]])) {
    await chromium.hosts.report(host.push(state));
    const popup = await click(page);
    await untilSays(popup, words);
    await picture(popup, name);
    await popup.close();
  }
  await chromium.hosts.report(host.push(stateAt('force_proxy')));
  const blank = await chromium.browser.newPage();
  await untilSays(await click(blank), /Calls can be allowed on web pages/);
  await blank.close();
});

test('keyboard: from the first control to the last, and a known service by its name', async () => {
  const popup = await click(await open(web.site));
  const reached = [];
  await popup.focus('#auto');
  for (let n = 0; n < 5; ++n) {
    reached.push(await popup.evaluate(() => document.activeElement?.textContent || document.activeElement?.id));
    await popup.keyboard.press('Tab');
  }
  assert.deepEqual(reached, ['auto', 'For this call', '1 hour', 'Test for leaks', 'Options']);
  const label = await popup.$eval('#site_buttons button', (one) => one.getAttribute('aria-label'));
  assert.equal(label, `Allow calls on localhost:${web.port}: For this call`);
});

test('the links open the other pages', async () => {
  for (const [selector, file] of [['#test', 'test.html'], ['nav a:last-child', 'options.html']]) {
    const popup = await click(await open(web.site));
    // Opening a tab closes the popup, which a real click would still wait for.
    await popup.evaluate((css) => {
      setTimeout(() => /** @type {HTMLElement} */ (document.querySelector(css)).click());
    }, selector);
    const target = await chromium.browser.waitForTarget((one) => one.url().endsWith(`/${file}`), {timeout: 10_000});
    await (await target.page())?.close();
  }
});

test('another extension that holds the setting as strictly as wanted, and then does not', async () => {
  const other = await mkdtemp(join(tmpdir(), 'icelock-other-'));
  await writeFile(join(other, 'manifest.json'), JSON.stringify({manifest_version: 3, name: 'other', version: '1',
    permissions: ['privacy'], background: {service_worker: 'other.js'}}));
  await writeFile(join(other, 'other.js'),
    `chrome.privacy.network.webRTCIPHandlingPolicy.set({value: '${locked}'});`);
  host.push(hostState());
  const held = await start();
  try {
    const id = await held.browser.installExtension(other);
    await untilIcon('other', '', held);
    const popup = await held.popup();
    await untilSays(popup, /Another extension holds/);
    await picture(popup, 'other');
    await popup.close();
    const link = await held.hosts.link();
    assert.ok(link.asked('report').some((one) => one.level_of_control === 'controlled_by_other_extensions'));
    await held.browser.uninstallExtension(id);
    await untilIcon('locked', '', held);
  } finally {
    await held.close();
    await rm(other, {recursive: true, force: true});
  }
});

test('connections from before the lock: named, reloaded, closed', async () => {
  const folder = await withPermissions(['scripting'], ['*://*/*']);
  host.push(stateAt('unrestricted'));
  const watched = await start({extensions: [folder]});
  try {
    const worker = await watched.worker();
    await worker.evaluate(() => chrome.storage.local.set({settings: {watchConnections: true}}));
    await until(() => worker.evaluate(async () => (await chrome.scripting.getRegisteredContentScripts()).length === 2),
      'the scripts');
    const page = await open(web.site, watched);
    const other = await open(web.other, watched);
    const after_ = await open(web.site, watched);
    for (const one of [page, other]) {
      await one.evaluate(() => { Object.assign(window, {held: new RTCPeerConnection()}); });
    }
    await page.evaluate(() => { Object.assign(window, {more: new RTCPeerConnection()}); });
    await sleep(1500);  // connections within a second of the lock count as older
    await watched.hosts.report(host.push(hostState()));
    await sleep(1500);
    await after_.evaluate(() => { Object.assign(window, {held: new RTCPeerConnection()}); });
    const popup = await click(page, watched);
    await untilSays(popup, /2 tabs keep connections.*A call \(2\).*Reload tab.*A call \(1\)/s);
    await picture(popup, 'connections');
    assert.deepEqual((await button(watched, popup)).slice(0, 2), ['leaking', '!']);
    await press(popup, 'Reload tab');
    await until(() => page.evaluate(() => !('held' in window)).catch(() => false), 'the tab to be reloaded');
    await untilSays(popup, /one tab keeps a connection/);
    await press(popup, 'Close tab');
    await until(() => other.isClosed(), 'the tab to be closed');
    await untilIcon('locked', '', watched);
  } finally {
    await watched.close();
    await rm(folder, {recursive: true, force: true});
  }
});

test('a proxy that the person declared', async () => {
  const worker = await chromium.worker();
  await chromium.hosts.report(host.push(stateAt('unrestricted')));
  await untilPolicy(worker, 'default');
  await worker.evaluate(() => chrome.storage.local.set({settings: {followProxy: true}}));
  await untilPolicy(worker, locked);
  const popup = await click(await open(web.site));
  await untilSays(popup, /The options say that this browser uses a proxy/);
  await picture(popup, 'proxy');
  await worker.evaluate(() => chrome.storage.local.set({settings: {}}));
  await untilPolicy(worker, 'default');
});

test('a browser restarted while a call was let through is locked, also for a page that opens at once', async () => {
  host.push(hostState());
  const profile = await mkdtemp(join(tmpdir(), 'icelock-profile-'));
  try {
    const first = await start({profile});
    try {
      const popup = await click(await open(web.site, first), first);
      await press(popup, '1 hour');
      await untilPolicy(await first.worker(), loose);
    } finally {
      await first.close();
    }
    host.answer = false;
    const second = await launchChromium({host: fakeHost, env: host.env, profile, args: [web.site]});
    try {
      await untilPolicy(await second.worker(), locked);
      const page = await until(async () => (await second.browser.pages())
        .find((one) => one.url().startsWith(web.site)), 'the page');
      assert.equal(await candidates(page), 0);
    } finally {
      await second.close();
    }
  } finally {
    host.resume();
    await rm(profile, {recursive: true, force: true, maxRetries: 5});
  }
});

test('a private window obeys only where the extension is allowed in it, and the popup says so', async () => {
  const profile = await mkdtemp(join(tmpdir(), 'icelock-profile-'));
  const file = join(profile, 'Default/Preferences');
  const options = {profile, extensions: /** @type {const} */ (true), args: [`--load-extension=${extensionDir}`,
    '--disable-features=DisableLoadExtensionCommandLineSwitch']};
  try {
    for (const allowed of [false, true]) {
      const inside = await start(options);
      try {
        const worker = await inside.worker();
        await worker.evaluate((url) => chrome.windows.create({incognito: true, url}), web.site);
        const page = await until(async () => (await inside.browser.pages())
          .find((one) => one.url().startsWith(web.site)), 'the private window');
        assert.equal(await policy(inside), locked);
        assert.equal(await candidates(page) === 0, allowed);
        const popup = await inside.popup();
        await popup.waitForFunction(() => document.body.dataset.drawn);
        assert.equal(/[Pp]rivate windows/.test(await textOf(popup)), !allowed);
      } finally {
        await inside.close();
      }
      const preferences = JSON.parse(await readFile(file, 'utf8'));
      preferences.extensions.settings[chromiumId].incognito = true;
      await writeFile(file, JSON.stringify(preferences));
    }
  } finally {
    await rm(profile, {recursive: true, force: true, maxRetries: 5});
  }
});

test('an exception is over', async () => {
  assert.equal(await policy(), locked);
  await untilIcon('locked', '');
});
