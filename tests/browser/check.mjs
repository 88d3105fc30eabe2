// SPDX-License-Identifier: Apache-2.0
// `icelock check` and `icelock predict --stun` under an OpenVPN tunnel that carries IPv4 only, with the real browsers:
// what they show at each level that policy sets, that nothing reaches the internet unless a server is named, and that
// nothing is left behind.
import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';

import {Lab} from '../lab/lab.mjs';
import {names, stun} from '../lab/network.mjs';
import {Report} from './expect.mjs';
import {icelock, need_programs} from './setup.mjs';

need_programs();
const report = new Report('check');
const browsers = ['chromium', 'firefox'];
const slowest_ms = Object.fromEntries(browsers.map((id) => [id, 0]));

/// {code, json}. Not the `icelock` of setup.mjs, which takes a leak for a failure.
function run(args, {as = {}} = {}) {
  const {status, stdout, stderr} = spawnSync(path.join(process.env.ICELOCK_BIN, 'icelock'), [...args, '--json'],
                                             {encoding: 'utf8', timeout: 120000, env: {...process.env, ...as}});
  if (!stdout) throw new Error(`icelock ${args.join(' ')}: exit ${status}: ${stderr}`);
  return {code: status, json: JSON.parse(stdout), stderr};
}

function check(...args) {
  const result = run(['check', ...args]);
  for (const {id, milliseconds} of result.json.browsers ?? []) {
    slowest_ms[id] = Math.max(slowest_ms[id], milliseconds);
  }
  return result;
}

/// "isp_v6:REALv6:none ..." of what a VPN is there to hide.
const leaks = ({shown}) => shown.filter((entry) => entry.protected)
    .map((entry) => [entry.class, names[entry.address] ?? entry.address, entry.permission].join(':')).sort().join(' ');
const classes = ({shown}) => [...new Set(shown.map((entry) => entry.class))].sort().join(' ');

const running = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((name) => {
  try {
    return /^(chromium|chrome|firefox|icelock-)/.test(readFileSync(`/proc/${name}/comm`, 'utf8')) &&
        !readFileSync(`/proc/${name}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;  // ended meanwhile
  }
}).length;

// The tunnel's own packets are not in these counters.
const sent = (lab) => Object.values(lab.wire()).reduce((all, packets) => all + packets, 0);

function check_without_policy(lab) {
  lab.wire_reset();
  const {code, json} = check();
  report.equal('no policy: exit code', code, 3);
  const [chromium, firefox] = json.browsers;
  report.equal('no policy: Chromium leaks', leaks(chromium), 'isp_v6:REALv6:none lan:LANv4:granted');
  report.equal('no policy: Firefox leaks', leaks(firefox), 'isp_v6:REALv6:granted lan:LANv4:granted');
  for (const browser of json.browsers) {
    report.equal(`no policy: ${browser.id} obeys`, browser.level, 'unrestricted');
    report.equal(`no policy: ${browser.id} showed`, classes(browser), 'egress isp_v6 lan tunnel');
  }
  report.equal('packets that reached the internet', sent(lab), 0);
}

function check_with_policy(lab) {
  for (const level of ['default_route_only', 'force_proxy', 'disabled']) {
    icelock('apply', '--yes', '--level', level);
    const {code, json} = check();
    const [chromium, firefox] = json.browsers;
    const loose = level === 'default_route_only';
    report.equal(`${level}: exit code`, code, loose ? 3 : 0);
    report.equal(`${level}: Chromium obeys`, chromium.level, loose ? level : 'force_proxy');
    report.equal(`${level}: Firefox obeys`, firefox.level, level);
    report.equal(`${level}: Chromium leaks`, leaks(chromium), loose ? 'isp_v6:REALv6:none' : '');
    report.equal(`${level}: Firefox leaks`, leaks(firefox), '');
    report.equal(`${level}: Chromium showed`, classes(chromium), loose ? 'egress isp_v6' : '');
    report.equal(`${level}: Firefox showed`, classes(firefox), loose ? 'egress tunnel' : '');
  }
  icelock('revert');
}

function check_with_server() {
  const servers = ['--stun', `${stun.ipv4}:${stun.port}`, '--stun', `[${stun.ipv6}]:${stun.port}`];
  const {code, json} = check(...servers, '--browser', 'chromium');
  report.equal('real server: exit code', code, 3);
  const [{shown}] = json.browsers;
  const egress = shown.find((entry) => entry.class === 'egress');
  report.equal('real server: the VPN\'s public address', names[egress?.address], 'VPNv4');
  const silent = run(['check', '--stun', '44.3.3.9', '--browser', 'chromium']);
  report.equal('silent server: exit code', `${silent.code} ${silent.json.code}`, '1 timeout');
}

function check_as_user() {
  const as = {SUDO_UID: '65534', SUDO_GID: '65534'};
  const {code, json, stderr} = run(['check', '--browser', 'firefox'], {as});
  report.equal('for a user by sudo: exit code', `${code} ${JSON.stringify(json.browsers[0].error ?? '')}`, '3 ""');
  report.check('for a user by sudo: the sandbox is not switched off', !stderr.includes('sandbox'), stderr.trim());
}

function check_predict() {
  const {code, json} = run(['predict', '--stun', stun.ipv4]);  // gathers, so not as root
  report.equal('predict: exit code', code, 0);
  const plain = json.families[0].levels[0].exposures;
  const address = (wanted) => names[plain.find((entry) => entry.class === wanted)?.address];
  report.equal('predict: egress', address('egress'), 'VPNv4');
  report.equal('predict: isp_v6', address('isp_v6'), 'REALv6');
  const bound = json.bound.map((side) => `${names[side.address]}:${names[side.public]}`).sort().join(' ');
  report.equal('predict: bound sockets', bound, 'LANv4:REALv4 tunv4:VPNv4');
}

let failure;
try {
  const lab = await Lab.build('ovpn_full_v6');
  await lab.tunnel_up();
  check_without_policy(lab);
  check_with_policy(lab);
  check_with_server();
  check_as_user();
  check_predict();
  report.figure('slowest check of a browser, ms', slowest_ms);
  report.equal('profiles left', readdirSync(process.env.TMPDIR).length, 0);
  report.equal('processes left', running(), 0);
} catch (error) {
  failure = error;
}
process.exit(report.finish(failure));
