// SPDX-License-Identifier: Apache-2.0
// What a session leaves for the start of the next one.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {begin} from '../lib/background.mjs';
import {stateAt} from '../lib/fake_browser.mjs';
import {clockOfEachTest, flush} from '../lib/fake_clock.mjs';

const locked = 'disable_non_proxied_udp';
clockOfEachTest();

const open = () => begin({state: stateAt('unrestricted'), tabs: {1: 'https://a.example/', 2: 'https://b.example/'}});

/** @param {import('../lib/fake_browser.mjs').Browser} browser @param {number} tab @param {boolean} isWindowClosing */
function close(browser, tab, isWindowClosing) {
  browser.tabs.open.delete(tab);
  browser.tabs.onRemoved.fire(tab, {isWindowClosing});
}

test('a window that closes locks at once, and the lock stays when it was the last', async () => {
  const {browser} = await open();
  assert.equal(browser.policy.value, 'default');
  close(browser, 1, true);
  assert.equal(browser.policy.value, locked);
  close(browser, 2, true);
  browser.windows.open = [];
  browser.windows.onRemoved.fire(1);
  await flush();
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('unrestricted')});
  await flush();
  assert.equal(browser.policy.value, locked);
  assert.equal(browser.port.asked('report').at(-1).level, 'force_proxy');
});

test('it is open again when other windows are there, or a new tab comes', async () => {
  const {browser} = await open();
  close(browser, 1, true);
  browser.windows.onRemoved.fire(2);
  await flush();
  assert.equal(browser.policy.value, 'default');
  close(browser, 2, true);
  browser.windows.open = [];
  browser.windows.onRemoved.fire(1);
  await flush();
  assert.equal(browser.policy.value, locked);
  browser.tabs.onCreated.fire({id: 3});
  await flush();
  assert.equal(browser.policy.value, 'default');
});

test('a tab that closes locks only when it is the last', async () => {
  const {browser} = await open();
  close(browser, 1, false);
  await flush();
  assert.equal(browser.policy.value, 'default');
  close(browser, 2, false);
  assert.equal(browser.policy.value, locked);
});

test('what is stricter stays as it is', async () => {
  const {browser} = await begin({family: 'firefox', state: stateAt('disabled'), tabs: {1: 'https://a.example/'}});
  browser.log.length = 0;
  close(browser, 1, true);
  await flush();
  assert.equal(browser.peer.value, false);
  assert.deepEqual(browser.log.filter(([what]) => what === 'clear'), []);
});

test('it stays locked where the browser does not say which windows are left', async () => {
  const {browser} = await open();
  close(browser, 1, true);
  browser.windows.getAll = () => Promise.reject(new Error('gone'));
  browser.windows.onRemoved.fire(1);
  await flush();
  assert.equal(browser.policy.value, locked);
});
