// SPDX-License-Identifier: Apache-2.0
// auto.mjs SCENARIO [BROWSER...]: mode auto against a scenario, with the extension alone (real extension, real host),
// with policy alone (the real service), and with both: what is shown without icelock, and after the lock; and whether
// a call still works. Leaves OUT/parts/auto.SCENARIO.BROWSER.json.
import {spawn} from 'node:child_process';
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {chromium_levels, firefox_prefs} from '../browser/expect.mjs';
import {chromium_handling, firefox_values, policy_paths} from '../browser/policy_files.mjs';
import {extension, install_manifest, need_extension, need_programs, program, status,
        write_settings} from '../browser/setup.mjs';
import {launch} from './browsers.mjs';
import {calls, launch_peer} from './calls.mjs';
import {hands, proxy_hands} from './hands.mjs';
import {Lab, sleep, until} from './lab.mjs';
import {stop} from './machine.mjs';
import {pages} from './network.mjs';
import {leave_part} from './parts.mjs';
import {all_servers, protected_in, read_all, timing} from './readings.mjs';
import {hides, name_of} from './scenarios.mjs';

// To see the lab count leaks with the lock off: ICELOCK_LAB_SETTINGS='{"mode":"open"}'.
const settings = {hold_seconds: 30, ...JSON.parse(process.env.ICELOCK_LAB_SETTINGS ?? '{}')};
const service_file = {chromium: '/etc/chromium/policies/managed/zz-icelock.json', firefox: policy_paths.firefox};

async function start_service(family) {
  mkdirSync('/etc/icelock', {recursive: true});
  writeFileSync('/etc/icelock/icelock.json',
                JSON.stringify({manage_policies: true, browsers: [family], ...settings}));
  const daemon = spawn(program('icelockd'), [], {stdio: ['ignore', 'ignore', 'inherit']});
  await until('the service', () => statSync('/run/icelock/host.sock', {throwIfNoEntry: false}), 20000, 20);
  return daemon;
}

/// Whether the file says what is decided now. At the loosest level there may be none.
function has_policy(family, level) {
  const file = service_file[family];
  if (!existsSync(file)) return level === 'unrestricted';
  const policy = JSON.parse(readFileSync(file, 'utf8'));
  if (family === 'chromium') return level === 'unrestricted' || policy.WebRtcIPHandling === chromium_handling(level);
  const wanted = firefox_values(level);
  return ['default_address_only', 'proxy_only'].every(
      (short) => (policy.policies?.Preferences?.[firefox_prefs[short]]?.Value ?? false) === wanted[short]);
}

/// The level that a browser obeys under policy alone, by what it says itself.
async function effective(family, browser) {
  if (family === 'firefox') return browser.level();
  const {WebRtcIPHandling: row} = await browser.policies();
  return row ? chromium_levels[row.value.replace(/"/g, '')] ?? row.value : 'unrestricted';
}

const proxy_wish = 'followProxy: false';
const sees_proxies = () => {
  const settings_file = path.join(extension, 'settings.js');
  return existsSync(settings_file) && readFileSync(settings_file, 'utf8').includes(proxy_wish);
};

/// A copy of the extension as it is once the person asked it to take a proxy for a tunnel and let it see the settings:
/// no test can press the browser's own button for that.
function that_follows_proxies() {
  const folder = path.join(mkdtempSync(path.join(process.env.TMPDIR, 'extension-')), 'extension');
  cpSync(extension, folder, {recursive: true});
  const change = (file, to) => writeFileSync(path.join(folder, file), to(readFileSync(path.join(folder, file), 'utf8')));
  change('settings.js', (text) => text.replace(proxy_wish, 'followProxy: true'));
  change('manifest.json', (text) => {
    const manifest = JSON.parse(text);
    manifest.optional_permissions = manifest.optional_permissions.filter((name) => name !== 'proxy');
    manifest.permissions.push('proxy');
    return JSON.stringify(manifest);
  });
  return folder;
}

/// Both permissions together: {script: [], wire: []} of what should be hidden, and what was shown at all.
async function read(browser, scenario) {
  const result = {script: [], wire: [], shown: []};
  for (const permission of ['none', 'granted']) {
    const reading = await read_all(browser, scenario, permission);
    for (const channel of ['script', 'wire']) result[channel].push(...reading.protected[channel]);
    result.shown.push(...Object.keys(reading.script));
  }
  return Object.fromEntries(Object.entries(result).map(([key, names]) => [key, [...new Set(names)].sort()]));
}

function held_names({addresses}, scenario) {
  const seen = {};
  for (const [address, letters] of Object.entries(addresses)) seen[name_of(address, scenario)] = letters;
  return protected_in(seen, '');
}

class Run {
  constructor(lab, family, hand, peer) {
    Object.assign(this, {lab, family, hand, peer, found: {after: {script: [], wire: []}}});
  }

  decided() {
    // The machine's own decision knows nothing of a browser's proxy.
    return this.lab.scenario.proxy ? 'force_proxy' : status().decision[this.family];
  }

  async browser() {
    if (this.hand.service) {
      // The service loosens only when the network has been quiet for a while.
      await sleep(2000);
      await until('the policy file', () => has_policy(this.family, this.decided()), 20000, 20);
    }
    const options = {proxy: this.lab.scenario.proxy};
    if (this.hand.extension) {
      install_manifest(this.family);
      options.extension = this.lab.scenario.proxy ? that_follows_proxies() : extension;
      options.profile = path.join(process.env.XDG_CONFIG_HOME, 'chromium');
    }
    this.page = await launch(this.family, options);
    if (this.hand.service && !this.hand.extension) {
      this.found.effective = await effective(this.family, this.page);
    }
  }

  async open_held() {
    const held = await this.page.run(pages.plain, 'open_held', {servers: all_servers, timing});
    this.found.held = {opened: held_names(held, this.lab.scenario)};
  }

  async restart() {
    const held = await this.page.run(pages.plain, 'restart_held', {timing});
    this.found.held.restarted = held_names(held, this.lab.scenario);
    await this.page.run(pages.plain, 'close_held');
    await sleep(500);
  }

  up() {
    return this.lab.tunnel_up();
  }

  drop() {
    return this.lab.tunnel_drop();
  }

  async locked() {
    await until('the level decided', async () => (await this.page.level()) === this.decided(), 15000);
    this.found.level = this.decided();
    this.found.reasons = status().reasons.map(({code}) => code);
  }

  note(reading) {
    for (const channel of ['script', 'wire']) {
      this.found.after[channel] = [...new Set([...this.found.after[channel], ...reading[channel]])].sort();
    }
    this.found.shown = reading.shown;
  }

  async read() {
    this.found.level ??= this.decided();
    this.found.reasons ??= status().reasons.map(({code}) => code);
    this.note(await read(this.page, this.lab.scenario));
  }

  /// After a drop the lock holds: nothing of the ISP's side in a new connection.
  async read_held() {
    const tight = async () => ['force_proxy', 'disabled'].includes(await this.page.level());
    const is_tight = await until('tight after the drop', tight, 15000).then(() => true, () => false);
    const {script, wire} = await read(this.page, this.lab.scenario);
    this.found.drop = {tight: is_tight, script, wire};
  }

  async call() {
    this.found.calls = await calls(this.page, this.peer);
  }

  async play() {
    write_settings(settings);
    if (this.hand.service) this.daemon = await start_service(this.family);
    try {
      for (const step of this.hand.steps) {
        this.step = step;
        await this[step]();
      }
    } catch (error) {
      this.found.error = `${this.step}: ${error.message}`;
      await this.lab.tunnel_drop().catch(() => {});
    }
    await this.page?.close();
    if (this.daemon) await stop(this.daemon);
    for (const file of ['/etc/icelock/icelock.json', '/etc/chromium/policies', '/etc/firefox', '/var/lib/icelock', '/run/icelock',
                        path.join(process.env.XDG_CONFIG_HOME, 'chromium')]) {
      rmSync(file, {recursive: true, force: true});
    }
    return this.found;
  }
}

async function part(lab, peer, family) {
  await lab.tunnel_up();
  const bare = await launch(family, {policy: null, proxy: lab.scenario.proxy});
  const before = await read(bare, lab.scenario);
  await bare.close();
  await lab.tunnel_drop();
  const found = {kind: 'auto', scenario: lab.name, browser: family, hides: hides(lab.scenario), before, hands: {}};
  for (const [name, hand] of Object.entries(lab.scenario.proxy ? proxy_hands : hands)) {
    found.hands[name] = await new Run(lab, family, hand, peer).play();
    const {level, after, calls: outcome, held, drop, error} = found.hands[name];
    const shown = after.script.length + after.wire.length > 0 && found.hides;
    const word = error || (shown && !lab.scenario.unseen) ? 'FAIL' : shown ? 'cannot be seen' : 'ok  ';
    console.log(`${word} ${lab.name} ${family} ${name}: before [${before.script.join(' ')}] ` +
                `wire [${before.wire.join(' ')}], at ${level} [${after.script.join(' ')}] wire ` +
                `[${after.wire.join(' ')}], call ${outcome?.direct} / ${outcome?.turn}` +
                `${drop ? `, after a drop ${drop.tight ? 'tight' : 'NOT TIGHT'} [${drop.script.join(' ')}]` : ''}` +
                `${held ? `, held before [${held.opened.join(' ')}] after [${held.restarted?.join(' ')}]` : ''}` +
                `${error ? `: ${error}` : ''}`);
  }
  leave_part(`auto.${lab.name}.${family}`, found);
}

need_programs('icelock', 'icelock-host', 'icelockd');
need_extension();
const [name, ...chosen] = process.argv.slice(2);
const lab = await Lab.build(name);
if (lab.scenario.proxy && !sees_proxies()) {
  console.log(`     ${name}: this extension takes no notice of a browser's proxy`);
  process.exit(0);
}
const peer = await launch_peer();
for (const family of chosen.length ? chosen : ['chromium', 'firefox']) await part(lab, peer, family);
await peer.close();
process.exit(0);
