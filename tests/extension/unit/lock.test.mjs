// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {levels} from '../../../extension/handling.js';
import {createLock} from '../../../extension/lock.js';
import {createBrowser} from '../lib/fake_browser.mjs';

/** @param {import('../../../extension/handling.js').Family} family */
function make(family) {
  const browser = createBrowser({family});
  return {browser, lock: createLock(browser.ext, family)};
}

test('sets, then reads back', async () => {
  const {browser, lock} = make('chromium');
  assert.deepEqual(await lock.apply('force_proxy'), {
    value: 'disable_non_proxied_udp', control: 'controlled_by_this_extension', level: 'force_proxy'});
  assert.deepEqual(browser.log, [['set', 'policy', 'disable_non_proxied_udp'], ['get', 'policy']]);
});

test('the policy is let go only to leave WebRTC alone, and never before a set()', async () => {
  for (const family of /** @type {const} */ (['chromium', 'firefox'])) {
    for (const from of levels) {
      for (const to of levels) {
        const {browser, lock} = make(family);
        await lock.apply(from);
        browser.log.length = 0;
        await lock.apply(to);
        const done = browser.log.filter(([what, name]) => name === 'policy' && what !== 'get');
        assert.deepEqual(done.map(([what]) => what), [to === 'unrestricted' ? 'clear' : 'set']);
      }
    }
  }
});

test('Firefox: disabled takes the API away, and every other level lets it go again', async () => {
  const {browser, lock} = make('firefox');
  assert.equal((await lock.apply('disabled')).level, 'disabled');
  assert.equal(browser.peer.value, false);
  assert.deepEqual(await lock.apply('force_proxy'), {
    value: 'proxy_only', control: 'controlled_by_this_extension', level: 'force_proxy'});
  assert.equal(browser.peer.value, true);
  assert.ok(!browser.log.some(([what, name, value]) => what === 'set' && name === 'peer' && value === true));
});

test('Firefox: an API that the person switched off stays off', async () => {
  const {browser, lock} = make('firefox');
  browser.peer.value = browser.peer.initial = false;
  assert.equal((await lock.apply('unrestricted')).level, 'disabled');
  await lock.apply('disabled');
  assert.equal((await lock.apply('unrestricted')).level, 'disabled');
});

test('a set without effect shows in the reading', async () => {
  for (const control of ['not_controllable', 'controlled_by_other_extensions']) {
    const {browser, lock} = make('chromium');
    browser.policy.holdBy(control, 'default');
    assert.deepEqual(await lock.apply('force_proxy'), {value: 'default', control, level: 'unrestricted'});
  }
});

test('Firefox: either setting held by another is held', async () => {
  const {browser, lock} = make('firefox');
  browser.peer.holdBy('not_controllable', true);
  assert.equal((await lock.apply('force_proxy')).control, 'not_controllable');
});

test('a browser that refuses gives a reading that is no level', async () => {
  const {browser, lock} = make('chromium');
  browser.policy.broken = true;
  assert.deepEqual(await lock.apply('force_proxy'), {value: '', control: 'unknown', level: null});
});

test('a control that is not known counts as not controllable', async () => {
  const {browser, lock} = make('chromium');
  browser.policy.holdBy('something_new', 'default');
  assert.equal((await lock.read()).control, 'not_controllable');
});

test('no two changes are under way at once, and they keep their order', async () => {
  const {browser, lock} = make('firefox');
  let running = 0;
  /** @type {any} */
  const setting = browser.policy;
  for (const name of ['set', 'clear']) {
    const real = setting[name].bind(setting);
    setting[name] = async (/** @type {any} */ details) => {
      assert.equal(++running, 1);
      await new Promise((resolve) => setImmediate(resolve));
      await real(details);
      --running;
    };
  }
  lock.shut();
  lock.apply('force_proxy');
  const reading = lock.apply('unrestricted');
  lock.shut();
  assert.equal((await reading).level, 'unrestricted');
  assert.equal((await lock.apply('force_proxy')).level, 'force_proxy');
  assert.deepEqual(browser.log.filter(([what, name]) => name === 'policy' && what !== 'get').map(([what]) => what),
    ['set', 'set', 'clear', 'set', 'set']);
});
