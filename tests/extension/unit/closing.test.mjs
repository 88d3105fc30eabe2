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

/** @param {import('../lib/fake_browser.mjs').Browser} browser @param {number} tab @param {boolean} isWindowClosing
 * @param {number} [windowId] */
function close(browser, tab, isWindowClosing, windowId = 1) {
  browser.tabs.open.delete(tab);
  browser.tabs.onRemoved.fire(tab, {isWindowClosing, windowId});
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

test('windows that close one after the other leave a lock, whichever word on them comes first', async () => {
  for (const order of ['removed', 'closing']) {
    const {browser} = await open();
    browser.windows.open = [{id: 1}, {id: 2}];
    close(browser, 1, true, 1);
    const gone = () => {
      browser.windows.open = [{id: 2}];
      browser.windows.onRemoved.fire(1);
    };
    if (order === 'removed') gone();
    close(browser, 2, true, 2);
    if (order === 'closing') gone();
    await flush();
    browser.windows.open = [];
    browser.windows.onRemoved.fire(2);
    await flush();
    assert.equal(browser.policy.value, locked, order);
  }
});

test('a window that closes while the one before it is being opened again locks at once', async () => {
  const {browser} = await open();
  const get = browser.policy.get.bind(browser.policy);
  /** @type {(() => void)[]} */
  const waiting = [];
  close(browser, 1, true, 1);
  await flush();
  browser.windows.open = [{id: 2}];
  browser.policy.get = () => new Promise((resolve) => { waiting.push(() => resolve(get())); });
  browser.windows.onRemoved.fire(1);
  await flush();
  assert.equal(browser.policy.value, 'default');
  close(browser, 2, true, 2);
  await flush();
  assert.equal(browser.policy.value, locked);
  for (let n = 0; n < 20; ++n) {
    waiting.splice(0).forEach((answer) => answer());
    await flush();
  }
  assert.equal(browser.policy.value, locked);
});

test('a window that stayed without its last tab counts again', async () => {
  const {browser} = await open();
  close(browser, 1, false, 1);
  close(browser, 2, false, 1);
  browser.tabs.onCreated.fire({id: 3, windowId: 1});
  browser.tabs.onCreated.fire({id: 4, windowId: 2});
  close(browser, 4, true, 2);
  browser.windows.onRemoved.fire(2);
  await flush();
  assert.equal(browser.policy.value, 'default');
});

test('a tab that was put to sleep counts under its new id', async () => {
  const {browser} = await open();
  browser.tabs.onReplaced.fire(9, 1);
  close(browser, 2, false);
  await flush();
  assert.equal(browser.policy.value, 'default');
  close(browser, 9, false);
  assert.equal(browser.policy.value, locked);
});

test('it is open again when other windows are there, or a new tab comes', async () => {
  const {browser} = await open();
  browser.windows.open = [{id: 1}];
  close(browser, 1, true, 2);
  browser.windows.onRemoved.fire(2);
  await flush();
  assert.equal(browser.policy.value, 'default');
  close(browser, 2, true, 1);
  browser.windows.open = [];
  browser.windows.onRemoved.fire(1);
  await flush();
  assert.equal(browser.policy.value, locked);
  browser.tabs.onCreated.fire({id: 3, windowId: 3});
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
