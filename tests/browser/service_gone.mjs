// SPDX-License-Identifier: Apache-2.0
// The service is killed while a VPN is up, and the VPN drops after that: nobody writes policy any more. The browser's
// own host and the extension must lock it all the same, so what the service left behind must let them.
import {spawn} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';

import {Lab, until} from '../lab/lab.mjs';
import {origins, pages} from '../lab/network.mjs';
import {Chromium} from './chromium.mjs';
import {leaks, Report, text_of} from './expect.mjs';
import {extension, icelock, install_manifest, need_extension, need_programs, program, status} from './setup.mjs';

const report = new Report('service.gone');
const folder = '/etc/chromium/policies';
const in_file = (place) => readFileSync(`${folder}/${place}/zz-icelock.json`, 'utf8').trim();

function start_service() {
  mkdirSync('/etc/icelock', {recursive: true});
  writeFileSync('/etc/icelock/icelock.json',
                JSON.stringify({manage_policies: true, browsers: ['chromium'], hold_seconds: 60}));
  return spawn(program('icelockd'), [], {stdio: ['ignore', 'inherit', 'inherit']});
}

async function reaches(what, browser, wanted, deadline_ms) {
  const begin = Date.now();
  const said = await until(what, async () => (await browser.level()) === wanted, deadline_ms, 5).then(
      () => `${Date.now() - begin} ms`, () => undefined);
  report.check(what, said !== undefined, said ?? `still ${await browser.level()} after ${deadline_ms} ms`);
}

async function hidden(lab, browser, when) {
  lab.wire_reset();
  for (const [reader, url] of Object.entries({'plain page': pages.plain, 'page with permission': pages.granted,
                                              'IPv6 page with permission': origins.secure_ipv6})) {
    const seen = await browser.read(url);
    report.check(`${when}: ${reader} sees no ISP or LAN address`, leaks(seen).length === 0, text_of(seen));
  }
  const {isp_v4, isp_v6, turn_isp} = lab.wire();
  report.check(`${when}: nothing from the ISP side on the wire`, isp_v4 + isp_v6 + turn_isp === 0,
               `isp_v4=${isp_v4} isp_v6=${isp_v6} turn_isp=${turn_isp}`);
}

async function service_locks_and_leaves_the_rest(lab, browser) {
  await reaches('tunnel up: at default_route_only', browser, 'default_route_only', 15000);
  await until('the recommended file', () => in_file('recommended').includes('default_public_interface_only'), 10000);
  report.equal('tunnel up: nothing is mandatory', in_file('managed'), '{}');
  // A browser that has just started misses a change, which is repeated (the service waits 2 s and more for that).
  const free = async () => (await browser.privacy()).levelOfControl === 'controlled_by_this_extension';
  report.check('tunnel up: the extension is free to tighten', await until('control', free, 75000).catch(() => false));
  await hidden(lab, browser, 'tunnel up');
}

/// Both ways with a running browser, which must be at neither looser level meanwhile.
async function lock_and_loosen(browser) {
  icelock('mode', 'locked');
  await reaches('locked: the browser obeys', browser, 'force_proxy', 5000);
  // The extension may have been quicker than the policy.
  const by_policy = async () => (await browser.privacy()).levelOfControl === 'not_controllable';
  report.check('locked: by policy', await until('the policy', by_policy, 15000).catch(() => false));
  const seen = new Set();
  icelock('mode', 'auto');
  for (const end = Date.now() + 6000; Date.now() < end;) seen.add(await browser.level());
  seen.delete('force_proxy');  // which may be over before the first look
  report.equal('loosened: no other level was seen', [...seen].join(' '), 'default_route_only');
}

async function dropped_without_a_service(lab, browser, service) {
  service.kill('SIGKILL');
  await until('the service to be gone', () => service.signalCode !== null, 5000);
  await until('the host to notice', () => status().service.present === false, 10000);
  const dropped = lab.tunnel_drop();
  await reaches('tunnel dropped: the extension tightens', browser, 'force_proxy', 10000);
  await dropped;
  report.equal('tunnel dropped: by the extension', (await browser.privacy()).levelOfControl,
               'controlled_by_this_extension');
  await hidden(lab, browser, 'tunnel dropped');
}

/// Of a browser whose extension never reported the service keeps the level as a mandatory policy.
async function without_the_extension(lab) {
  await lab.tunnel_up();
  await until('the mandatory file', () => in_file('managed').includes('default_public_interface_only'), 15000);
  report.check('without the extension: the level is mandatory', true);
}

need_programs('icelock', 'icelock-host', 'icelockd');
need_extension();
let failure;
let service;
try {
  const lab = await Lab.build('wg_full6');
  service = start_service();
  await without_the_extension(lab);
  install_manifest('chromium');
  const browser = await Chromium.launch({extension, granted: [pages.granted, origins.secure_ipv6],
                                         accept_insecure: true});
  await service_locks_and_leaves_the_rest(lab, browser);
  await lock_and_loosen(browser);
  await dropped_without_a_service(lab, browser, service);
  await browser.close();
} catch (error) {
  failure = error;
}
service?.kill('SIGKILL');
process.exit(report.finish(failure));
