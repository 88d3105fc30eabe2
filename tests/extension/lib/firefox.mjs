// SPDX-License-Identifier: Apache-2.0
// A headless Firefox with the extension in it, on a profile and a home folder of its own.

import {spawn} from 'node:child_process';
import {chmod, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {extensionDir, until} from './common.mjs';
import {connectMarionette} from './marionette.mjs';

export const firefoxId = 'icelock@icelock.extension';
export const firefoxPath = process.env.ICELOCK_FIREFOX ?? '/usr/bin/firefox-esr';
/** The preferences behind privacy.network, by what ext-privacy.js of Firefox sets. */
export const prefNames = ['default_address_only', 'no_host', 'proxy_only_if_behind_proxy', 'proxy_only']
  .map((name) => `media.peerconnection.ice.${name}`);

/** `host` is the program behind icelock.host; `home` reuses a folder, which is then the caller's to remove;
 * `installs` is what to install: a folder for this session, a package for good, or nothing.
 * @param {{host?: string, env?: NodeJS.ProcessEnv, prefs?: Record<string, string | number | boolean>,
 *   home?: string, installs?: string}} [options] */
export async function launchFirefox({host, env = {}, prefs = {}, home: folder, installs = extensionDir} = {}) {
  const home = folder ?? await mkdtemp(join(tmpdir(), 'icelock-firefox-'));
  const profile = join(home, 'profile');
  await mkdir(profile, {recursive: true});
  if (host) await registerHost(home, host);
  // Firefox takes a port that is free and says which (remote/components/Marionette.sys.mjs).
  const portFile = join(profile, 'MarionetteActivePort');
  await rm(portFile, {force: true});
  const all = {'marionette.port': 0, 'browser.shell.checkDefaultBrowser': false,
    'datareporting.policy.dataSubmissionEnabled': false, 'app.update.enabled': false, ...prefs};
  await writeFile(join(profile, 'user.js'), Object.entries(all)
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`).join(''));
  const process_ = spawn(firefoxPath, ['--headless', '--marionette', '--remote-allow-system-access',
    '--no-remote', '--profile', profile],
  {env: {...process.env, ...env, HOME: home, XDG_CONFIG_HOME: '', XDG_CACHE_HOME: ''}, stdio: 'ignore'});
  const ended = new Promise((resolve) => process_.once('exit', resolve));
  const port = await until(() => readFile(portFile, 'utf8').then(Number, () => 0), 'Marionette', 90_000);
  const marionette = await connectMarionette(port);
  await marionette.call('WebDriver:NewSession');
  if (installs) await marionette.call('Addon:Install', {path: installs, temporary: !installs.endsWith('.xpi')});

  const firefox = {
    marionette, home,
    /** The preferences that make the level, and whether RTCPeerConnection is there.
     * @returns {Promise<{enabled: boolean, on: string[]}>} `on`: those of `prefNames` that are true, short */
    prefs: () => marionette.run('chrome', `return {
      enabled: Services.prefs.getBoolPref("media.peerconnection.enabled"),
      on: arguments[0].filter((name) => Services.prefs.getBoolPref(name)).map((name) => name.split(".").pop())}`,
    [prefNames]),
    /** @param {string[]} on @param {boolean} [enabled] */
    untilPrefs: (on, enabled = true) => until(async () => {
      const now = await firefox.prefs();
      return now.enabled === enabled && now.on.join() === on.join();
    }, `the preferences to be ${on.join() || 'none'}, ${enabled}`),
    /** Opens the popup's page in the tab. */
    openPopup: () => firefox.openPage('popup.html'),
    /** @param {string} name one of the extension's pages */
    async openPage(name) {
      const base = await marionette.run('chrome',
        `return WebExtensionPolicy.getByID(${JSON.stringify(firefoxId)}).getURL(${JSON.stringify(name)})`);
      await marionette.call('Marionette:SetContext', {value: 'content'});
      await marionette.call('WebDriver:Navigate', {url: base});
    },
    /** Clicks the toolbar button over the tab that is in front, as a person does, so that `activeTab` is given. */
    async clickIcon() {
      await marionette.run('chrome', `
        const widget = CustomizableUI.getWidgetIdsInArea("unified-extensions-area")
          .find((id) => id.startsWith("icelock"));
        if (widget) CustomizableUI.addWidgetToArea(widget, CustomizableUI.AREA_NAVBAR);`);
      await marionette.run('chrome',
        'document.querySelector("[id^=icelock] .unified-extensions-item-action-button").click()');
      await until(() => marionette.run('chrome', popupIn), 'the popup');
    },
    /** Asks the popup's document, through a tab that shows another page of the extension.
     * @param {string} handle of that tab @param {string} expression about `popup`, the document */
    async inPopup(handle, expression) {
      await marionette.call('Marionette:SetContext', {value: 'content'});
      await marionette.call('WebDriver:SwitchToWindow', {handle, focus: false});
      return firefox.inPage(`const {extension} = (window.wrappedJSObject ?? window).browser;
        const [view] = extension.getViews({type: "popup"});
        const popup = view?.document;
        return popup ? (${expression}) : null;`);
    },
    /** @param {string} script a function body, run in the page of the tab */
    inPage: (script) => marionette.run('content', script),
    /** @param {string} file where to put a picture of the tab's page */
    async screenshot(file) {
      await marionette.call('Marionette:SetContext', {value: 'content'});
      const {value} = await marionette.call('WebDriver:TakeScreenshot', {full: false});
      await writeFile(file, Buffer.from(value, 'base64'));
    },
    async close() {
      await marionette.call('Marionette:Quit', {flags: ['eForceQuit']}).catch(() => {});
      marionette.close();
      const late = setTimeout(() => process_.kill('SIGKILL'), 15_000);
      await ended;
      clearTimeout(late);
      if (!folder) await rm(home, {recursive: true, force: true, maxRetries: 5});
    },
  };
  return firefox;
}

const popupIn = `return document.querySelector("browser.webextension-popup-browser")
  ?.currentURI?.spec.includes("popup") ?? false`;

/** @param {string} home @param {string} program absolute path */
export async function registerHost(home, program) {
  const folder = join(home, '.mozilla/native-messaging-hosts');
  await mkdir(folder, {recursive: true});
  await chmod(program, 0o755);
  await writeFile(join(folder, 'icelock.host.json'), JSON.stringify({
    name: 'icelock.host', description: 'icelock', type: 'stdio', path: program, allowed_extensions: [firefoxId]}));
}

