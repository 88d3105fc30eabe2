// SPDX-License-Identifier: Apache-2.0
// A headless Chromium with the extension in it, on a profile of its own.

import {chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import puppeteer from 'puppeteer-core';
import {extensionDir, until} from './common.mjs';

export const chromiumId = 'ijhcpjklckmohbkaoncmpefjopcblpfa';
export const chromiumPath = process.env.ICELOCK_CHROMIUM ?? '/usr/bin/chromium';

/** Starts Chromium. `host` is the program behind icelock.host, or nothing for none installed;
 * `profile` reuses a folder, which is then the caller's to remove; `extensions` loads these folders instead, or
 * with true none but those that `profile` and `args` have. In a profile of its own the welcome page is waited for:
 * it would come in front of a test's page, which then draws nothing. It is put away unless `welcome` keeps it.
 * @param {{host?: string, profile?: string, extensions?: string[] | true, args?: string[],
 *   env?: NodeJS.ProcessEnv, zoom?: number, welcome?: boolean}} [options] */
export async function launchChromium({host, profile, extensions, args = [], env = {}, zoom = 1,
  welcome = false} = {}) {
  const folder = profile ?? await mkdtemp(join(tmpdir(), 'icelock-chromium-'));
  if (host) await registerHost(folder, host);
  await choose(folder, zoom);
  const browser = await puppeteer.launch({
    executablePath: chromiumPath, headless: true, pipe: true, userDataDir: folder,
    enableExtensions: extensions ?? [extensionDir], env: {...process.env, ...env},
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-component-update', '--disable-sync', ...args],
  });
  if (!profile && extensions !== true) await greeted(browser, welcome);
  return {
    browser, profile: folder,
    worker: () => workerOf(browser),
    /** @param {{dark?: boolean}} [options] */
    popup: (options) => openPopup(browser, options),
    /** @param {string} name @param {{dark?: boolean, width?: number, height?: number}} [options] */
    page: (name, options) => openPage(browser, name, options),
    async close() {
      await browser.close();
      if (!profile) await rm(folder, {recursive: true, force: true, maxRetries: 5});
    },
  };
}

/** @param {import('puppeteer-core').Browser} browser @param {boolean} kept */
async function greeted(browser, kept) {
  const target = await browser.waitForTarget((one) => one.url().endsWith('/welcome.html'), {timeout: 20_000});
  if (!kept) await (await target.page())?.close();
}

/** Clicks the toolbar button while this page's tab is in front, as a person does, so that `activeTab` is given.
 * @param {import('puppeteer-core').Browser} browser @param {import('puppeteer-core').Page} page
 * @returns {Promise<import('puppeteer-core').Page>} the popup, once it is drawn */
export async function clickIcon(browser, page) {
  await page.bringToFront();
  const ours = (await browser.extensions()).get(chromiumId);
  if (!ours) throw new Error('the extension is not there');
  await page.triggerExtensionAction(ours);
  const target = await browser.waitForTarget((one) => one.url().endsWith('/popup.html'), {timeout: 20_000});
  const popup = await target.asPage();
  await popup.waitForFunction(() => document.body.dataset.drawn && 
    !document.querySelector('#site')?.hasAttribute('hidden'));
  return popup;
}

/** A picture of all of a page in a tab.
 * @param {import('puppeteer-core').Page} page @param {`${string}.png`} [path]
 * @returns {Promise<string>} in base64 */
export async function pictureOf(page, path) {
  const {width, height} = await page.evaluate(() =>
    ({width: innerWidth, height: Math.ceil(document.documentElement.getBoundingClientRect().height)}));
  const {deviceScaleFactor = 1} = page.viewport() ?? {};
  await page.setViewport({width, height: Math.max(height, 200), deviceScaleFactor});
  const bytes = await page.screenshot();
  if (path) await writeFile(path, bytes);
  return Buffer.from(bytes).toString('base64');
}

/** What a real popup shows, for showSnapshot().
 * @param {import('puppeteer-core').Page} popup */
export const snapshotOf = (popup) => popup.evaluate(() => {
  for (const input of document.querySelectorAll('input')) input.toggleAttribute('checked', input.checked);
  return new XMLSerializer().serializeToString(document);
});

/** Puts it into a tab without scripts. Of a popup that is higher than its window Chromium cannot take a picture: it
 * repeats the top. The tab closes the popup.
 * @param {import('puppeteer-core').Browser} browser @param {string} snapshot
 * @returns {Promise<import('puppeteer-core').Page>} */
export async function showSnapshot(browser, snapshot) {
  const page = await browser.newPage();
  await page.setViewport({width: 320, height: 480, deviceScaleFactor: 2});
  await page.setJavaScriptEnabled(false);
  await page.goto(`chrome-extension://${chromiumId}/popup.html`);
  await page.evaluate((text) => {
    const from = new DOMParser().parseFromString(text, 'application/xhtml+xml').documentElement;
    for (const name of ['lang', 'dir']) document.documentElement.setAttribute(name, from.getAttribute(name) ?? '');
    document.body.replaceWith(/** @type {Node} */ (from.querySelector('body')));
  }, snapshot);
  return page;
}

/** A copy of the extension that holds permissions which it would ask for: no test can click that question.
 * @param {string[]} permissions @param {string[]} hosts @returns {Promise<string>} the caller's to remove */
export async function withPermissions(permissions, hosts) {
  const folder = await mkdtemp(join(tmpdir(), 'icelock-extension-'));
  await cp(extensionDir, folder, {recursive: true});
  const file = join(folder, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  manifest.permissions.push(...permissions);
  manifest.optional_permissions =
    manifest.optional_permissions.filter((/** @type {string} */ one) => !permissions.includes(one));
  manifest.host_permissions = hosts;
  await writeFile(file, JSON.stringify(manifest));
  return folder;
}

/** A copy of the extension that has what the leak test asks for. */
export const withTestPermission = () => withPermissions(['webRequest'], ['https://leak-test.invalid/*']);

/** Puts the button beside the address bar, where a person has it who clicks it. Chromium slides one that is not there
 * into place first, which takes 250 ms. Only in a profile that was never used, as is the zoom of every page, whose
 * unit is a factor of 1.2 (Chromium, third_party/blink/common/page/page_zoom.cc).
 * @param {string} profile @param {number} zoom */
async function choose(profile, zoom) {
  await mkdir(join(profile, 'Default'), {recursive: true});
  const prefs = JSON.stringify({extensions: {pinned_extensions: [chromiumId]},
    partition: {default_zoom_level: {x: Math.log(zoom) / Math.log(1.2)}}});
  await writeFile(join(profile, 'Default/Preferences'), prefs, {flag: 'wx'}).catch(() => {});
}

/** @param {string} profile @param {string} program absolute path */
export async function registerHost(profile, program) {
  const folder = join(profile, 'NativeMessagingHosts');
  await mkdir(folder, {recursive: true});
  await chmod(program, 0o755);
  await writeFile(join(folder, 'icelock.host.json'), JSON.stringify({
    name: 'icelock.host', description: 'icelock', type: 'stdio', path: program,
    allowed_origins: [`chrome-extension://${chromiumId}/`],
  }));
}

/** @param {import('puppeteer-core').Browser} browser @returns the extension's service worker */
async function workerOf(browser) {
  const target = await browser.waitForTarget((one) => one.type() === 'service_worker' &&
    one.url().startsWith(`chrome-extension://${chromiumId}/`), {timeout: 20_000});
  const worker = await target.worker();
  if (!worker) throw new Error('the extension has no worker');
  await until(() => worker.evaluate(() => typeof chrome === 'object'), 'the API in the worker');
  return worker;
}

/** The popup's page in a tab, as wide as the real popup.
 * @param {import('puppeteer-core').Browser} browser @param {{dark?: boolean}} [options] */
const openPopup = (browser, {dark = false} = {}) =>
  openPage(browser, 'popup.html', {dark, width: 320, height: 480, scale: 2});

/** One of the extension's pages in a tab.
 * @param {import('puppeteer-core').Browser} browser @param {string} name
 * @param {{dark?: boolean, width?: number, height?: number, scale?: number}} [options] */
async function openPage(browser, name, {dark = false, width = 1280, height = 800, scale = 1} = {}) {
  const page = await browser.newPage();
  await page.setViewport({width, height, deviceScaleFactor: scale});
  await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: dark ? 'dark' : 'light'}]);
  await page.goto(`chrome-extension://${chromiumId}/${name}`);
  return page;
}

/** What the privacy API says in a Chromium.
 * @param {import('puppeteer-core').WebWorker} worker
 * @returns {Promise<{value: string, levelOfControl: string}>} */
export const readPolicy = (worker) => worker.evaluate(() =>
  chrome.privacy.network.webRTCIPHandlingPolicy.get({}));

/** Waits until the privacy API holds a value.
 * @param {import('puppeteer-core').WebWorker} worker @param {string} value */
export const untilPolicy = (worker, value) =>
  until(async () => (await readPolicy(worker)).value === value, `the setting to be ${value}`);
