// SPDX-License-Identifier: Apache-2.0
// In real browsers, with the real host: from the start of the background to locked and read back, at browser starts
// after the first; from the click on the toolbar button to the popup drawn; and what runs while nothing happens.
// Prints JSON. ICELOCK_EXTENSION names another folder of the extension, to compare.
// Run: ICELOCK_BIN=build/release/bin node tests/bench/extension_start.mjs [ROUNDS]

import {execFileSync} from 'node:child_process';
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {clickIcon, launchChromium, untilPolicy} from '../extension/lib/chromium.mjs';
import {until} from '../extension/lib/common.mjs';
import {launchFirefox} from '../extension/lib/firefox.mjs';
import {createWeb} from '../extension/lib/web.mjs';

const rounds = Number(process.argv[2] ?? 8);
const bin = resolve(process.env.ICELOCK_BIN ?? 'build/release/bin');
const host = join(bin, 'icelock-host');
const extensions = process.env.ICELOCK_EXTENSION ? [process.env.ICELOCK_EXTENSION] : undefined;
const folder = await mkdtemp(join(tmpdir(), 'icelock-start-'));
const profile = join(folder, 'profile');
const run = join(folder, 'run');
await mkdir(run, {mode: 0o700});
const env = {XDG_CONFIG_HOME: join(folder, 'config'), XDG_RUNTIME_DIR: run};
const web = await createWeb();

function say(what, taken) {
  const sorted = taken.sort((one, other) => one - other);
  console.log(JSON.stringify({what, n: sorted.length, median: Math.round(sorted[sorted.length >> 1]),
    max: Math.round(sorted.at(-1))}));
}

const markOf = (worker) => until(() => worker.evaluate(() => performance.getEntriesByName('locked')[0]?.startTime),
  'the lock');

async function chromium() {
  const started = [];
  for (let round = 0; round < rounds; ++round) {
    const browser = await launchChromium({host, env, extensions, profile});
    started.push(await markOf(await browser.worker()));
    await browser.close();
  }
  say('Chromium: background begun to locked and read back, ms', started.slice(1));

  const browser = await launchChromium({host, env, extensions, profile});
  const worker = await browser.worker();
  await markOf(worker);
  const page = await browser.browser.newPage();
  await page.goto(web.site);
  const [fromClick, fromPage] = [[], []];
  for (let round = 0; round < rounds; ++round) {
    const clicked = performance.timeOrigin + performance.now();
    const popup = await clickIcon(browser.browser, page);
    const {at, of} = await popup.evaluate(() => {
      const {startTime} = performance.getEntriesByName('drawn')[0];
      return {at: performance.timeOrigin + startTime, of: startTime};
    });
    fromClick.push(at - clicked);
    fromPage.push(of);
    await popup.close();
  }
  say('Chromium: click to popup drawn, ms', fromClick);
  say('Chromium: of that, since the popup\'s page began, ms', fromPage);
  for (const [mode, value] of [['open', 'default'], ['locked', 'disable_non_proxied_udp']]) {
    execFileSync(join(bin, 'icelock'), ['mode', mode], {env: {...process.env, ...env}, stdio: 'ignore'});
    await untilPolicy(worker, value);
    await sleep(500);
    console.log(JSON.stringify({what: `Chromium: alarms with a host, ${mode}`,
      alarms: await worker.evaluate(() => chrome.alarms.getAll().then((all) => all.map(({name}) => name)))}));
  }
  await browser.close();
}

async function firefox() {
  const [started, fromClick, drawn] = [[], [], []];
  for (let round = 0; round < rounds; ++round) {
    const browser = await launchFirefox({host, env: {XDG_RUNTIME_DIR: run}});
    await browser.openPage('options.html');
    started.push(await until(() => browser.inPage(`
      const page = (window.wrappedJSObject ?? window).browser.extension.getBackgroundPage();
      return page?.performance.getEntriesByName("locked")[0]?.startTime;`), 'the lock'));
    await browser.marionette.call('WebDriver:NewWindow', {type: 'tab', focus: true});
    const [options] = (await browser.marionette.call('WebDriver:GetWindowHandles'));
    const clicked = Date.now();
    await browser.clickIcon();
    const [at, of] = await until(() => browser.inPopup(options, `(({performance}) => {
      const [mark] = performance.getEntriesByName("drawn");
      return mark && [performance.timeOrigin + mark.startTime, mark.startTime];
    })(popup.defaultView)`), 'the popup');
    fromClick.push(at - clicked);
    drawn.push(of);
    await browser.close();
  }
  say('Firefox: background begun to locked and read back, ms', started);
  say('Firefox: click to popup drawn, ms', fromClick);
  say('Firefox: of that, since the popup\'s page began, ms', drawn);
}

await chromium();
await firefox();
web.close();
await rm(folder, {recursive: true, force: true, maxRetries: 5});
