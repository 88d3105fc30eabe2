// SPDX-License-Identifier: Apache-2.0
// Firefox ESR, driven by Marionette: unlike WebDriver BiDi it reads preferences and their locks, and installs
// an unsigned extension for the session.
import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, openSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {pages} from '../lab/network.mjs';
import {sleep, until} from '../lab/lab.mjs';
import {firefox_level, firefox_prefs, gather_ms, named, skip, stun_urls} from './expect.mjs';
import {Marionette} from './marionette.mjs';

const installed = process.env.ICELOCK_FIREFOX ?? '/usr/bin/firefox-esr';
let next_port = 2828;

function make_profile(port, prefs, profile) {
  mkdirSync(profile, {recursive: true});
  const all = {
    'marionette.port': port,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    ...prefs,
  };
  const lines = Object.entries(all).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
  writeFileSync(path.join(profile, 'user.js'), lines.join(''));
  return profile;
}

export class Firefox {
  /// extension: its folder, for this session, or a package, for good; granted: origins that hold the microphone and
  /// camera permission; profile: a folder that may be used before; args: more, such as a page to open.
  static async launch({extension, granted = [pages.granted], prefs = {}, accept_insecure = false, program = installed,
                       profile = mkdtempSync(path.join(process.env.TMPDIR, 'firefox-')), args = []} = {}) {
    if (!existsSync(program)) skip(`${program} is not installed`);
    const browser = new Firefox();
    const port = next_port++;
    const log = openSync(path.join(process.env.TMPDIR, `firefox-${port}.log`), 'w');
    browser.child = spawn(program, ['--headless', '--marionette', '--remote-allow-system-access', '--no-remote',
                                    '--profile', make_profile(port, prefs, profile), ...args],
                          {stdio: ['ignore', log, log], env: {...process.env, MOZ_CRASHREPORTER_DISABLE: '1'}});
    const begin = Date.now();
    browser.marionette = await until('Firefox', () => Marionette.connect(port), 90000, 50);
    await browser.marionette.command('WebDriver:NewSession', {
      acceptInsecureCerts: accept_insecure, timeouts: {script: 30000},
    });
    browser.launch_ms = Date.now() - begin;
    await browser.grant(granted);
    if (extension) {
      await browser.marionette.command('Addon:Install', {
        path: path.resolve(extension), temporary: !extension.endsWith('.xpi')});
    }
    return browser;
  }

  /// Runs a script with the browser's own rights.
  async privileged(script, args = []) {
    await this.marionette.context('chrome');
    try {
      return await this.marionette.run(script, args);
    } finally {
      await this.marionette.context('content');
    }
  }

  /// What "remember this decision" stores.
  grant(origins) {
    return this.privileged(`
      for (const origin of arguments[0]) {
        const principal = Services.scriptSecurityManager.createContentPrincipalFromOrigin(origin);
        for (const kind of ['microphone', 'camera']) {
          Services.perms.addFromPrincipal(principal, kind, Services.perms.ALLOW_ACTION);
        }
      }`, [origins]);
  }

  /// The WebRTC preferences in force: {enabled, default_address_only, ...}.
  prefs() {
    return this.privileged(`return Object.fromEntries(Object.entries(arguments[0]).map(
        ([short, name]) => [short, Services.prefs.getBoolPref(name)]));`, [firefox_prefs]);
  }

  async level() {
    return firefox_level(await this.prefs());
  }

  /// True when policy has locked every one of them.
  locked() {
    return this.privileged('return arguments[0].every((name) => Services.prefs.prefIsLocked(name));',
                           [Object.values(firefox_prefs)]);
  }

  async open(url) {
    if (this.url === url) return;
    await this.marionette.command('WebDriver:Navigate', {url: `${url}/`});
    this.url = url;
  }

  /// Goes on in a new private window.
  async private_window() {
    const {handle} = await this.marionette.command('WebDriver:NewWindow', {type: 'window', private: true, focus: true});
    await this.marionette.command('WebDriver:SwitchToWindow', {handle});
    this.url = undefined;
  }

  /// A tab of its own per URL, made the current one.
  async tab(url) {
    this.tabs ??= new Map();
    if (this.tabs.has(url)) {
      await this.marionette.command('WebDriver:SwitchToWindow', {handle: this.tabs.get(url)});
      return;
    }
    const {handle} = await this.marionette.command('WebDriver:NewWindow', {type: 'tab', focus: true});
    await this.marionette.command('WebDriver:SwitchToWindow', {handle});
    await this.marionette.command('WebDriver:Navigate', {url: `${url}/`});
    this.tabs.set(url, handle);
  }

  /// Calls a function of the page's script in a tab of its own per URL.
  async run(url, name, ...args) {
    await this.tab(url);
    return this.marionette.run('return window[arguments[0]](...arguments[1]);', [name, args]);
  }

  /// run() for [url, name, ...args] of several tabs at once.
  async run_all(calls) {
    for (const [i, [url, name, ...args]] of calls.entries()) {
      await this.tab(url);
      await this.marionette.run('window[`pending${arguments[0]}`] = window[arguments[1]](...arguments[2]); return null;',
                                [i, name, args]);
    }
    const results = [];
    for (const [i, [url]] of calls.entries()) {
      await this.tab(url);
      results.push(await this.marionette.run('return window[`pending${arguments[0]}`];', [i]));
    }
    return results;
  }

  /// What script on a page of this origin learns from a fresh connection.
  async read(url, wait_ms = gather_ms) {
    await this.open(url);
    return named(await this.marionette.run('return window.gather(arguments[0], arguments[1]);',
                                           [wait_ms, stun_urls]));
  }

  /// Starts gather_series() in the page of `url`, opened before; the result comes from series_end().
  series_start(url, ...times) {
    return this.marionette.run('window.series = gather_series(...arguments[0]); return null;',
                               [[...times, stun_urls]]);
  }

  series_end() {
    return this.marionette.run('return window.series;');
  }

  async close() {
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.marionette.command('Marionette:Quit', {flags: ['eForceQuit']}).catch(() => {});
    await Promise.race([gone, sleep(5000)]);
    this.child.kill('SIGKILL');
    this.marionette.close();
  }
}
