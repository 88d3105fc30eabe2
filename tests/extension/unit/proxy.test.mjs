// SPDX-License-Identifier: Apache-2.0
// A proxy of the browser counts like a tunnel.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {proxyOf} from '../../../extension/proxy.js';
import {begin} from '../lib/background.mjs';
import {createBrowser, goodHost, stateAt} from '../lib/fake_browser.mjs';
import {flush} from '../lib/fake_clock.mjs';
import {createControl} from '../../../extension/control.js';

const follow = {settings: {followProxy: true}};

test('which settings are a proxy, in either browser', () => {
  const rows = /** @type {[any, string][]} */ ([
    [{mode: 'direct'}, 'none'], [{mode: 'system'}, 'none'], [{mode: 'fixed_servers', rules: {}}, 'set'],
    [{mode: 'pac_script'}, 'set'], [{mode: 'auto_detect'}, 'set'],
    [{proxyType: 'none'}, 'none'], [{proxyType: 'system'}, 'none'], [{proxyType: 'autoConfig'}, 'set'],
    [{proxyType: 'autoDetect'}, 'set'], [{proxyType: 'manual', http: '', ssl: '', socks: ''}, 'none'],
    [{proxyType: 'manual', socks: '127.0.0.1:9050'}, 'set'], [{proxyType: 'manual', http: 'p:1'}, 'set'],
    [null, 'unreadable'], ['x', 'unreadable'], [{}, 'unreadable']]);
  for (const [value, wanted] of rows) assert.equal(proxyOf(value), wanted, JSON.stringify(value));
});

test('not looked at unless the person wants it', async () => {
  const {browser} = await begin({family: 'firefox', state: stateAt('unrestricted')});
  assert.equal(browser.policy.value, 'default');
});

test('a person who does not follow it is not read for it, whatever changes', async () => {
  const browser = createBrowser({family: 'firefox'});
  let reads = 0;
  const get = async () => { ++reads; return {value: {proxyType: 'manual', http: 'p:1'}}; };
  browser.ext.proxy = {settings: {get, onChange: {addListener: () => {}}}};
  browser.answer = goodHost({state: stateAt('unrestricted')});
  createControl(browser.ext);
  await flush();
  const told = browser.log.length;
  browser.tabs.onActivated.fire({});
  browser.tabs.onUpdated.fire(1, {status: 'loading'});
  await flush();
  assert.deepEqual([reads, browser.log.length, browser.policy.value], [0, told, 'default']);
});

test('Chromium cannot tell, so the person does', async () => {
  const {browser} = await begin({state: stateAt('unrestricted'), local: follow});
  assert.equal(browser.policy.value, 'disable_non_proxied_udp');
  assert.equal(browser.openPopup().sent.at(-1).notes[0].key, 'proxy_declared');
});

test('Firefox without the permission counts as one with a proxy', async () => {
  const {browser} = await begin({family: 'firefox', state: stateAt('unrestricted'), local: follow});
  assert.equal(browser.policy.value, 'proxy_only');
  assert.equal(browser.openPopup().sent.at(-1).notes[0].key, 'proxy_unreadable');
});

test('Firefox with it: followed as it is set and unset, and let alone in the mode open', async () => {
  const browser = createBrowser({family: 'firefox', local: follow});
  let value = {proxyType: 'none'};
  /** @type {() => void} */
  let changed = () => {};
  browser.ext.proxy = {settings: {get: async () => ({value}),
    onChange: {addListener: (/** @type {any} */ one) => { changed = one; }}}};
  const host = {state: stateAt('unrestricted')};
  browser.answer = goodHost(host);
  createControl(browser.ext);
  await flush();
  assert.equal(browser.policy.value, 'default');
  value = /** @type {any} */ ({proxyType: 'manual', socks: '127.0.0.1:9050'});
  changed();
  await flush();
  assert.equal(browser.policy.value, 'proxy_only');
  for (const [event, args] of /** @type {[any, any[]][]} */ ([[browser.tabs.onActivated, [{}]],
    [browser.tabs.onUpdated, [1, {status: 'loading'}]]])) {
    value = {proxyType: 'none'};
    changed();
    await flush();
    assert.equal(browser.policy.value, 'default');
    // What the person sets is told by no event.
    value = /** @type {any} */ ({proxyType: 'manual', socks: '127.0.0.1:9050'});
    event.fire(...args);
    await flush();
    assert.equal(browser.policy.value, 'proxy_only');
  }
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('unrestricted', {mode: 'open'})});
  await flush();
  assert.equal(browser.policy.value, 'default');
  browser.port.say({v: 1, event: 'state', serial: 3, state: stateAt('unrestricted')});
  value = {proxyType: 'none'};
  changed();
  await flush();
  assert.equal(browser.policy.value, 'default');
});
