// SPDX-License-Identifier: Apache-2.0
// Chromium, driven by puppeteer-core.
import {existsSync} from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

import {until} from '../lab/lab.mjs';
import {pages} from '../lab/network.mjs';
import {chromium_levels, gather_ms, named, skip, stun_urls} from './expect.mjs';

const installed = process.env.ICELOCK_CHROMIUM ?? '/usr/bin/chromium';

function load_puppeteer() {
  try {
    return createRequire(new URL('../extension/package.json', import.meta.url))('puppeteer-core');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return skip('puppeteer-core is missing: run npm ci in tests/extension');
  }
}

export class Chromium {
  /// extension: its folder, or true for those that `profile` has; granted: origins that hold the microphone and camera
  /// permission. The user-level manifests of native messaging live in the user-data folder `profile`.
  /// without: switches of puppeteer's own that are left out.
  static async launch({extension, granted = [pages.granted], args = [], accept_insecure = false, program = installed,
                       without = [], profile = path.join(process.env.XDG_CONFIG_HOME, 'chromium')} = {}) {
    if (!existsSync(program)) skip(`${program} is not installed`);
    const browser = new Chromium();
    const begin = Date.now();
    browser.browser = await load_puppeteer().launch({
      executablePath: program,
      headless: true,
      pipe: true,
      acceptInsecureCerts: accept_insecure,
      enableExtensions: typeof extension === 'string' ? [path.resolve(extension)] : Boolean(extension),
      userDataDir: profile,
      ignoreDefaultArgs: without,
      // Never --use-fake-ui-for-media-stream: it grants the microphone to every page at once.
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...args],
    });
    browser.launch_ms = Date.now() - begin;
    browser.pages = new Map();
    for (const origin of granted) {
      await browser.browser.defaultBrowserContext().overridePermissions(origin, ['microphone', 'camera']);
    }
    return browser;
  }

  async open(url) {
    if (!this.pages.has(url)) {
      const page = await this.browser.newPage();
      await page.goto(`${url}/`);
      this.pages.set(url, page);
    }
    return this.pages.get(url);
  }

  /// Calls a function of the page's script in a tab of its own per URL.
  async run(url, name, ...args) {
    const page = await this.open(url);
    return page.evaluate((called, given) => globalThis[called](...given), name, args);
  }

  /// run() for [url, name, ...args] of several tabs at once.
  run_all(calls) {
    return Promise.all(calls.map((call) => this.run(...call)));
  }

  /// What script on a page of this origin learns from a fresh connection.
  async read(url, wait_ms = gather_ms) {
    const page = await this.open(url);
    return named(await page.evaluate((wait, urls) => gather(wait, urls), wait_ms, stun_urls));
  }

  /// Starts gather_series() in the page of `url`, opened before; the result comes from series_end().
  async series_start(url, ...times) {
    this.series_page = await this.open(url);
    await this.series_page.evaluate((args) => void (window.series = gather_series(...args)), [...times, stun_urls]);
  }

  series_end() {
    return this.series_page.evaluate(() => window.series);
  }

  /// The extension's, once it has its API: a worker that just starts has not.
  async worker() {
    const target = await this.browser.waitForTarget((each) => each.type() === 'service_worker' &&
                                                    each.url().startsWith('chrome-extension://'), {timeout: 20000});
    const worker = await target.worker();
    await until('the API in the worker', () => worker.evaluate(() => typeof chrome === 'object'));
    return worker;
  }

  /// {value, levelOfControl} of the privacy API, asked for inside the extension but not through its code.
  async privacy() {
    const worker = await this.worker();
    return worker.evaluate(() => chrome.privacy.network.webRTCIPHandlingPolicy.get({}));
  }

  async level() {
    const {value} = await this.privacy();
    return chromium_levels[value] ?? 'other';
  }

  /// The rows of chrome://policy that are set: {name: {value, status}}.
  async policies() {
    const page = await this.browser.newPage();
    try {
      await page.goto('chrome://policy');
      // waitForFunction resolves with what the function returned once that is true.
      const rows = await page.waitForFunction(() => {
        const found = {};
        const walk = (root) => {
          for (const element of root.querySelectorAll('*')) {
            if (element.shadowRoot) walk(element.shadowRoot);
            if (element.tagName !== 'POLICY-ROW') continue;
            const cell = (css) => element.shadowRoot.querySelector(css)?.textContent.trim() ?? '';
            const status = cell('.policy .messages');
            found[cell('#name')] = status === 'Not set.' ? null : {value: cell('.policy > .value'), status};
          }
        };
        walk(document);
        return Object.keys(found).length > 0 && found;
      }, {timeout: 30000});
      return Object.fromEntries(Object.entries(await rows.jsonValue()).filter(([, row]) => row));
    } finally {
      await page.close();
    }
  }

  async close() {
    await this.browser.close();
  }
}

/// A frame of `url` inside `page`.
export async function frame_in(page, url) {
  await page.evaluate((src) => new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.onload = resolve;
    frame.src = src;
    document.body.append(frame);
  }), `${url}/`);
  return until('the frame', () => page.frames().find((frame) => frame.url() === `${url}/`));
}
