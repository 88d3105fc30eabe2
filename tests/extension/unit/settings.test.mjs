// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {defaults, exportSettings, importSettings, join, limits, loadSettings, onSettings, parseServer,
  saveSettings} from '../../../extension/settings.js';
import {createBrowser} from '../lib/fake_browser.mjs';

test('a server is a name or an address, with or without scheme and port', () => {
  for (const [text, wanted] of [['stun.example.org', 'stun:stun.example.org:3478'],
    [' stun:STUN.example.org:19302 ', 'stun:stun.example.org:19302'], ['192.0.2.1:3478', 'stun:192.0.2.1:3478'],
    ['[2001:DB8::1]', 'stun:[2001:db8::1]:3478'], ['localhost:1', 'stun:localhost:1']]) {
    assert.equal(parseServer(text), wanted);
  }
  for (const text of ['', ' ', 'a b', 'stun:', 'turn:a', 'http://a', 'a:0', 'a:65536', 'a:x', '[::1', '2001:db8::1',
    '[zz]', '[1:2]', 'a..b', '-a', 'a-', 'a/b', 'a?transport=tcp', 'user@a', 'x'.repeat(256), null, 7, ['a']]) {
    assert.equal(parseServer(text), null, String(text));
  }
});

test('what is stored and wrong counts as not stored, value by value', () => {
  for (const stored of [undefined, null, 7, 'x', [], {}]) assert.deepEqual(join(stored, {}), defaults);
  const mixed = join({notifications: 'yes', regularCheck: true, stunServers: ['a', 'b c'], floor: 'unrestricted',
    mode: 'open', __proto__: {stunAgreed: true}}, undefined);
  assert.deepEqual(mixed, {...defaults, regularCheck: true});
});

test('the policy wins, and what cannot be read of its lock counts as locked', () => {
  const mine = {regularCheck: true, stunServers: ['mine.example']};
  const joined = join(mine, {stunServers: ['stun.corp.example'], floor: 'default_route_only', mode: 'auto', other: 1});
  assert.deepEqual(joined, {...defaults, regularCheck: true, stunServers: ['stun:stun.corp.example:3478'],
    floor: 'default_route_only', mode: 'auto', managed: ['stunServers', 'floor', 'mode']});
  for (const wrong of ['', 'Force_Proxy', 3, null, {}, ['force_proxy']]) {
    const read = join({}, {floor: wrong, mode: wrong});
    assert.deepEqual([read.floor, read.mode], ['force_proxy', 'locked'], JSON.stringify(wrong));
  }
  assert.deepEqual(join(mine, {regularCheck: 'no'}).managed, []);
});

test('load, save and hear of it', async () => {
  const {ext, local} = createBrowser();
  assert.deepEqual(await loadSettings(ext), defaults);
  /** @type {any[]} */
  const heard = [];
  onSettings(ext, (settings) => heard.push(settings.regularCheck));
  await saveSettings(ext, /** @type {any} */ ({regularCheck: true, notifications: 'x', floor: 'unrestricted', z: 1}));
  assert.deepEqual(local.content.settings, {regularCheck: true});
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(heard, [true]);
});

test('an agreement is to servers: new ones need a new one', async () => {
  const {ext} = createBrowser();
  assert.equal((await saveSettings(ext, {stunAgreed: true})).stunAgreed, true);
  assert.equal((await saveSettings(ext, {stunServers: [defaults.stunServers[1]]})).stunAgreed, true, 'fewer');
  assert.equal((await saveSettings(ext, {stunServers: ['other.example']})).stunAgreed, false);
  assert.equal((await saveSettings(ext, {stunServers: ['third.example'], stunAgreed: true})).stunAgreed, true);
});

test('an export is imported as it was, without the agreement', () => {
  const settings = {...defaults, regularCheck: true, stunAgreed: true, floor: /** @type {any} */ ('disabled')};
  const read = /** @type {any} */ (importSettings(exportSettings(settings)));
  const {notifications, watchConnections, holdStart, followProxy, regularCheck, stunServers} = settings;
  assert.deepEqual(read.part, {notifications, watchConnections, holdStart, followProxy, regularCheck, stunServers});
});

test('a wrong file is refused as a whole, and says where', () => {
  const file = (/** @type {any} */ settings) => JSON.stringify({icelock: 1, settings});
  for (const [text, fault, at] of [['x'.repeat(limits.file + 1), 'size', ''], ['{', 'json', ''], ['', 'json', ''],
    ['null', 'kind', ''], ['[]', 'kind', ''], ['{"icelock":2,"settings":{}}', 'kind', ''],
    ['{"icelock":1,"settings":[]}', 'kind', ''], [file({floor: 'unrestricted'}), 'name', 'floor'],
    [file({stunAgreed: true}), 'name', 'stunAgreed'], [file({['<img src=x>'.repeat(9)]: 1}), 'name',
      '<img src=x>'.repeat(9).slice(0, 40)], ['{"icelock":1,"settings":{"__proto__":1}}', 'name', '__proto__'],
    [file({regularCheck: true, notifications: 1}), 'value', 'notifications'],
    [file({stunServers: ['a', 'b', 'c', 'd', 'e']}), 'value', 'stunServers'],
    [file({stunServers: ['turn:evil']}), 'value', 'stunServers']]) {
    assert.deepEqual(importSettings(text), {fault, at}, text.slice(0, 60));
  }
});
