// SPDX-License-Identifier: Apache-2.0
// Takes the pictures that the stores want, 1280 x 800, from the real extension in a real Chromium; a host and STUN
// servers on loopback play a machine whose VPN carries IPv4 alone. `npm run shots` leaves them in
// build/extension/store.

import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {launchChromium, pictureOf, withTestPermission} from '../lib/chromium.mjs';
import {fakeHost, outputDir} from '../lib/common.mjs';
import {hostLinks, hostState, stateAt} from '../lib/fake_browser.mjs';
import {createHostServer} from '../lib/host_server.mjs';
import {createStun} from '../lib/stun.mjs';

const folder = join(outputDir, 'store');
await mkdir(folder, {recursive: true});
const extension = await withTestPermission();
const stun = [await createStun('198.51.100.20'), await createStun('2001:db8:99::1')];
const host = await createHostServer();
host.state = hostState();
host.probed = hostLinks;
const chromium = await launchChromium({host: fakeHost, env: host.env, extensions: [extension]});

/** @param {import('puppeteer-core').Page} page @param {string} name */
const shoot = (page, name) =>
  page.screenshot({path: /** @type {`${string}.png`} */ (join(folder, `${name}.png`))});

/** The popup in the middle of a page, twice its size. @param {string} name */
async function shootPopup(name) {
  const page = await chromium.popup();
  await page.waitForFunction(() => document.querySelectorAll('#notes li').length > 0);
  const picture = await pictureOf(page);
  await page.setViewport({width: 1280, height: 800, deviceScaleFactor: 1});
  await page.goto('about:blank');
  await page.setContent(`<style>body {margin: 0; height: 800px; display: grid; place-items: center;
    background: linear-gradient(#e4f1f1, #c7dfe0)} img {max-height: 740px; border-radius: 10px;
    box-shadow: 0 8px 40px #0004}</style><img src="data:image/png;base64,${picture}">`);
  await shoot(page, name);
  await page.close();
}

try {
  const link = await host.link();
  await link.report(host.serial);
  await shootPopup('1-locked');
  await link.report(host.push(stateAt('unrestricted')));
  const worker = await chromium.worker();
  await worker.evaluate((stunServers) => chrome.storage.local.set({settings: {stunServers, stunAgreed: true}}),
    stun.map(({server}) => server));
  const page = await chromium.page('test.html');
  for (const [state, name] of /** @type {[any, string][]} */ ([
    [stateAt('unrestricted'), '2-leak'], [hostState(), '3-no-leak']])) {
    await link.report(host.push(state));
    await page.reload();
    await page.waitForSelector('#run', {visible: true});
    await page.click('#run');
    await page.waitForSelector('#result', {visible: true});
    await shoot(page, name);
  }
  await page.goto(page.url().replace('test.html', 'options.html'));
  await page.waitForFunction(() => document.querySelector('#keys li'));
  await shoot(page, '4-options');
  await page.goto(page.url().replace('options.html', 'welcome.html'));
  await page.waitForFunction(() => document.querySelector('#host[data-done]'));
  await shoot(page, '5-welcome');
  console.log(folder);
} finally {
  await chromium.close();
  await host.close();
  for (const one of stun) one.close();
  await rm(extension, {recursive: true, force: true});
}
