// SPDX-License-Identifier: Apache-2.0
// What the background takes from its storage and from the administrator when it starts, and what it does while
// nothing happens.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {createControl} from '../../../extension/control.js';
import {begin} from '../lib/background.mjs';
import {createBrowser, stateAt} from '../lib/fake_browser.mjs';
import {clockOfEachTest, flush} from '../lib/fake_clock.mjs';

const locked = 'disable_non_proxied_udp';
const clock = clockOfEachTest();

/** The values that the browser was set to. @param {import('../lib/fake_browser.mjs').Browser} browser */
const values = (browser) => browser.log.filter(([what]) => what === 'set').map(([, , value]) => value);

test('a background that starts again is locked until the host has spoken again', async () => {
  const first = await begin({state: stateAt('unrestricted')});
  const session = first.browser.session.content;
  const {browser} = await begin({session, state: stateAt('unrestricted')});
  assert.ok(values(browser).every((value) => value === locked));
  assert.equal(browser.policy.value, 'default');
});

test('one that starts again without a host stays locked', async () => {
  const session = {wish: 'unrestricted', spoken: true, serial: 1, state: stateAt('unrestricted')};
  const {browser} = await begin({session, installed: false});
  assert.equal(browser.policy.value, locked);
  await clock.pass(5000);
  assert.equal(browser.policy.value, locked);
});

test('one that starts again with a silent host does not wait for it to time out', async () => {
  const session = {wish: 'unrestricted', spoken: true, serial: 1, state: stateAt('unrestricted')};
  const {browser} = await begin({session, installed: true});
  await clock.pass(2100);
  assert.equal(browser.policy.value, locked);
});

test('the wish is stored in the turn in which the browser is asked for it, and does not hold that up', async () => {
  const {browser} = await begin({state: stateAt('unrestricted')});
  browser.log.length = 0;
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('force_proxy')});
  await flush();
  assert.deepEqual(browser.log.map(([what]) => what).slice(0, 3), ['set', 'store', 'get']);
  assert.equal(browser.session.content.wish, 'force_proxy');
});

test('storage that cannot be read or holds nonsense: locked', async () => {
  for (const session of [{wish: 'toString'}, {wish: 3}, null]) {
    const browser = createBrowser({session: session ?? {wish: 'unrestricted'}, local: {hand: 'perhaps'}});
    browser.session.broken = browser.local.broken = session === null;
    browser.installed = false;
    createControl(browser.ext);
    await clock.pass(5000);
    assert.equal(browser.policy.value, locked);
    assert.ok(values(browser).every((value) => value === locked));
  }
});

test('an administrator\'s mode counts without a host, over what was chosen by hand', async () => {
  for (const mode of ['auto', 'locked', 'nonsense']) {
    const {browser} = await begin({installed: false, local: {hand: 'open'}, managed: {mode}});
    await clock.pass(3000);
    const popup = browser.openPopup();
    popup.onMessage.fire({mode: 'open'});
    await clock.pass(3000);
    assert.equal(browser.policy.value, locked, mode);
  }
  const {browser} = await begin({installed: false, managed: {mode: 'open'}});
  await clock.pass(3000);
  assert.equal(browser.policy.value, 'default');
});

test('an administrator\'s mode is asked of the host, once', async () => {
  const {browser} = await begin({state: stateAt('force_proxy', {mode: 'auto'}), managed: {mode: 'locked'}});
  await clock.pass(1000);
  assert.deepEqual(browser.port.asked('set_mode').map(({mode}) => mode), ['locked']);
});

test('what the popup shows is kept for one that comes when the background was stopped', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  const icon = () => JSON.parse(/** @type {any} */ (browser.session.content).shown).icon;
  assert.equal(icon(), 'locked');
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('unrestricted')});
  await flush();
  assert.equal(icon(), 'open');
});

test('idle and locked: no alarm and no timer', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  assert.deepEqual([...browser.alarms.set.keys()], []);
  browser.log.length = 0;
  await clock.pass(24 * 3_600_000);
  assert.deepEqual(browser.log, []);
});
