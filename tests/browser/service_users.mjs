// SPDX-License-Identifier: Apache-2.0
// Two users, two browsers, one service: real Chromiums that two ordinary users of this machine run, each with the real
// extension and the real icelock-host from a manifest of that user's own. Each sees their own browser and their own
// sites, and all see the machine's decision.
import {execFileSync, spawn} from 'node:child_process';
import {appendFileSync, chownSync, mkdirSync, renameSync, writeFileSync} from 'node:fs';

import {Lab, until} from '../lab/lab.mjs';
import {origins, pages} from '../lab/network.mjs';
import {Chromium} from './chromium.mjs';
import {Report, text_of} from './expect.mjs';
import {extension, need_extension, need_programs, program} from './setup.mjs';

const icelock_group = 4444;
const report = new Report('service.users');

class User {
  constructor(name, uid, member) {
    Object.assign(this, {name, uid, home: `/run/lab/home-${name}`});
    this.config = `${this.home}/.config`;
    for (const folder of [this.home, this.config, `${this.home}/tmp`, `${this.home}/run`]) {
      mkdirSync(folder, {mode: 0o700});
      chownSync(folder, uid, uid);
    }
    appendFileSync('/etc/passwd', `${name}:x:${uid}:${uid}::${this.home}:/bin/sh\n`);
    this.command = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, member ? `--groups=${icelock_group}` : '--clear-groups',
                    'env', '-i', 'PATH=/usr/bin:/bin', `HOME=${this.home}`, `XDG_CONFIG_HOME=${this.config}`,
                    `XDG_RUNTIME_DIR=${this.home}/run`, `TMPDIR=${this.home}/tmp`];
    this.starter = `/run/lab/chromium-${name}`;
    writeFileSync(this.starter, `#!/bin/sh\nexec ${this.command.join(' ')} /usr/bin/chromium "$@"\n`, {mode: 0o755});
  }

  run(...command) {
    const [first, ...rest] = [...this.command, ...command];
    return execFileSync(first, rest, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20000});
  }

  icelock(...args) {
    return this.run(program('icelock'), ...args);
  }

  /// What the service tells this user.
  status() {
    return JSON.parse(this.run('curl', '-sS', '--unix-socket', '/run/icelock/http.sock',
                               'http://localhost/v1/status')).state;
  }

  async start_browser() {
    this.icelock('setup', '--user', '--browser', 'chromium');
    this.browser = await Chromium.launch({extension, granted: [], starter: this.starter, config: this.config});
    const child = this.browser.browser.process();
    const owner = execFileSync('stat', ['-c', '%u', `/proc/${child.pid}`], {encoding: 'utf8'}).trim();
    report.equal(`${this.name}'s browser runs as`, owner, String(this.uid));
  }

  /// What icelock-host answers this user's browser.
  async host(op, args = {}) {
    const worker = await this.browser.worker();
    return worker.evaluate((message) => chrome.runtime.sendNativeMessage('icelock.host', message),
                           {v: 1, id: 1, op, ...args});
  }
}

function settings(content) {
  mkdirSync('/etc/icelock', {recursive: true});
  writeFileSync('/etc/icelock/new', JSON.stringify(content));
  renameSync('/etc/icelock/new', '/etc/icelock/icelock.json');
}

async function start_service() {
  appendFileSync('/etc/group', `icelock:x:${icelock_group}:\n`);
  settings({});
  const daemon = spawn(program('icelockd'), [], {stdio: ['ignore', 'inherit', 'inherit']});
  await until('the service', () => carol.status(), 20000);
  return daemon;
}

const chromium_row = (state) => state.browsers.find(({id}) => id === 'chromium');
const sites_of = (state) => state.sites.list.map(({pattern, by}) => `${pattern} (${by})`).join(', ');

async function browsers_by_user() {
  for (const user of [alice, bob]) {
    await until(`${user.name}'s browser to report`, () => chromium_row(user.status()).level === 'force_proxy', 30000);
  }
  for (const user of [alice, bob, carol]) {
    const state = user.status();
    report.equal(`${user.name} sees the machine's decision`, state.decision.chromium, 'force_proxy');
    report.equal(`${user.name} sees a browser of their own`, chromium_row(state).controlled_by,
                 user.browser ? 'extension' : 'unknown');
  }
  await bob.browser.close();
  await until('bob\'s browser to be gone', () => chromium_row(bob.status()).level === null, 20000);
  report.equal('alice still sees hers', chromium_row(alice.status()).controlled_by, 'extension');
  await bob.start_browser();
}

async function sites_by_user() {
  settings({manage_policies: true, browsers: ['chromium'], sites: [{pattern: 'https://admin.example'}]});
  await until('exceptions to be possible', () => alice.status().sites.possible, 20000);
  const admins = 'https://admin.example (admin)';
  alice.icelock('allow', pages.plain, '--for', '1h');
  const answer = await bob.host('allow', {pattern: origins.ipv4});
  report.check('bob\'s browser may allow a site through its host', answer.ok, answer.what);
  const refused = (() => {
    try {
      return carol.icelock('allow', pages.plain);
    } catch (error) {
      return error.stderr;
    }
  })();
  report.check('carol, who is not in the group, may not', refused.includes('[not_permitted]'), refused.trim());
  const wanted = {alice: `${admins}, ${pages.plain} (you)`, bob: `${admins}, ${origins.ipv4} (you)`, carol: admins};
  for (const user of [alice, bob, carol]) {
    report.equal(`${user.name} sees these sites`, sites_of(user.status()), wanted[user.name]);
    report.equal(`${user.name} sees the machine's decision`, user.status().decision.chromium, 'force_proxy');
  }
  for (const user of [alice, bob]) {
    const {state} = await user.host('status');
    report.equal(`${user.name}'s browser is told of these sites`, sites_of(state), wanted[user.name]);
    report.equal(`${user.name}'s browser is told the machine's decision`, state.decision.chromium, 'force_proxy');
  }
}

/// Policy is the machine's: what one member allowed holds for that site in everybody's browser.
async function policy_is_for_all() {
  for (const user of [alice, bob]) {
    for (const site of [pages.plain, origins.ipv4]) {
      const seen = await until(`${user.name}'s ${site} to be loose`, async () => {
        const found = await user.browser.read(site, 300);
        return found.VPNv4 !== undefined && found;
      }, 30000);
      report.check(`${user.name}'s browser: ${site} is loose`, true, text_of(seen));
    }
    const seen = await user.browser.read(pages.granted);
    report.check(`${user.name}'s browser: another site is locked`, Object.keys(seen).length === 0, text_of(seen));
  }
}

need_programs('icelock', 'icelockd', 'icelock-host');
need_extension();
const alice = new User('alice', 4001, true);
const bob = new User('bob', 4002, true);
const carol = new User('carol', 4003, false);
let failure;
let daemon;
try {
  const lab = await Lab.build('ovpn_full_v6');
  await lab.tunnel_up();
  daemon = await start_service();
  await alice.start_browser();
  await bob.start_browser();
  await browsers_by_user();
  await sites_by_user();
  await policy_is_for_all();
  await Promise.all([alice, bob].map((user) => user.browser.close()));
} catch (error) {
  failure = error;
}
daemon?.kill();
process.exit(report.finish(failure));
