// SPDX-License-Identifier: Apache-2.0
// The service with "manage_policies", no extension of ours: a real Chromium that runs through a real VPN connect and
// drop obeys policy files alone, and how soon. A small extension of the test's own notes when the browser's own
// setting changed; it changes nothing.
import {spawn} from 'node:child_process';
import {mkdirSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {Lab, until} from '../lab/lab.mjs';
import {pages} from '../lab/network.mjs';
import {Chromium} from './chromium.mjs';
import {leaks, Report, text_of} from './expect.mjs';
import {icelock, need_programs, program} from './setup.mjs';

const hold_seconds = 3;
const policy_file = '/etc/chromium/policies/managed/zz-icelock.json';
const report = new Report('service.chromium');

function write_observer() {
  const folder = path.join(process.env.TMPDIR, 'observer');
  mkdirSync(folder, {recursive: true});
  writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify({
    manifest_version: 3, name: 'observer', version: '1', permissions: ['privacy'],
    background: {service_worker: 'observer.js'}}));
  writeFileSync(path.join(folder, 'observer.js'), `
    self.seen = [];
    chrome.privacy.network.webRTCIPHandlingPolicy.onChange.addListener(({value, levelOfControl}) =>
      self.seen.push({value, levelOfControl, at: performance.timeOrigin + performance.now()}));`);
  return folder;
}

async function start_service() {
  mkdirSync('/etc/icelock', {recursive: true});
  writeFileSync('/etc/icelock/icelock.json',
                JSON.stringify({manage_policies: true, browsers: ['chromium'], hold_seconds}));
  const daemon = spawn(program('icelockd'), [], {stdio: ['ignore', 'inherit', 'inherit']});
  await until('the policy file', () => statSync(policy_file, {throwIfNoEntry: false}), 10000, 20);
  return daemon;
}

const value_of = async (browser) => (await browser.privacy()).value;
const locked = async (browser) => (await value_of(browser)) !== 'default';

/// Milliseconds from the file's last change to what the browser said about it, for each change.
async function obey_times(browser, rounds) {
  const worker = await browser.worker();
  const times = [];
  for (let round = 0; round < rounds; ++round) {
    const wish = round % 2 === 0 ? 'locked' : 'auto';
    await worker.evaluate(() => void (self.seen = []));
    const before = statSync(policy_file).ctimeMs;
    icelock('mode', wish);
    await until('the file', () => statSync(policy_file).ctimeMs !== before, 5000, 5);
    const written = statSync(policy_file).ctimeMs;
    const seen = await until('the browser', () => worker.evaluate(() => self.seen.at(-1)), 30000, 20);
    times.push(seen.at - written);
    await new Promise((done) => setTimeout(done, 300));
  }
  return times.sort((one, other) => one - other);
}

async function follows_the_vpn(lab, browser) {
  const before = await until('ISP addresses before the tunnel', async () => {
    const seen = await browser.read(pages.plain);
    return leaks(seen).length > 0 && seen;
  }, 15000);
  report.check('before: a page sees the ISP addresses', true, text_of(before));
  await lab.tunnel_up();
  await until('the lock', () => locked(browser), 30000, 20);
  for (const [name, page] of Object.entries({plain: pages.plain, granted: pages.granted})) {
    const seen = await browser.read(page);
    report.check(`after: the ${name} page sees no ISP or LAN address`, leaks(seen).length === 0, text_of(seen));
  }
  const {levelOfControl} = await browser.privacy();
  report.equal('the browser says that policy decides', levelOfControl, 'not_controllable');
  await lab.tunnel_drop();
  await new Promise((done) => setTimeout(done, 1000));
  report.check('held after the drop', await locked(browser));
  await until('the end of the hold', async () => !(await locked(browser)), 30000, 50);
  report.check('after the hold the file says nothing', true);
}

/// A change in the browser's first seconds, which its own watch misses.
async function start_up_race(observer) {
  for (const wait of [300, 1500, 3000]) {
    icelock('mode', 'auto');
    await new Promise((done) => setTimeout(done, 500));
    const browser = await Chromium.launch({extension: observer});
    await new Promise((done) => setTimeout(done, wait));
    const begin = Date.now();
    icelock('mode', 'locked');
    await until('the lock', () => locked(browser), 30000, 20).then(
        () => report.check(`changed ${wait} ms after the start: obeyed`, true, `${Date.now() - begin} ms`),
        () => report.check(`changed ${wait} ms after the start: obeyed`, false, 'not within 30 s'));
    await browser.close();
  }
}

need_programs('icelock', 'icelockd');
let failure;
let daemon;
try {
  const lab = await Lab.build('ovpn_full_v6');
  daemon = await start_service();
  const observer = write_observer();
  const browser = await Chromium.launch({extension: observer});
  await follows_the_vpn(lab, browser);
  const times = await obey_times(browser, 20);
  report.figure('policy file changed to browser obeys, ms', {n: times.length, median: times[10], max: times.at(-1)});
  report.check('a running browser obeys at once', times[10] <= 50, `median ${times[10].toFixed(1)} ms`);
  await browser.close();
  await start_up_race(observer);
} catch (error) {
  failure = error;
}
daemon?.kill();
process.exit(report.finish(failure));
