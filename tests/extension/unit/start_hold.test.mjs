// SPDX-License-Identifier: Apache-2.0
// Pages that wait for the lock when Firefox starts.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {createControl} from '../../../extension/control.js';
import {createBrowser, goodHost, stateAt} from '../lib/fake_browser.mjs';
import {flush} from '../lib/fake_clock.mjs';

const wish = {settings: {holdStart: true}};

/** A browser that has the permission, and its blocking listeners.
 * @param {{family?: 'chromium' | 'firefox', local?: any, given?: boolean, refuses?: boolean}} [is] */
function make({family = 'firefox', local = wish, given = true, refuses = false} = {}) {
  const browser = createBrowser({family, local});
  browser.permissions.given = given;
  browser.answer = goodHost({state: stateAt('unrestricted')});
  /** @type {Map<() => Promise<object>, any[]>} */
  const listeners = new Map();
  browser.ext.webRequest = {onBeforeRequest: {
    addListener(/** @type {any} */ one, /** @type {any[]} */ ...how) {
      if (refuses) throw new Error('no permission to block');
      listeners.set(one, how);
    },
    removeListener: (/** @type {any} */ one) => { listeners.delete(one); },
  }};
  return {browser, listeners};
}

test('in the first turn, and until the lock is set, whatever the storage does', async () => {
  const {browser, listeners} = make();
  /** @type {() => void} */
  let answer = () => {};
  const set = browser.policy.set.bind(browser.policy);
  browser.policy.set = (details) => new Promise((resolve) => { answer = () => resolve(set(details)); });
  browser.session.get = () => new Promise(() => {});
  createControl(browser.ext);
  assert.deepEqual([...listeners.values()],
    [[{urls: ['*://*/*'], types: ['main_frame', 'sub_frame']}, ['blocking']]]);
  const [[wait]] = listeners;
  let passed = false;
  wait().then(() => { passed = true; });
  await flush();
  assert.deepEqual([passed, browser.policy.value], [false, 'default']);
  answer();
  await flush();
  assert.deepEqual([passed, browser.policy.value], [true, 'proxy_only']);
  assert.deepEqual(await wait(), {});
});

test('not in Chromium, and not without the switch or the permission', async () => {
  for (const is of [{family: /** @type {const} */ ('chromium')}, {local: {}}, {given: false}, {refuses: true}]) {
    const {browser, listeners} = make(is);
    createControl(browser.ext);
    await flush();
    assert.equal(listeners.size, 0, JSON.stringify(is));
    assert.equal(browser.policy.value, 'default');
  }
});

test('a storage that cannot be read does not switch it off', async () => {
  const {browser, listeners} = make();
  browser.local.broken = true;
  createControl(browser.ext);
  await flush();
  assert.equal(listeners.size, 1);
});

test('follows the switch', async () => {
  const {browser, listeners} = make({local: {}});
  createControl(browser.ext);
  await flush();
  await browser.local.set(wish);
  await flush();
  assert.equal(listeners.size, 1);
  await browser.local.set({settings: {holdStart: false}});
  await flush();
  assert.equal(listeners.size, 0);
});

test('a permission that is gone before the listener keeps nothing from being locked', async () => {
  const {browser} = make();
  createControl(browser.ext);
  await flush();
  assert.equal(browser.policy.value, 'default');
  delete browser.ext.webRequest;
  await browser.local.set({settings: {holdStart: false}});
  await flush();
  browser.managed.content = {floor: 'force_proxy'};
  browser.ext.storage.onChanged.fire({floor: {}}, 'managed');
  await flush();
  assert.equal(browser.policy.value, 'proxy_only');
});

test('nor does a listener that cannot be taken away keep the host from being asked', async () => {
  const {browser} = make({local: {}});
  browser.ext.webRequest.onBeforeRequest.removeListener = () => { throw new Error('gone'); };
  createControl(browser.ext);
  await flush();
  assert.equal(browser.policy.value, 'default');
});
