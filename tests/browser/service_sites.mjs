// SPDX-License-Identifier: Apache-2.0
// Exceptions for sites: a real VPN that locks, the real service that writes policy, a real Chromium without any
// extension. `icelock allow` reaches tabs that are open, for that site alone; what becomes of it in frames, at its
// end, and in tabs that were open then.
import {spawn} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';

import {Lab, until} from '../lab/lab.mjs';
import {origins, pages} from '../lab/network.mjs';
import {Chromium, frame_in} from './chromium.mjs';
import {gather_ms, named, Report, stun_urls, text_of} from './expect.mjs';
import {icelock, need_programs, program} from './setup.mjs';

const policy_file = '/etc/chromium/policies/managed/zz-icelock.json';
const report = new Report('service.sites');

const policy = () => JSON.parse(readFileSync(policy_file, 'utf8'));
const rules = () => (policy().WebRtcIPHandlingUrl ?? []).map(({url}) => url).join(' ');

async function start_service() {
  mkdirSync('/etc/icelock', {recursive: true});
  writeFileSync('/etc/icelock/icelock.json', JSON.stringify({manage_policies: true, browsers: ['chromium']}));
  const daemon = spawn(program('icelockd'), [], {stdio: ['ignore', 'inherit', 'inherit']});
  await until('the policy file', () => policy(), 20000);
  return daemon;
}

/// What script in this page or frame learns from a fresh connection.
async function learns(frame, wait_ms = gather_ms) {
  return named(await frame.evaluate((wait, urls) => gather(wait, urls), wait_ms, stun_urls));
}

async function open(browser, url) {
  const page = await browser.browser.newPage();
  await page.goto(`${url}/`);
  return page;
}

async function locked(what, frame) {
  const seen = await learns(frame);
  report.check(`${what}: locked`, Object.keys(seen).length === 0, text_of(seen));
}

async function loose(what, frame) {
  let seen = await learns(frame);
  if (seen.VPNv4 === undefined) seen = await learns(frame, 6000);
  report.check(`${what}: loose`, seen.VPNv4 !== undefined, text_of(seen));
}

async function loose_soon(what, frame) {
  const begin = Date.now();
  const seen = await until(what, async () => {
    const found = await learns(frame, 300);
    return found.VPNv4 !== undefined && found;
  }, 30000);
  report.check(what, true, `${text_of(seen)}, ${Date.now() - begin} ms with a gathering of 300 ms`);
}

async function locked_soon(what, browser, url) {
  await until(what, async () => {
    const page = await open(browser, url);
    const seen = await learns(page, 300);
    await page.close();
    return Object.keys(seen).length === 0;
  }, 30000);
  report.check(what, true);
}

/// While one site is excepted, all others must still take up each stricter level in tabs that are open.
async function tightens_beside_an_exception(lab, browser) {
  icelock('mode', 'locked', 'default_route_only');
  icelock('allow', 'never-visited.example', '--level', 'unrestricted');
  const other = await open(browser, pages.granted);
  const seen = await until('the looser lock', async () => {
    const found = await learns(other, 300);
    return found.REALv4 !== undefined && found.LANv4 === undefined && found;
  }, 30000);
  report.check('before the tunnel: a tab shows its default route', true, text_of(seen));
  await lab.tunnel_up();
  await until('the tunnel\'s lock', () => policy().WebRtcIPHandling === 'disable_non_proxied_udp', 20000);
  await until('the lock in the tab', async () => Object.keys(await learns(other, 300)).length === 0, 30000)
      .then(() => report.check('tunnel up: the tab that was open is locked, beside an exception', true),
            (error) => report.check('tunnel up: the tab that was open is locked, beside an exception', false,
                                    error.message));
  icelock('deny', 'never-visited.example');
  icelock('mode', 'auto');
  await other.close();
}

async function allowed_for_a_while(browser) {
  const [site, other] = [await open(browser, pages.plain), await open(browser, pages.granted)];
  await locked('before, the site', site);
  await locked('before, another site', other);

  icelock('allow', pages.plain, '--for', '30s');
  const ends = Date.now() + 30000;
  await loose_soon('allowed: shows in a tab that was open', site);
  report.equal('allowed: the policy file names it alone', rules(), pages.plain);
  await locked('allowed: another site in a tab that was open', other);
  await locked('allowed: another site in a new tab', await open(browser, origins.ipv4));
  await loose('allowed: a frame of another site inside the site', await frame_in(site, pages.granted));
  await locked('allowed: a frame of the site inside another site', await frame_in(other, pages.plain));
  const [row] = JSON.parse(icelock('sites', '--json')).sites;
  report.check('allowed: icelock sites counts down', row.seconds_left > 0 && row.seconds_left <= 30, row.seconds_left);
  const {browsers} = JSON.parse(icelock('status', '--json'));
  report.equal('allowed: no fault in the browser', browsers.find(({id}) => id === 'chromium').problems.join(), '');
  report.check('allowed: all of this within its time', Date.now() < ends, `${ends - Date.now()} ms before the end`);

  await until('the end', () => rules() === '', 45000);
  report.figure('ended_ms_after_its_time', Date.now() - ends);
  await locked_soon('ended: a new tab of the site is locked', browser, pages.plain);
  await loose('ended: the tab that was open keeps it', site);
  await site.reload();
  await loose('ended: also when it is loaded again', site);
  await site.close();
  await locked('ended: another site as ever', other);
}

async function denied(browser) {
  icelock('allow', origins.ipv4);
  const site = await open(browser, origins.ipv4);
  await loose_soon('allowed until denied: shows', site);
  icelock('deny', origins.ipv4);
  await locked_soon('denied: a new tab of the site is locked', browser, origins.ipv4);
  report.equal('denied: the policy file names nobody', rules(), '');
}

need_programs('icelock', 'icelockd');
let failure;
let daemon;
try {
  const lab = await Lab.build('ovpn_full_v6');
  daemon = await start_service();
  const browser = await Chromium.launch();
  await tightens_beside_an_exception(lab, browser);
  await allowed_for_a_while(browser);
  await denied(browser);
  await browser.close();
} catch (error) {
  failure = error;
}
daemon?.kill();
process.exit(report.finish(failure));
