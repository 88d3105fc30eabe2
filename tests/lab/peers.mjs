// SPDX-License-Identifier: Apache-2.0
// peers.mjs SCENARIO [BROWSER...]: others.mjs against a scenario: what each still shows, and whether a call works.
// Leaves OUT/parts/peers.SCENARIO.BROWSER.json.
import {existsSync} from 'node:fs';
import path from 'node:path';

import {launch} from './browsers.mjs';
import {calls, launch_peer} from './calls.mjs';
import {Lab, sleep, until} from './lab.mjs';
import {others} from './others.mjs';
import {leave_part, out_folder} from './parts.mjs';
import {read_all} from './readings.mjs';

async function read(browser, scenario) {
  const found = {script: new Set(), wire: new Set()};
  for (const permission of ['none', 'granted']) {
    const reading = await read_all(browser, scenario, permission);
    for (const channel of ['script', 'wire']) reading.protected[channel].forEach((name) => found[channel].add(name));
  }
  return {script: [...found.script].sort(), wire: [...found.wire].sort()};
}

/// Chromium says nothing when it refuses an extension's manifest version; it has no page of its own then.
async function settle(family, browser, other) {
  if (!other.extension) return null;
  if (family === 'chromium') {
    const here = () => browser.browser.targets().some((target) => target.url().startsWith('chrome-extension://'));
    return until('the extension', here, 4000).then(() => null, () => 'the browser does not load it (manifest version 2)');
  }
  const is_set = async () => {
    const {default_address_only, no_host, proxy_only} = await browser.prefs();
    return default_address_only || no_host || proxy_only;
  };
  // Privacy Badger clears the setting when it is first run, whenever it comes to that.
  const stays_set = async () => {
    if (other.setting) await set_privacy(browser, other.setting);
    if (!await is_set()) return false;
    await sleep(1500);
    return is_set();
  };
  return until('its setting', stays_set, 20000, 300).then(() => null, () => 'it set nothing');
}

/// As the extension would, through the browser's own store of what extensions set.
const set_privacy = (browser, setting) => browser.privileged(`
    const load = (name) => ChromeUtils.importESModule('resource://gre/modules/' + name + '.sys.mjs')[name];
    const [id, value] = arguments[0];
    return load('ExtensionParent').apiManager.asyncLoadModule('privacy')
        .then(() => load('ExtensionPreferencesManager').setSetting(id, 'network.webRTCIPHandlingPolicy', value))
        .then(() => null);`, [setting]);

async function run(family, other, scenario, peer) {
  const folder = other.extension && path.join(out_folder, 'peers', other.extension);
  if (folder && !existsSync(folder)) return {refused: 'not fetched (fetch_peers.sh)'};
  let browser;
  try {
    browser = await launch(family, {policy: other.policy, extension: folder, proxy: scenario.proxy});
    const refused = await settle(family, browser, other);
    if (refused) return {refused};
    await sleep(200);
    return {...await read(browser, scenario), calls: await calls(browser, peer)};
  } catch (error) {
    return {refused: `the browser refuses it: ${error.message.split('\n')[0]}`};
  } finally {
    await browser?.close();
  }
}

// puppeteer rejects a second promise, which nobody holds, when a browser refuses an extension.
process.on('unhandledRejection', () => {});
const [name, ...chosen] = process.argv.slice(2);
const lab = await Lab.build(name);
await lab.tunnel_up();
const peer = await launch_peer();
for (const family of chosen.length ? chosen : Object.keys(others)) {
  const found = {kind: 'peers', scenario: name, browser: family, rows: {}};
  for (const [other, settings] of Object.entries(others[family])) {
    const row = await run(family, settings, lab.scenario, peer);
    found.rows[other] = row;
    console.log(`     ${name} ${family} ${other}: ` + (row.refused ??
        `script [${row.script.join(' ')}] wire [${row.wire.join(' ')}] call ${row.calls.direct} / ${row.calls.turn}`));
  }
  leave_part(`peers.${name}.${family}`, found);
}
await peer.close();
process.exit(0);
