// SPDX-License-Identifier: Apache-2.0
// start.mjs BROWSER: what a page learns that the browser opens by itself at its start, when the session before was
// closed with WebRTC open, and a VPN came up in between. Firefox is killed as well, with the switch on that lets pages
// wait for the lock.
import {execFileSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

import {Lab, sleep, until} from '../lab/lab.mjs';
import {pages} from '../lab/network.mjs';
import {Chromium} from './chromium.mjs';
import {leaks, named, Report, stun_urls} from './expect.mjs';
import {Firefox} from './firefox.mjs';
import {extension, icelock, install_manifest, need_extension, need_programs, write_settings} from './setup.mjs';

const rounds = Number(process.env.ICELOCK_ROUNDS ?? 1);
const [name] = process.argv.slice(2);
const report = new Report(`start.${name}`);
/// A page that gathers every 10 ms for 2 s, and waits half a second for answers.
const early = `${pages.granted}/early.html#${encodeURIComponent(JSON.stringify([2000, 10, 500, stun_urls]))}`;
const is_early = (url) => url.startsWith(`${pages.granted}/early`);

// Loaded from the command line: what a browser is told to load later is not there before its first page. Headless, it
// outlives its windows, so it is ended after them: one with real windows takes its time for that by itself, but this is
// ended by a command that waits for nobody, and so only when the lock is there or has had its time.
const chromium = {
  launch: (...pages_to_open) => Chromium.launch({extension: true, args: [
    `--load-extension=${path.resolve(extension)}`, '--disable-features=DisableLoadExtensionCommandLineSwitch',
    ...pages_to_open]}),
  async end(chromium) {
    await (await chromium.worker()).evaluate(async () => {
      for (let i = 0; i < 3; ++i) await chrome.windows.create({});
      for (const {id} of await chrome.windows.getAll()) await chrome.windows.remove(id);
      const policy = chrome.privacy.network.webRTCIPHandlingPolicy;
      for (let i = 0; i < 100 && (await policy.get({})).value !== 'disable_non_proxied_udp'; ++i) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    await chromium.browser.close();
  },
  left() {
    const file = path.join(process.env.XDG_CONFIG_HOME, 'chromium/Default/Preferences');
    const all = Object.values(JSON.parse(readFileSync(file, 'utf8')).extensions.settings);
    return all.some(({preferences}) => preferences?.['webrtc.ip_handling_policy'] === 'disable_non_proxied_udp');
  },
  async series({browser}) {
    const page = await until('the page', async () => (await browser.pages()).find((one) => is_early(one.url())), 20000);
    await until('its script', () => page.evaluate(() => Boolean(window.series)).catch(() => false), 20000);
    return page.evaluate(() => window.series);
  },
};

// A package, installed for good: one that is installed for the session takes its settings with it.
const firefox = {
  profile: path.join(process.env.TMPDIR, 'firefox-start'),
  async launch(url) {
    const options = {profile: this.profile, prefs: {'xpinstall.signatures.required': false,
                                                    'browser.shell.checkDefaultBrowser': false,
                                                    'extensions.webextOptionalPermissionPrompts': false}};
    if (url) return Firefox.launch({...options, args: [url]});
    const folder = path.join(process.env.TMPDIR, 'packages');
    execFileSync(process.execPath, [fileURLToPath(new URL('../../installer/pack-extension.mjs', import.meta.url)),
                                    '--out', folder], {stdio: 'ignore'});
    const xpi = readdirSync(folder).find((one) => one.endsWith('.xpi'));
    return Firefox.launch({...options, extension: path.join(folder, xpi)});
  },
  async end(browser) {
    const gone = new Promise((resolve) => browser.child.once('exit', resolve));
    for (let i = 0; i < 2; ++i) {
      await browser.marionette.command('WebDriver:NewWindow', {type: 'window', focus: false});
    }
    browser.privileged('for (const one of [...Services.wm.getEnumerator("navigator:browser")]) one.close();')
        .catch(() => {});
    await gone;
    browser.marionette.close();
  },
  async kill(browser) {
    const gone = new Promise((resolve) => browser.child.once('exit', resolve));
    browser.child.kill('SIGKILL');
    await gone;
    browser.marionette.close();
  },
  /// The switch of the options page, pressed as a person does, which is what permissions are asked on.
  async hold_start(browser) {
    const {marionette} = browser;
    const url = await browser.privileged(`return WebExtensionPolicy.getByID("icelock@icelock.extension").getURL("options.html");`);
    const {handle} = await marionette.command('WebDriver:NewWindow', {type: 'tab', focus: true});
    await marionette.command('WebDriver:SwitchToWindow', {handle});
    await marionette.command('WebDriver:Navigate', {url});
    const {value} = await marionette.command('WebDriver:FindElement', {using: 'css selector', value: '#holdStart'});
    await marionette.command('WebDriver:ElementClick', {id: Object.values(value)[0]});
    await until('the switch', () => marionette.run(`
      return (window.wrappedJSObject ?? window).browser.permissions.contains({permissions: ["webRequestBlocking"]});`));
  },
  left() {
    return readFileSync(path.join(this.profile, 'prefs.js'), 'utf8').includes('ice.proxy_only", true');
  },
  async series({marionette}) {
    return until('the page', async () => {
      for (const handle of await marionette.command('WebDriver:GetWindowHandles')) {
        await marionette.command('WebDriver:SwitchToWindow', {handle});
        const {value} = await marionette.command('WebDriver:GetCurrentURL');
        if (is_early(value)) return marionette.run('return window.series;');
      }
      return null;
    }, 30000);
  },
};

const kind = {chromium, firefox}[name];
let browser;

/// WebRTC is open by the extension's doing: both, or it could be the browser's own value, before that was there.
async function opened() {
  for (const [mode, level] of [['locked', 'force_proxy'], ['auto', 'unrestricted']]) {
    icelock('mode', mode);
    await until(level, async () => (await browser.level()) === level, 20000);
  }
}

/// The next start, with a VPN that came up in between and a page that is there at once.
async function starts(lab, what) {
  await lab.tunnel_up();
  const begin = Date.now();
  browser = await kind.launch(early);
  const series = await kind.series(browser);
  const leaky = series.filter(({addresses}) => leaks(named({api: true, addresses})).length > 0);
  report.check(`${what}: a page that opens at once sees nothing of the provider`,
               series.length > 0 && leaky.length === 0,
               `${leaky.length} of ${series.length} connections, from ${series[0]?.at - begin} ms after the start on`);
  await lab.tunnel_drop();
}

need_programs('icelock', 'icelock-host');
need_extension();
let failure;
try {
  const lab = await Lab.build('ovpn_full_v6');
  write_settings({hold_seconds: 1});
  install_manifest(name);
  browser = await kind.launch();
  for (let round = 0; round < rounds; ++round) {
    await opened();
    await kind.end(browser);
    report.check(`closed while open, ${round}: it leaves a lock for the next start`, kind.left());
    await starts(lab, `closed while open, start ${round}`);
  }
  if (kind.kill) {
    await kind.hold_start(browser);
    // Firefox notes only those listeners that a background adds while it starts, and writes that down later.
    await kind.end(browser);
    browser = await kind.launch(early);
    await sleep(6000);
    for (let round = 0; round < rounds; ++round) {
      await opened();
      await until('what is open to be on the disk', () => !kind.left(), 20000, 100);
      await kind.kill(browser);
      await starts(lab, `killed while open, start ${round}`);
    }
  }
  await kind.end(browser);
} catch (error) {
  failure = error;
}
process.exit(report.finish(failure));
