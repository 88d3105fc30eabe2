// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {handlings, isLevel, isLooser, levelOf, levels, reachable} from '../../../extension/handling.js';

/** @type {import('../../../extension/handling.js').Family[]} */
const families = ['chromium', 'firefox'];

test('every level has a handling in every family, and reads back as what it reaches', () => {
  for (const family of families) {
    for (const level of levels) {
      const back = levelOf(family, handlings[family][level]);
      assert.equal(back, family === 'chromium' && level === 'disabled' ? 'force_proxy' : level);
      assert.equal(reachable(family, level), back);
    }
  }
});

test('the levels are called what the table that the policies are written from calls them', () => {
  const table = JSON.parse(readFileSync(new URL('../../../policies/handling.json', import.meta.url), 'utf8')).levels;
  assert.deepEqual(Object.keys(table), levels);
  for (const family of families) {
    for (const level of levels) {
      const {policy, ...others} = handlings[family][level];
      assert.deepEqual(table[level][family].api, {webRTCIPHandlingPolicy: policy, ...others}, `${family} ${level}`);
    }
  }
});

test('values that show more than their names say are no level', () => {
  assert.equal(levelOf('chromium', {policy: 'default_public_and_private_interfaces'}), null);
  assert.equal(levelOf('chromium', {policy: 'proxy_only'}), null);
  for (const policy of ['default_public_interface_only', 'disable_non_proxied_udp', '', 'toString']) {
    assert.equal(levelOf('firefox', {policy, peerConnectionEnabled: true}), null, policy);
  }
});

test('Firefox without the API is disabled whatever the policy says', () => {
  assert.equal(levelOf('firefox', {policy: 'default', peerConnectionEnabled: false}), 'disabled');
});

test('no level at all is looser than any', () => {
  assert.equal(isLooser(null, 'unrestricted'), true);
  assert.equal(isLooser('unrestricted', 'unrestricted'), false);
  assert.equal(isLooser('default_route_only', 'force_proxy'), true);
  assert.equal(isLooser('disabled', 'force_proxy'), false);
});

test('only the four names are levels', () => {
  assert.ok(levels.every(isLevel));
  for (const other of ['Unrestricted', '', null, undefined, 3, {}]) assert.equal(isLevel(other), false);
});
