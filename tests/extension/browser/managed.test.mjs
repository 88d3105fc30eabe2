// SPDX-License-Identifier: Apache-2.0
// An administrator's settings reach the extension: by a policy file in Chromium, by policies.json in Firefox. Run
// inside tests/lab/enter, which puts a scratch /etc over the real one.

import assert from 'node:assert/strict';
import {mkdir, writeFile} from 'node:fs/promises';
import {test} from 'node:test';
import {chromiumId, launchChromium} from '../lib/chromium.mjs';
import {until} from '../lib/common.mjs';
import {firefoxId, launchFirefox} from '../lib/firefox.mjs';

assert.equal(process.env.ICELOCK_LAB, 'inside', 'run this by tests/lab/enter');

const policy = {mode: 'locked', floor: 'force_proxy', stunServers: ['stun.corp.example'], stunAgreed: true,
  regularCheck: true};

/** What the settings page then says: the greyed boxes, the floor, the servers.
 * @returns {any} */
const reading = () => ({
  note: /** @type {any} */ (document.getElementById('mode_note')).textContent,
  servers: /** @type {any} */ (document.getElementById('servers')).value,
  greyed: [...document.querySelectorAll('input[type=checkbox]:disabled')].map(({id}) => id).sort(),
  save: /** @type {any} */ (document.getElementById('save_servers')).disabled,
  open: /** @type {any} */ (document.getElementById('open')).disabled,
  managed: document.querySelectorAll('.managed').length});

/** @param {() => Promise<any>} read */
async function check(read) {
  const seen = await until(async () => {
    const now = await read();
    return now.note && now.servers && now.greyed.length > 0 && now;
  }, 'the settings page', 30_000);
  assert.deepEqual(seen, {note: 'Your administrator set this mode.', servers: 'stun.corp.example:3478',
    greyed: ['regularCheck', 'stunAgreed'], save: true, open: true, managed: 3});
}

test('Chromium: managed policies of the extension', {timeout: 90_000}, async () => {
  await mkdir('/etc/chromium/policies/managed', {recursive: true});
  await writeFile('/etc/chromium/policies/managed/icelock.json',
    JSON.stringify({'3rdparty': {extensions: {[chromiumId]: policy}}}));
  const chromium = await launchChromium();
  try {
    const page = await chromium.page('options.html');
    await check(() => page.evaluate(reading));
  } finally {
    await chromium.close();
  }
});

test('Firefox: 3rdparty in policies.json', {timeout: 120_000}, async () => {
  await mkdir('/etc/firefox/policies', {recursive: true});
  await writeFile('/etc/firefox/policies/policies.json',
    JSON.stringify({policies: {'3rdparty': {Extensions: {[firefoxId]: policy}}}}));
  const firefox = await launchFirefox();
  try {
    await firefox.openPage('options.html');
    await check(() => firefox.inPage(`return (${reading})()`));
  } finally {
    await firefox.close();
  }
});
