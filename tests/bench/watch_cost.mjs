// SPDX-License-Identifier: Apache-2.0
// What the watch for old connections costs a page: 50 RTCPeerConnections opened and closed in a real Chromium, with
// the watch and without, in turn. Prints JSON.
// Run: node tests/bench/watch_cost.mjs [ROUNDS]

import {rm} from 'node:fs/promises';
import {launchChromium, withPermissions} from '../extension/lib/chromium.mjs';
import {until} from '../extension/lib/common.mjs';
import {createWeb} from '../extension/lib/web.mjs';

const rounds = Number(process.argv[2] ?? 15);
const folder = await withPermissions(['scripting'], ['*://*/*']);
const web = await createWeb();
const chromium = await launchChromium({extensions: [folder]});
const worker = await chromium.worker();
const taken = {without: [], with: []};
try {
  for (let round = 0; round < 2 * rounds + 2; ++round) {
    const watched = round % 2 === 1;
    await worker.evaluate((watchConnections) => chrome.storage.local.set({settings: {watchConnections}}), watched);
    await until(async () => (await worker.evaluate(() => chrome.scripting.getRegisteredContentScripts())).length ===
      (watched ? 2 : 0), 'the scripts');
    const page = await chromium.browser.newPage();  // a process has no more than 500, closed or not
    await page.goto(web.site);
    const ms = await page.evaluate(async () => {
      const begin = performance.now();
      const all = Array.from({length: 50}, () => new RTCPeerConnection());
      for (const one of all) one.createDataChannel('x');
      await Promise.all(all.map(async (one) => one.setLocalDescription(await one.createOffer())));
      for (const one of all) one.close();
      return performance.now() - begin;
    });
    await page.close();
    if (round > 1) taken[watched ? 'with' : 'without'].push(ms);
  }
} finally {
  await chromium.close();
  web.close();
  await rm(folder, {recursive: true, force: true});
}
const median = (list) => list.sort((one, other) => one - other)[list.length >> 1];
const [plain, watched] = [median(taken.without), median(taken.with)];
console.log(JSON.stringify({what: '50 RTCPeerConnections in Chromium, ms', n: rounds, without_watch: Math.round(plain),
  with_watch: Math.round(watched), ratio: Number((watched / plain).toFixed(3))}));
