// SPDX-License-Identifier: Apache-2.0
// What the extension shows and what its popup can do, each from a real cause: the real host and the real service for
// an ordinary user, a real VPN, real policy files, a real Chromium whose toolbar button is clicked.
import {execFileSync, spawn} from 'node:child_process';
import {appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {clickIcon} from '../extension/lib/chromium.mjs';
import {outputDir} from '../extension/lib/common.mjs';
import {Lab, sleep, until} from '../lab/lab.mjs';
import {pages} from '../lab/network.mjs';
import {frame_in} from './chromium.mjs';
import {leaks, gather_ms, named, Report, stun_urls, text_of} from './expect.mjs';
import {need_extension, need_programs, program} from './setup.mjs';
import {icelock_group, settings, User} from './user.mjs';

const managed = '/etc/chromium/policies/managed';
const report = new Report('popup.chromium');
const alice = new User('alice', 4001, true);

async function start_service() {
  appendFileSync('/etc/group', `icelock:x:${icelock_group}:\n`);
  settings({});
  const daemon = spawn(program('icelockd'), [], {stdio: ['ignore', 'inherit', 'inherit']});
  await until('the service', () => alice.status(), 20000);
  return daemon;
}

async function open(url) {
  const page = await alice.browser.browser.newPage();
  await page.goto(`${url}/`);
  return page;
}

const learns = async (frame, wait_ms = gather_ms) =>
    named(await frame.evaluate((wait, urls) => gather(wait, urls), wait_ms, stun_urls));

const words_of = (popup) => popup.$eval('main', (main) => main.innerText.replaceAll('\n', ' '));

/// What the toolbar button shows, and what the popup says, over this page.
async function shown(page) {
  const popup = await clickIcon(alice.browser.browser, page);
  const words = await words_of(popup);
  const icon = await popup.evaluate(() => document.body.dataset.state);
  await popup.close();
  const worker = await alice.browser.worker();
  return {icon, words, badge: await worker.evaluate(() => chrome.action.getBadgeText({})),
          title: await worker.evaluate(() => chrome.action.getTitle({}))};
}

/// Waits until it shows this icon and says these words, and keeps a picture of it.
async function shows(what, page, icon, words, deadline_ms = 30000) {
  let last;
  try {
    await until(what, async () => {
      last = await shown(page);
      return last.icon === icon && words.test(last.words);
    }, deadline_ms, 200);
    report.check(`${what}: shown as ${icon}`, true, `${last.badge} ${last.title}`);
  } catch {
    report.check(`${what}: shown as ${icon}`, false, JSON.stringify(last));
  }
  const popup = await clickIcon(alice.browser.browser, page);
  for (const theme of ['light', 'dark']) {
    await popup.emulateMediaFeatures([{name: 'prefers-color-scheme', value: theme}]);
    const file = path.join(outputDir, `real-${what.replaceAll(' ', '-')}-${theme}.png`);
    await popup.screenshot({path: file, captureBeyondViewport: false});
  }
  await popup.close();
}

const press = (popup, text) => until(`the button ${text}`, () => popup.evaluate((wanted) => {
  const button = [...document.querySelectorAll('button')].find(({textContent}) => textContent === wanted);
  button?.click();
  return button !== undefined;
}, text), 20000);

/// Whether a page learnt no address at all.
const nothing = (seen) => Object.keys(seen).length === 0;
const check_locked = async (what, frame) => {
  const seen = await learns(frame);
  report.check(`${what}: nothing shows`, nothing(seen), text_of(seen));
};

/// One site let through by the popup, through host, service and policy; the others at the same time.
async function one_site(page) {
  const other = await open(pages.granted);
  await check_locked('before, the site', page);
  let popup = await clickIcon(alice.browser.browser, page);
  report.check('the popup offers this site alone', /Only this site is loosened/.test(await words_of(popup)),
               await words_of(popup));
  await press(popup, 'For this call');
  const seen = await until('the site to be let through', async () => {
    const found = await learns(page, 300);
    return found.VPNv4 !== undefined && found;
  }, 30000);
  report.check('allowed: the site shows its candidates', true, text_of(seen));
  await check_locked('allowed: another origin', other);
  const third = await open(pages.granted);
  await check_locked('allowed: another tab of another origin', third);
  const frame = await frame_in(page, pages.granted);
  let inside = await learns(frame);
  if (inside.VPNv4 === undefined) inside = await learns(frame, 6000);
  report.check('allowed: a frame of another origin inside inherits', inside.VPNv4 !== undefined, text_of(inside));
  await shows('allowed for a call', page, 'locked', /Allowed until this tab is closed/);
  popup = await clickIcon(alice.browser.browser, page);
  await press(popup, 'End now');
  await until('the end', async () => /this tab keeps it/.test(await words_of(popup)), 30000);
  const early = await open(pages.plain);
  const over_early = await clickIcon(alice.browser.browser, early);
  await until('a tab of that moment to count as one that keeps it', async () =>
    /this tab keeps it/.test(await words_of(over_early)), 20000);
  await early.close();
  popup = await clickIcon(alice.browser.browser, page);
  await press(popup, 'Reopen in a new tab');
  await until('the old tab to be closed', () => page.isClosed(), 20000);
  const anew = await until('the new tab', async () =>
    (await alice.browser.browser.pages()).find((one) => one.url() === `${pages.plain}/`), 20000);
  await ready(anew);
  await until('the lock in it', async () => nothing(await learns(anew, 300)), 30000);
  report.check('ended: opened anew, nothing shows', true);

  // Closing the tab ends the call, too.
  popup = await clickIcon(alice.browser.browser, anew);
  await press(popup, 'For this call');
  await until('the exception', () => alice.status().sites.list.length === 1, 20000);
  await anew.close();
  await until('its end', () => alice.status().sites.list.length === 0, 20000);
  report.check('the tab closed: the exception is over', true);
  for (const one of [other, third]) await one.close();
  return open(pages.plain);
}

/// A page has its address before its script has run.
const ready = (page) =>
    until('its script', () => page.evaluate(() => typeof gather === 'function').catch(() => false), 20000);

/// The process that the browser started.
function host_pid() {
  return execFileSync('pgrep', ['-u', String(alice.uid), '-f', 'icelock-host'], {encoding: 'utf8'}).trim().split('\n')[0];
}

async function host_killed(page) {
  process.kill(Number(host_pid()), 'SIGSTOP');
  process.kill(Number(host_pid()), 'SIGKILL');
  const begin = Date.now();
  let seen = 0;
  while (Date.now() - begin < 1500) {
    seen += nothing(await learns(page, 100)) ? 0 : 1;
    await sleep(50);
  }
  report.equal('host killed while locked: leaks seen', seen, 0);
  await shows('host back', page, 'locked', /WebRTC is limited to proxies/);
}

async function host_missing(page) {
  const manifest = `${alice.config}/chromium/NativeMessagingHosts/icelock.host.json`;
  const content = readFileSync(manifest);
  rmSync(manifest);
  process.kill(Number(host_pid()), 'SIGKILL');
  await shows('host gone', page, 'alone', /went away/);
  await check_locked('host gone', page);
  writeFileSync(manifest, content);
  await shows('host there again', page, 'locked', /WebRTC is limited to proxies/, 120000);
}

/// A page that the browser opens by itself at its start must learn nothing, whatever comes first.
async function restarted() {
  for (let round = 0; round < 3; ++round) {
    await alice.browser.close();
    await alice.start_browser({args: [`${pages.plain}/`]});
    const page = await until('the page', async () =>
      (await alice.browser.browser.pages()).find((one) => one.url() === `${pages.plain}/`), 20000);
    await ready(page);
    const seen = await learns(page);
    report.check(`restarted while locked, ${round}: a page opened at once sees nothing of the provider`,
                 leaks(seen).length === 0, text_of(seen));
  }
}

need_programs('icelock', 'icelockd', 'icelock-host');
need_extension();
mkdirSync(outputDir, {recursive: true});
let failure;
let daemon;
try {
  const lab = await Lab.build('ovpn_full_v6');
  daemon = await start_service();
  await alice.start_browser();
  let page = await open(pages.plain);
  await shows('no VPN', page, 'open', /No VPN carries web traffic\. WebRTC is open/);
  await lab.tunnel_up();
  await shows('VPN up', page, 'locked', /VPN tun0 is up but carries no IPv6.*limited to proxies/);
  await host_killed(page);
  await host_missing(page);

  mkdirSync(managed, {recursive: true});
  writeFileSync(`${managed}/other.json`, JSON.stringify({WebRtcIPHandling: 'disable_non_proxied_udp'}));
  await shows('policy of another', page, 'policy', /A policy or a switch/, 60000);
  writeFileSync(`${managed}/other.json`, JSON.stringify({WebRtcIPHandling: 'default'}));
  await shows('loose policy of another', page, 'leaking', /Sites may see your address/, 60000);
  rmSync(`${managed}/other.json`);
  await shows('policy gone', page, 'locked', /limited to proxies/, 60000);

  settings({manage_policies: true, browsers: ['chromium']});
  await shows('policy of the service', page, 'locked', /icelock service keeps this setting by policy/, 60000);
  page = await one_site(page);
  settings({});
  await until('policies to be given back', () => !alice.status().sites.possible, 30000);
  await restarted();
  await alice.browser.close();
} catch (error) {
  failure = error;
}
daemon?.kill();
process.exit(report.finish(failure));
