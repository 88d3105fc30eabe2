// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {isIP} from 'node:net';
import {join} from 'node:path';
import {test} from 'node:test';
import {countdown, isPattern, matches, siteName, siteOf} from '../../../extension/sites.js';
import {extensionDir} from '../lib/common.mjs';

const services = JSON.parse(readFileSync(join(extensionDir, 'call-sites.json'), 'utf8'));
const data = JSON.parse(readFileSync(join(extensionDir, '../policies/call-sites.json'), 'utf8'));

test('the extension has the names and patterns of policies/call-sites.json', () => {
  assert.deepEqual(services, data.services.map((/** @type {any} */ {name, patterns}) => ({name, patterns})));
  assert.ok(data.services.every((/** @type {any} */ {source}) => source.length > 20));
  for (const {patterns} of services) assert.ok(patterns.every(isPattern), String(patterns));
});

/** An address as a number. @param {string} address @returns {bigint} */
function numberOf(address) {
  if (isIP(address) === 4) return BigInt(address.split('.').reduce((all, one) => all * 256 + Number(one), 0));
  const [head, tail] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array(8 - head.length - (tail ?? []).length).fill('0');
  return BigInt(`0x${[...head, ...zeros, ...(tail ?? [])].map((part) => part.padStart(4, '0')).join('')}`);
}

/** @param {string} block @returns {{family: number, first: bigint, last: bigint}} */
function rangeOf(block) {
  const [address, prefix] = block.split('/');
  const family = isIP(address);
  const size = 1n << BigInt((family === 4 ? 32 : 128) - Number(prefix));
  const first = numberOf(address);
  assert.ok(family && /^\d+$/.test(prefix) && Number(prefix) >= 8 && first % size === 0n, block);
  return {family, first, last: first + size - 1n};
}

test('the blocks of services are blocks, each of one service, with a source', () => {
  const all = data.services.flatMap((/** @type {any} */ {name, blocks, blocks_source}) => {
    assert.equal(blocks === undefined, blocks_source === undefined, name);
    assert.ok(!blocks || (blocks.length > 0 && blocks_source.length > 20), name);
    return (blocks ?? []).map((/** @type {string} */ block) => ({block, ...rangeOf(block)}));
  });
  assert.ok(all.length > 50);
  for (const [at, one] of all.entries()) {
    for (const other of all.slice(at + 1)) {
      assert.ok(one.family !== other.family || one.last < other.first || other.last < one.first,
        `${one.block} and ${other.block}`);
    }
  }
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
