// SPDX-License-Identifier: Apache-2.0
// network_test.mjs [SCENARIO...]: the lab itself. Every scenario is what it says, two at a time; its wire watch counts;
// and nothing is left on the machine, even after a kill.
import {execFile, spawn} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

import {Report} from '../browser/expect.mjs';
import {until} from './lab.mjs';
import {links} from './network.mjs';
import {runnable, scenarios, web_of} from './scenarios.mjs';

const run = fileURLToPath(new URL('run', import.meta.url));
const marker = `ICELOCK_LAB_MARK=${process.pid}`;
const env = {...process.env, ICELOCK_LAB_MARK: String(process.pid)};
const report = new Report('lab.network');

const sender_of = {REALv4: 'isp_v4', REALv6: 'isp_v6', VPNv4: 'vpn_v4', VPNv6: 'vpn_v6'};

/// The processes that descend from this test's labs.
const left_over = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(marker);
      } catch {
        return false;  // ended meanwhile
      }
    });

/// What a lab would have touched if it were not kept apart. (Others may be at work on the same machine, so not all
/// of it is compared.)
const machine = () => [
  ...links.flatMap(({between, and}) => [between[1], and[1]]).filter((link) => existsSync(`/sys/class/net/${link}`)),
  ...['/etc/resolv.conf', '/etc/chromium', '/etc/firefox', '/run/lab', '/run/wireguard']
      .filter((file) => existsSync(file)).map((file) => `${file} ${statSync(file).mtimeMs}`),
].join('\n');

async function check_scenario(name, scenario) {
  const {seen} = scenario;
  const {stdout} = await promisify(execFile)(run, [name], {env, timeout: 150000});
  const result = JSON.parse(stdout);
  report.equal(`${name}: seen from outside`, JSON.stringify(result.seen), JSON.stringify(seen));
  report.equal(`${name}: seen by a web server`, JSON.stringify(result.web), JSON.stringify(web_of(scenario)));
  report.equal(`${name}: seen from outside by the second server`, result.excluded,
               scenario.excluded ? 'REALv4' : seen.ipv4);
  report.equal(`${name}: after a drop as before`, JSON.stringify(result.dropped), JSON.stringify(result.before));
  const senders = Object.values(seen).filter(Boolean).map((address) => sender_of[address]).sort();
  const counted = Object.keys(result.wire).filter((sender) => result.wire[sender] > 0).sort().join(' ');
  report.equal(`${name}: on the wire`, counted, senders.join(' '));
}

async function check_kill() {
  const lab = spawn(run, ['novpn46', 'sleep', '600'], {env, stdio: 'ignore'});
  await until('lab runs', () => left_over().some((id) => readFileSync(`/proc/${id}/comm`, 'utf8') === 'sleep\n'), 30000);
  lab.kill('SIGKILL');
  await until('everything of a killed lab is gone', () => left_over().length === 0, 5000);
  report.check('a killed lab leaves no process', true);
}

let failure;
try {
  const before = machine();
  const chosen = process.argv.slice(2);
  const names = runnable(chosen.length ? chosen : Object.keys(scenarios));
  for (let i = 0; i < names.length; i += 2) {
    await Promise.all(names.slice(i, i + 2).map((name) => check_scenario(name, scenarios[name])));
  }
  await check_kill();
  report.equal('processes left', left_over().length, 0);
  report.check('links and /etc of the machine are as they were', machine() === before);
} catch (error) {
  failure = error;
}
process.exit(report.finish(failure));
