// SPDX-License-Identifier: Apache-2.0
// force_install.mjs BROWSER: a policy document makes a real browser install the extension from a company's own server
// (here on loopback), with the company's own key and settings. The extension is there and active, its user can neither
// remove nor switch it off, it talks to icelock-host, and revert takes it away again.
import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

import {until} from '../lab/lab.mjs';
import {Chromium} from './chromium.mjs';
import {Report} from './expect.mjs';
import {Firefox} from './firefox.mjs';
import {icelock, need_extension, need_programs} from './setup.mjs';

const [browser_name] = process.argv.slice(2);
const report = new Report(`force_install.${browser_name}`);
const folder = path.join(process.env.TMPDIR, 'packages');
const firefox_id = 'icelock@icelock.extension';

/// A server for the packages, as an admin would have one.
async function serve() {
  const asked = [];
  const server = http.createServer((request, response) => {
    const name = path.basename(new URL(request.url, 'http://x').pathname);
    asked.push(name);
    try {
      const bytes = readFileSync(path.join(folder, name));
      const type = name.endsWith('.crx') ? 'application/x-chrome-extension' : 'application/octet-stream';
      response.writeHead(200, {'Content-Type': name.endsWith('.xml') ? 'text/xml' : type}).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {asked, server, base: `http://127.0.0.1:${server.address().port}`};
}

/// A card with a route, or browsers take the machine for offline and fetch nothing. Nothing is at its other end.
function connect() {
  for (const words of ['link add enp3s0 type veth peer name far0', 'link set far0 up',
                       'address add 192.168.77.10/24 dev enp3s0', 'link set enp3s0 up',
                       'route add default via 192.168.77.1']) {
    execFileSync('ip', words.split(' '));
  }
}

/// Packs as an admin does, and makes the document of what the packer prints. Firefox takes no package that looks for
/// updates anywhere but on https, so for it the packages are those of such a server, and only fetched from loopback.
function make_document(loopback) {
  const base = browser_name === 'firefox' ? 'https://files.corp.example/icelock' : loopback;
  const packer = fileURLToPath(new URL('../../installer/pack-extension.mjs', import.meta.url));
  mkdirSync(folder, {recursive: true});
  const words = execFileSync(process.execPath, [packer, '--out', folder, '--generate-key',
                                                path.join(process.env.TMPDIR, 'key.pem'), '--base-url', base],
                             {encoding: 'utf8'});
  const {extension} = JSON.parse(/^policy document: (.*)$/m.exec(words)[1].replaceAll(base, loopback));
  extension.settings = {mode: 'locked', floor: 'force_proxy'};
  const document = path.join(process.env.TMPDIR, 'policy.json');
  writeFileSync(document, JSON.stringify({extension}));
  return {document, id: extension.chromium.id};
}

/// Files of another admin, whose own extensions must stay.
function write_foreign_files() {
  mkdirSync('/etc/chromium/policies/managed', {recursive: true});
  writeFileSync('/etc/chromium/policies/managed/10-corp.json', JSON.stringify({
    DeveloperToolsAvailability: 1,  // or this test could not look into what policy installs
    ExtensionSettings: {'*': {blocked_permissions: ['usb']}, ['c'.repeat(32)]: {installation_mode: 'blocked'}}}));
  mkdirSync('/etc/firefox/policies', {recursive: true});
  writeFileSync('/etc/firefox/policies/policies.json', JSON.stringify({policies: {
    Preferences: {'xpinstall.signatures.required': {Value: false, Status: 'locked'}},
    ExtensionSettings: {'other@corp.example': {installation_mode: 'blocked'}}}}));
}

async function chromium(id) {
  // With these switches Chromium installs nothing.
  const browser = await Chromium.launch({granted: [], without: ['--disable-background-networking',
                                                                '--disable-extensions']});
  const begin = Date.now();
  const target = await browser.browser.waitForTarget(
      (each) => each.type() === 'service_worker' && each.url().startsWith(`chrome-extension://${id}/`),
      {timeout: 60000});
  report.figure('installed after ms', Date.now() - begin);
  const policies = await browser.policies();
  // Two files set it, and icelock's counts.
  report.equal('ExtensionSettings in chrome://policy', policies.ExtensionSettings?.status, 'Warning, Conflict');
  report.check("the other admin's entries are still there",
               ['usb', 'c'.repeat(32)].every((word) => policies.ExtensionSettings.value.includes(word)));
  const worker = await target.worker();
  const self = await until('chrome.management', () => worker.evaluate(() => chrome.management?.getSelf()
      .catch(() => null)).catch(() => null), 5000).catch(() => null);
  if (self) report.check('chrome.management: by policy', self.installType === 'admin' && !self.mayDisable);
  const page = await browser.browser.newPage();
  await page.goto('chrome://extensions');
  const info = () => page.evaluate((its) => new Promise((done) => chrome.developerPrivate.getExtensionInfo(its, done)), id);
  const {state, controlledInfo, userMayModify, version} = await info();
  report.equal('chrome://extensions: state', state, 'ENABLED');
  report.check('chrome://extensions: the user may not change it', userMayModify === false && Boolean(controlledInfo),
               JSON.stringify(controlledInfo));
  report.figure('version', version);
  const tried = await page.evaluate((its) => new Promise((done) => {
    chrome.management.setEnabled(its, false, () => done(chrome.runtime.lastError?.message ?? 'disabled'));
  }), id);
  report.check('switching it off is refused', tried !== 'disabled', tried);
  const removed = await page.evaluate((its) => new Promise((done) => {
    chrome.management.uninstall(its, {showConfirmDialog: false},
                                () => done(chrome.runtime.lastError?.message ?? 'removed'));
  }), id);
  report.check('removing it is refused', removed !== 'removed', removed);
  report.equal('it is still on', (await info()).state, 'ENABLED');
  const managed = await until('its settings', () => worker.evaluate(async () => {
    const found = await chrome.storage.managed.get();
    return found.mode && found;
  }), 30000);
  report.equal('its settings', JSON.stringify(managed), JSON.stringify({floor: 'force_proxy', mode: 'locked'}));
  const {value} = await until('the lock', async () => {
    const now = await worker.evaluate(() => chrome.privacy.network.webRTCIPHandlingPolicy.get({}));
    return now.value !== 'default' && now;
  }, 30000);
  report.equal('it locks', value, 'disable_non_proxied_udp');
  report.equal('icelock-host talks to this id', await talk(worker), true);
  icelock('revert');
  await until('the removal', async () => !(await page.evaluate(() => new Promise((done) =>
    chrome.developerPrivate.getExtensionsInfo({}, done)))).some((each) => each.id === id), 60000, 250);
  report.check('revert takes it away', true);
  await browser.close();
}

const talk = (worker) => worker.evaluate(() => new Promise((done) => {
  const port = chrome.runtime.connectNative('icelock.host');
  port.onMessage.addListener((message) => done(message.ok === true));
  port.onDisconnect.addListener(() => done(chrome.runtime.lastError?.message ?? 'gone'));
  port.postMessage({v: 1, id: 1, op: 'status'});
}));

async function firefox() {
  const browser = await Firefox.launch({granted: []});
  const begin = Date.now();
  const read = () => browser.privileged(`
    const {AddonManager} = ChromeUtils.importESModule('resource://gre/modules/AddonManager.sys.mjs');
    return AddonManager.getAddonByID(arguments[0]).then((addon) => {
      if (!addon?.isActive) return null;
      const may = (what) => Boolean(addon.permissions & AddonManager['PERM_CAN_' + what]);
      return {version: addon.version, temporary: addon.temporarilyInstalled, remove: may('UNINSTALL'),
              disable: may('DISABLE'), updates: addon.updateURL ?? null};
    });`, [firefox_id]);
  const addon = await until('the extension', read, 60000, 250);
  report.figure('installed after ms', Date.now() - begin);
  report.figure('version', addon.version);
  report.check('it is installed for good', !addon.temporary);
  report.check('the user may neither remove nor switch it off', !addon.remove && !addon.disable);
  report.check('it looks for updates on the same server', addon.updates === 'https://files.corp.example/icelock/updates.json',
               addon.updates);
  const errors = await browser.privileged('return Services.policies.status;');
  report.equal('about:policies: active', errors, 1);
  report.check("the other admin's entry is in force", await browser.privileged(`
    return Services.policies.getExtensionSettings('other@corp.example')?.installation_mode === 'blocked';`));
  report.equal('it locks', await until('the lock', async () => {
    const level = await browser.level();
    return level === 'force_proxy' && level;
  }, 30000), 'force_proxy');
  await browser.close();
  icelock('revert');
  const text = readFileSync('/etc/firefox/policies/policies.json', 'utf8');
  report.check('revert takes the entry away', !text.includes(firefox_id) && text.includes('other@corp.example'));
}

need_programs('icelock', 'icelock-host');
need_extension();
let failure;
try {
  connect();
  write_foreign_files();
  const {asked, server, base} = await serve();
  const {document, id} = make_document(base);
  icelock('apply', '--yes', document);
  icelock('setup', '--system', '--browser', browser_name);
  await (browser_name === 'chromium' ? chromium(id) : firefox())
      .finally(() => report.figure('asked of the server', [...new Set(asked)].join(' ')));
  server.close();
} catch (error) {
  failure = error;
}
process.exit(report.finish(failure));
