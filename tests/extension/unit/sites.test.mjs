// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {countdown, isPattern, matches, siteName, siteOf} from '../../../extension/sites.js';
import {extensionDir} from '../lib/common.mjs';

const services = JSON.parse(readFileSync(join(extensionDir, 'call-sites.json'), 'utf8'));
const data = JSON.parse(readFileSync(join(extensionDir, '../policies/call-sites.json'), 'utf8'));

test('the extension has the list of policies/call-sites.json', () => {
  assert.deepEqual(services, data.services.map((/** @type {any} */ {name, patterns}) => ({name, patterns})));
  assert.ok(data.services.every((/** @type {any} */ {source}) => source.length > 20));
  for (const {patterns} of services) assert.ok(patterns.every(isPattern), String(patterns));
});

test('what is a pattern', () => {
  for (const good of ['https://meet.google.com', 'https://[*.]zoom.us', 'http://localhost:8377', 'http://[::1]:80']) {
    assert.ok(isPattern(good), good);
  }
  for (const bad of ['*', 'https://*', 'https://*.zoom.us', 'https://a.b/path', 'https://u@a.b', 'https://[*.]', '',
    null, 7, 'ftp://a.b', 'https://a.b?x', 'https://a.b#x', `https://${'a'.repeat(300)}`, 'https://a b']) {
    assert.ok(!isPattern(bad), String(bad));
  }
});

test('which addresses a pattern matches', () => {
  const rows = /** @type {[string, string, boolean][]} */ ([
    ['https://meet.google.com', 'https://meet.google.com/abc?d=e', true],
    ['https://meet.google.com', 'http://meet.google.com/', false],
    ['https://meet.google.com', 'https://x.meet.google.com/', false],
    ['https://meet.google.com', 'https://meet.google.com:8443/', true],
    ['http://localhost:8377', 'http://localhost:8378/', false],
    ['https://meet.google.com', 'https://meet.google.com@evil.example/', false],
    ['https://[*.]zoom.us', 'https://zoom.us/', true], ['https://[*.]zoom.us', 'https://app.zoom.us/wc', true],
    ['https://[*.]zoom.us', 'https://notzoom.us/', false], ['http://localhost:8377', 'http://localhost:8377/', true],
    ['http://[::1]:8377', 'http://[::1]:8377/x', true], ['nonsense', 'https://a.b/', false],
    ['https://a.b', 'nonsense', false]]);
  for (const [pattern, address, wanted] of rows) assert.equal(matches(pattern, address), wanted, address);
});

test('a known service by its name, another site by its address, and none where there is none', () => {
  assert.deepEqual(siteOf('https://app.zoom.us/wc/join', services), {pattern: 'https://[*.]zoom.us', name: 'Zoom'});
  assert.deepEqual(siteOf('https://call.example:8443/x', services),
    {pattern: 'https://call.example:8443', name: 'call.example:8443'});
  for (const none of ['about:blank', 'chrome://settings', 'file:///x', 'data:text/html,x', '', undefined]) {
    assert.equal(siteOf(none, services), null);
  }
});

test('for people', () => {
  assert.deepEqual(['https://[*.]zoom.us', 'http://localhost:1'].map(siteName), ['zoom.us', 'localhost:1']);
  assert.deepEqual([0, -5, 999, 61_000, 3_600_000, 14_399_100].map(countdown),
    ['0:00', '0:00', '0:01', '1:01', '1:00:00', '4:00:00']);
});
