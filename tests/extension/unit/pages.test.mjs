// SPDX-License-Identifier: Apache-2.0
// What the background does for the pages, against a fake browser. The other page of the leak test is played by
// what webRequest hears.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {registerPages} from '../../../extension/pages.js';
import {createBrowser, hostLinks, hostState, plainState} from '../lib/fake_browser.mjs';
import {flush} from '../lib/fake_clock.mjs';

const server = 'stun:stun.example:3478';
const wanted = {regularCheck: true, stunAgreed: true, stunServers: [server], notifications: true};
const leaked = ['candidate:1 1 udp 1 2001:db8:77::10 5 typ host'];

/** @param {{settings?: object, granted?: boolean, lines?: (string[] | null)[], reply?: string}} [options]
 *  `lines`: what the other page finds; `reply` instead of it, as it stands */
async function begin({settings = wanted, granted = true, lines = [leaked], reply} = {}) {
  const browser = createBrowser({local: {settings}});
  /** @type {((details: {url: string}) => void)[]} */
  const listeners = [];
  const removed = /** @type {number[]} */ ([]);
  const opened = /** @type {string[]} */ ([]);
  Object.assign(browser.ext, {
    permissions: {...browser.ext.permissions, contains: async () => granted},
    webRequest: {onBeforeRequest: {
      addListener: (/** @type {any} */ one) => listeners.push(one),
      removeListener: (/** @type {any} */ one) => listeners.splice(listeners.indexOf(one), 1)}}});
  browser.ext.tabs.remove = async (/** @type {number} */ id) => { removed.push(id); };
  browser.ext.tabs.create = async (/** @type {any} */ {url}) => {
    opened.push(url);
    const [, secret] = /leak-test\.invalid\/([\w-]+)\?/.exec(decodeURIComponent(url)) ?? [];
    const said = reply ?? encodeURIComponent(JSON.stringify(lines));
    setImmediate(() => {
      for (const one of [...listeners]) {
        one({url: 'https://leak-test.invalid/forged?%5B%5B%5D%5D'});
        one({url: `https://leak-test.invalid/${secret}?${said}`});
      }
    });
    return {id: 7};
  };
  const pages = registerPages(browser.ext, {probe: async () => ({links: hostLinks})});
  await flush();
  return {browser, pages, listeners, removed, opened};
}

const raw = (/** @type {any} */ state) => ({state, level: /** @type {const} */ ('unrestricted')});

test('the welcome page opens on an install of the person, and not on an update or an administrator\'s', async () => {
  const {browser, opened} = await begin();
  browser.events.onInstalled.fire({reason: 'update'});
  await flush();
  assert.deepEqual(opened, []);
  browser.events.onInstalled.fire({reason: 'install'});
  await flush();
  assert.deepEqual(opened, ['chrome-extension://id/welcome.html']);
  browser.ext.management.getSelf = async () => ({installType: 'admin'});
  browser.events.onInstalled.fire({reason: 'install'});
  await flush();
  assert.equal(opened.length, 1);
});

test('no alarm where nobody wants the check or nobody agreed, and one where both is so', async () => {
  for (const settings of [{}, {...wanted, stunAgreed: false}, {...wanted, regularCheck: false}]) {
    const {browser, pages, opened} = await begin({settings});
    await pages.changed(raw(hostState()));
    await pages.changed(raw(plainState()));
    browser.alarms.onAlarm.fire({name: 'check_daily'});
    await flush();
    assert.deepEqual([[...browser.alarms.set.keys()], opened], [[], []], JSON.stringify(settings));
  }
  const {browser} = await begin();
  assert.deepEqual([...browser.alarms.set.keys()], ['check_daily']);
  await browser.ext.storage.local.set({settings: {...wanted, regularCheck: false}});
  await flush();
  assert.equal(browser.alarms.set.size, 0);
});

test('a change of the network is looked at when it is quiet; a background that woke up is no change', async () => {
  const {browser, pages} = await begin();
  await pages.changed(raw(hostState()));
  await pages.changed(raw(hostState({reasons: []})));
  assert.equal(browser.alarms.set.has('check_network'), false);
  await pages.changed(raw(plainState()));
  assert.deepEqual(browser.alarms.set.get('check_network'), {delayInMinutes: 0.5});
  browser.alarms.set.clear();
  const again = registerPages(browser.ext, {probe: async () => ({links: []})});
  await again.changed(raw(plainState()));
  assert.equal(browser.alarms.set.has('check_network'), false);
  await again.changed(raw(null));
  assert.equal(browser.alarms.set.has('check_network'), false);
});

test('a leak is kept and said; what is none is only kept', async () => {
  const {browser, pages, listeners, removed} = await begin();
  await pages.changed(raw(hostState()));
  browser.alarms.onAlarm.fire({name: 'check_network'});
  await flush();
  const [check] = browser.local.content.checks;
  assert.deepEqual([check.cause, check.verdict], ['network', 'leak']);
  assert.equal(browser.notified.length, 1);
  assert.match(browser.notified[0].message, /^Leak:/);
  assert.deepEqual([listeners.length, removed], [0, [7]]);
  await pages.changed(raw(plainState()));
  browser.alarms.onAlarm.fire({name: 'check_daily'});
  await flush();
  assert.equal(browser.local.content.checks.length, 2);
  assert.equal(browser.notified.length, 1);
});

test('without the permission nothing is opened', async () => {
  const {browser, opened} = await begin({granted: false});
  browser.alarms.onAlarm.fire({name: 'check_daily'});
  await flush();
  assert.deepEqual([opened, browser.local.content.checks], [[], undefined]);
});

test('an answer that is none is no result, and the tab closes all the same', async () => {
  for (const reply of ['', '%', 'null', '%7B%7D', '%5B%5D', '%5B1%5D', '%5B%5B1%5D%5D', '%5B%5B%5D%2C%5B%5D%5D']) {
    const {browser, removed} = await begin({reply});
    browser.alarms.onAlarm.fire({name: 'check_daily'});
    await flush();
    assert.deepEqual([browser.local.content.checks, removed], [undefined, [7]], reply);
  }
});
