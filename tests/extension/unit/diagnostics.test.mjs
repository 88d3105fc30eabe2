// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {diagnose, withoutAddresses} from '../../../extension/diagnostics.js';
import {defaults} from '../../../extension/settings.js';
import {hostState} from '../lib/fake_browser.mjs';

test('no address stays, and what is none does', () => {
  for (const [text, wanted] of [['at 203.0.113.10:3478', 'at (IPv4):3478'], ['"2001:db8::1"', '"(IPv6)"'],
    ['[2001:DB8:0:1::7]:53', '[(IPv6)]:53'], ['::1', '(IPv6)'], ['10.0.0.0/8', '(IPv4)/8'], ['2000::/3', '(IPv6)/3'],
    ['::ffff:192.0.2.1', '(IPv6)'], ['fe80::1%eth0', '(IPv6)%eth0'],
    ['0.1.0', '0.1.0'], ['{"a":1,"b":2}', '{"a":1,"b":2}'], ['stun:a.example:3478', 'stun:a.example:3478'],
    ['12:30:59', '(IPv6)']]) {
    assert.equal(withoutAddresses(text), wanted);
  }
  assert.equal(withoutAddresses('through 10.1.2.3.'), 'through (IPv4).');
});

test('the report has versions and the state, and addresses only when asked for', () => {
  const state = hostState({reasons: [{code: 'excluded_routes', text: '198.51.100.7 leaves tun0 aside',
    args: {tunnel: 'tun0', example: '198.51.100.7'}}]});
  const known = {version: '1.2.3', agent: 'Browser/1.2.3.4', language: 'en', permissions: {permissions: ['storage']},
    raw: {family: 'firefox', level: 'force_proxy', state}, privateWindows: true,
    settings: {...defaults, stunServers: ['stun:192.0.2.1:3478']}};
  const quiet = diagnose(known, false);
  assert.match(quiet, /^icelock 1\.2\.3\nBrowser\/1\.2\.3\.4\n/);
  for (const part of ['force_proxy', 'tun0', 'private windows true', '"storage"']) {
    assert.ok(quiet.includes(part), part);
  }
  assert.doesNotMatch(quiet, /198\.51|192\.0\.2/);
  assert.match(diagnose(known, true), /198\.51\.100\.7.*tun0/s);
  assert.doesNotThrow(() => diagnose({...known, raw: null}, false));
});
