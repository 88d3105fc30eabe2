// SPDX-License-Identifier: Apache-2.0
// How the pages look: in every language nothing overflows; in English and Arabic, light and dark, axe-core finds
// nothing, and a picture of each page and state is left in build/extension for people.

import assert from 'node:assert/strict';
import {mkdir, readdir, readFile, rm} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {clickIcon, launchChromium, pictureOf, showSnapshot, snapshotOf, untilPolicy,
  withPermissions} from '../lib/chromium.mjs';
import {extensionDir, fakeHost, outputDir, until} from '../lib/common.mjs';
import {hostLinks, hostState, plainState, stateAt} from '../lib/fake_browser.mjs';
import {createHostServer} from '../lib/host_server.mjs';
import {createStun} from '../lib/stun.mjs';
import {createWeb} from '../lib/web.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const locales = await readdir(join(extensionDir, '_locales'));
/** Locales whose pages are looked at by axe and by people. */
const lookedAt = ['en', 'ar'];

const list = '203.0.114.0/24, 2a0e:77:1234:5678::/64, 2a0e:77:1234:9abc::/64 +17 over enp0s31f6';
/** Reasons, each with every argument that one may have. @param {string[]} codes @param {object} [args] */
const reasonsOf = (codes, args = {}) => codes.map((code) => ({code, text: '', args: {tunnel: 'wg-office-berlin0',
  link: 'enp0s31f6', example: list, service: 'Microsoft Teams', pattern: 'https://teams.microsoft.com',
  error: 'no space', level: 'force_proxy', ...args}}));

/** @type {[string, any, import('../../../extension/host.js').Browser[]?][]} */
const popupStates = [
  ['locked', hostState()],
  ['route', stateAt('default_route_only', {reasons: [{code: 'full_tunnel', text: '', args: {tunnel: 'wg0'}}]})],
  ['open', plainState()],
  ['problems', stateAt('disabled', {mode: 'locked', floor: 'force_proxy', mode_fixed: true,
    reasons: reasonsOf(['excluded_routes', 'http_shows_too', 'policy_failed', 'service_gone', 'floor'])}),
  [{id: 'chromium', problems: ['20-site.json sets WebRtcIPHandlingUrl for meet.example.']}]],
  ['beside', hostState({reasons: [
    ...reasonsOf(['excluded_routes', 'excluded_service', 'ipv6_outside_tunnel', 'http_shows_too', 'may_accept_isp_v6']),
    ...reasonsOf(['neighbours_outside_tunnel'], {example: '203.0.114.0/24'})]})],
  ['rules', hostState({reasons: [
    ...reasonsOf(['udp_outside_tunnel', 'marked_into_tunnel', 'ways_unknown', 'links_named', 'isp_v6_accepted']),
    ...reasonsOf(['ways_disputed'], {example: '2a0e:77:1234:5678:9abc:def0:1234:5678'})]})]];
const sites = {possible: true, list: [
  {pattern: 'https://meet.google.com', level: 'default_route_only', seconds_left: 3541, by: 'you'},
  {pattern: 'https://[*.]corp.example', level: 'unrestricted', seconds_left: null, by: 'admin'}]};

/** @type {Awaited<ReturnType<typeof createHostServer>>} */
let host;
/** @type {Awaited<ReturnType<typeof createStun>>[]} */
let stun;
/** @type {Awaited<ReturnType<typeof createWeb>>} */
let web;
/** @type {string} */
let extension;

before(async () => {
  await mkdir(outputDir, {recursive: true});
  extension = await withPermissions(['webRequest', 'scripting'], ['https://leak-test.invalid/*', '*://*/*']);
  web = await createWeb();
  stun = [await createStun('203.0.113.10'), await createStun('2001:db8:99::1')];
  host = await createHostServer();
  host.probed = hostLinks;
});

after(async () => {
  await host?.close();
  web?.close();
  for (const one of stun ?? []) one.close();
  if (extension) await rm(extension, {recursive: true, force: true});
});

/** What is wider than its place. @param {import('puppeteer-core').Page} page @returns {Promise<string[]>} */
const overflowing = (page) => page.evaluate(() => [document.documentElement, ...document.body.querySelectorAll('*')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline' &&
    !['TEXTAREA', 'INPUT', 'PROGRESS'].includes(one.tagName))
  .map((one) => `${one.tagName}#${one.id}: ${(one.textContent ?? '').trim().slice(0, 60)}`));

/** @param {import('puppeteer-core').Page} page @returns {Promise<string[]>} */
async function violations(page) {
  await page.evaluate(axe);
  const {violations: found} = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
  return found.map((/** @type {any} */ one) =>
    `${one.id}: ${one.nodes.map((/** @type {any} */ node) => `${node.target} ${node.failureSummary}`).join('; ')}`);
}

/** Looks at a page in both themes. @param {import('puppeteer-core').Page} page @param {string} name */
async function look(page, name) {
  for (const theme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: theme}]);
    assert.deepEqual(await violations(page), [], `${name} ${theme}`);
    const path = /** @type {`${string}.png`} */ (join(outputDir, `${name}-${theme}.png`));
    await pictureOf(page, path);
  }
}

/** @typedef {{chromium: Awaited<ReturnType<typeof launchChromium>>, locale: string,
 *   hosts: ReturnType<typeof host.forBrowser>}} Open */

/** @param {Open} open */
async function popups({chromium, locale, hosts}) {
  for (const [name, state, browsers] of popupStates) {
    await hosts.report(host.push(state, browsers ?? []));
    const page = await chromium.popup();
    await page.waitForFunction(() => document.querySelectorAll('#notes li').length > 0);
    assert.deepEqual(await overflowing(page), [], `popup ${locale} ${name}`);
    if (lookedAt.includes(locale)) await look(page, `popup-${locale}-${name}`);
    await page.close();
  }
}

/** The real popup over a page with a connection from before the lock: every part of it shows.
 * @param {Open} open */
async function overCall({chromium, locale, hosts}) {
  const worker = await chromium.worker();
  await worker.evaluate(() => chrome.storage.local.set({settings: {watchConnections: true}}));
  await until(() => worker.evaluate(async () => (await chrome.scripting.getRegisteredContentScripts()).length),
    'the scripts');
  await hosts.report(host.push(plainState()));
  const call = await chromium.browser.newPage();
  await call.goto(web.site);
  await call.evaluate(() => {
    document.title = 'Weekly meeting of everybody who builds ships, bridges and lighthouses';
    /** @type {any} */ (window).held = new RTCPeerConnection();
  });
  await hosts.report(host.push(hostState()));
  await untilPolicy(worker, 'disable_non_proxied_udp');
  const popup = await clickIcon(chromium.browser, call);
  await popup.waitForFunction(() => document.querySelector('#tabs button') &&
    document.querySelector('#site_buttons button'));
  const snapshots = [];
  // Text of twice the size in a popup that gets no wider, as some people's settings have it.
  for (const [zoom, size] of [['100', '14px'], ['200', '28px']]) {
    await popup.evaluate((px) => { document.body.style.fontSize = px; }, size);
    await popup.setViewport({width: 320, height: 600});
    assert.deepEqual(await overflowing(popup), [], `popup ${locale} over a call, ${zoom} %`);
    snapshots.push(await snapshotOf(popup));
  }
  if (lookedAt.includes(locale)) assert.deepEqual(await violations(popup), [], `popup ${locale} over a call`);
  await popup.close();
  await call.close();
  if (!lookedAt.includes(locale)) return;
  for (const [at, zoom] of [100, 200].entries()) {
    const shown = await showSnapshot(chromium.browser, snapshots[at]);
    for (const theme of ['light', 'dark']) {
      await shown.emulateMediaFeatures([{name: 'prefers-color-scheme', value: theme}]);
      await pictureOf(shown, `${join(outputDir, `popup-${locale}-call-${zoom}-${theme}`)}.png`);
    }
    await shown.close();
  }
}

/** @param {Open} open */
async function pages({chromium, locale, hosts}) {
  await hosts.report(host.push(stateAt('unrestricted', {sites, floor: 'default_route_only'})));
  for (const name of ['welcome', 'options', 'test']) {
    const page = await chromium.page(`${name}.html`, {width: 360});
    await page.waitForFunction(() => document.querySelector('#sentence')?.textContent);
    assert.deepEqual(await overflowing(page), [], `${name} ${locale}`);
    await page.setViewport({width: 1280, height: 800});
    if (lookedAt.includes(locale)) await look(page, `${name}-${locale}`);
    await page.close();
  }
}

/** @param {Open} open */
async function leak({chromium, locale}) {
  const worker = await chromium.worker();
  await worker.evaluate((stunServers) => chrome.storage.local.set({settings: {stunServers, stunAgreed: true}}),
    stun.map(({server}) => server));
  const page = await chromium.page('test.html');
  await page.waitForSelector('#run', {visible: true});
  await page.click('#run');
  await page.waitForSelector('#result', {visible: true});
  await page.waitForSelector('#history summary', {visible: true});
  await page.click('#history summary');
  await look(page, `test-${locale}-leak`);
  await page.close();
}

for (const locale of locales) {
  test(`in ${locale}`, {timeout: 120_000}, async (context) => {
    const hosts = host.forBrowser();
    host.state = hostState();
    const chromium = await launchChromium({host: fakeHost, extensions: [extension],
      env: {...hosts.env, LANGUAGE: locale}, args: [`--lang=${locale.replace('_', '-')}`]});
    try {
      await hosts.link();
      const worker = await chromium.worker();
      const language = await worker.evaluate(() => chrome.i18n.getUILanguage());
      if (language.slice(0, 2) !== locale.slice(0, 2)) {
        assert.notEqual(process.env.ICELOCK_REQUIRE, '1', `Chromium speaks ${language}, not ${locale}`);
        return context.skip(`Chromium has no ${locale}: install chromium-l10n`);
      }
      const open = {chromium, locale, hosts};
      await popups(open);
      await overCall(open);
      await pages(open);
      if (lookedAt.includes(locale)) await leak(open);
    } finally {
      await chromium.close();
    }
  });
}

test('without a host, and without a permission that a switch needs', async () => {
  const chromium = await launchChromium();
  try {
    const worker = await chromium.worker();
    await worker.evaluate(() => chrome.storage.local.set({settings: {watchConnections: true}}));
    for (const name of ['welcome', 'options', 'test']) {
      const page = await chromium.page(`${name}.html`);
      await page.waitForFunction(() => document.querySelector('#sentence')?.textContent);
      if (name === 'welcome') {
        await page.waitForSelector('#host_get', {visible: true});
      }
      if (name === 'options') await page.waitForSelector('.missing button', {visible: true});
      await look(page, `${name}-alone`);
      await page.close();
    }
  } finally {
    await chromium.close();
  }
});

/** In an element that has the focus: whether all of it can be seen. */
const focused = () => {
  const one = document.activeElement ?? document.body;
  const {left, top, right, bottom} = one.getBoundingClientRect();
  const seen = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
  const name = one.textContent || one.id;
  return seen ? name : `${name} at ${[left, top, right, bottom]} of ${[innerWidth, innerHeight]}`;
};

test('at the browser\'s zoom of 200 %', async () => {
  const hosts = host.forBrowser();
  host.state = hostState();
  const chromium = await launchChromium({host: fakeHost, extensions: [extension], env: hosts.env, zoom: 2});
  try {
    await hosts.link();
    for (const name of ['welcome', 'options', 'test']) {
      const page = await chromium.page(`${name}.html`);
      await page.waitForFunction(() => document.querySelector('#sentence')?.textContent);
      assert.equal(await page.evaluate(() => devicePixelRatio), 2);
      assert.deepEqual(await overflowing(page), [], name);
      await page.close();
    }
    const call = await chromium.browser.newPage();
    await call.goto(web.site);
    const popup = await clickIcon(chromium.browser, call);
    await popup.waitForSelector('#site_buttons button');
    assert.equal(await popup.evaluate(() => devicePixelRatio), 2);
    assert.deepEqual(await overflowing(popup), []);
    for (const control of ['auto', 'For this call', '1 hour', 'Test for leaks', 'Options']) {
      await popup.keyboard.press('Tab');
      assert.equal(await popup.evaluate(focused), control);
    }
  } finally {
    await chromium.close();
  }
});
