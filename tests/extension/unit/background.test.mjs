// SPDX-License-Identifier: Apache-2.0
// What the background takes from its storage and from the administrator when it starts, and what it does while
// nothing happens.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {createControl} from '../../../extension/control.js';
import {again, begin} from '../lib/background.mjs';
import {createBrowser, goodHost, stateAt} from '../lib/fake_browser.mjs';
import {clockOfEachTest, flush} from '../lib/fake_clock.mjs';

const locked = 'disable_non_proxied_udp';
const clock = clockOfEachTest();

/** The values that the browser was set to. @param {import('../lib/fake_browser.mjs').Browser} browser */
const values = (browser) => browser.log.filter(([what]) => what === 'set').map(([, , value]) => value);

test('a background that starts again is locked until the host has spoken again', async () => {
  const first = await begin({state: stateAt('unrestricted')});
  const session = first.browser.session.content;
  const {browser} = await begin({session, state: stateAt('unrestricted')});
  assert.ok(values(browser).every((value) => value === locked));
  assert.equal(browser.policy.value, 'default');
});

test('one that starts again without a host stays locked', async () => {
  const session = {wish: 'unrestricted', spoken: true, serial: 1, state: stateAt('unrestricted')};
  const {browser} = await begin({session, installed: false});
  assert.equal(browser.policy.value, locked);
  await clock.pass(5000);
  assert.equal(browser.policy.value, locked);
});

test('one that starts again with a silent host does not wait for it to time out', async () => {
  const session = {wish: 'unrestricted', spoken: true, serial: 1, state: stateAt('unrestricted')};
  const {browser} = await begin({session, installed: true});
  await clock.pass(2100);
  assert.equal(browser.policy.value, locked);
});

test('the wish is stored in the turn in which the browser is asked for it, and does not hold that up', async () => {
  const {browser} = await begin({state: stateAt('unrestricted')});
  browser.log.length = 0;
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('force_proxy')});
  await flush();
  assert.deepEqual(browser.log.map(([what]) => what).slice(0, 3), ['set', 'store', 'get']);
  assert.equal(browser.session.content.wish, 'force_proxy');
});

test('storage that cannot be read or holds nonsense: locked', async () => {
  for (const session of [{wish: 'toString'}, {wish: 3}, null]) {
    const browser = createBrowser({session: session ?? {wish: 'unrestricted'}, local: {hand: 'perhaps'}});
    browser.session.broken = browser.local.broken = session === null;
    browser.installed = false;
    createControl(browser.ext);
    await clock.pass(5000);
    assert.equal(browser.policy.value, locked);
    assert.ok(values(browser).every((value) => value === locked));
  }
});

test('an administrator\'s mode counts without a host, over what was chosen by hand', async () => {
  for (const mode of ['auto', 'locked', 'nonsense']) {
    const {browser} = await begin({installed: false, local: {hand: 'open'}, managed: {mode}});
    await clock.pass(3000);
    const popup = browser.openPopup();
    popup.onMessage.fire({mode: 'open'});
    await clock.pass(3000);
    assert.equal(browser.policy.value, locked, mode);
  }
  const {browser} = await begin({installed: false, managed: {mode: 'open'}});
  await clock.pass(3000);
  assert.equal(browser.policy.value, 'default');
});

test('an administrator\'s mode is asked of the host, once', async () => {
  const {browser} = await begin({state: stateAt('force_proxy', {mode: 'auto'}), managed: {mode: 'locked'}});
  await clock.pass(1000);
  assert.deepEqual(browser.port.asked('set_mode').map(({mode}) => mode), ['locked']);
});

test('what the popup shows is kept for one that comes when the background was stopped', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  const icon = () => JSON.parse(/** @type {any} */ (browser.session.content).shown).icon;
  assert.equal(icon(), 'locked');
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('unrestricted')});
  await flush();
  assert.equal(icon(), 'open');
});

test('idle and locked: no alarm and no timer', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  assert.deepEqual([...browser.alarms.set.keys()], []);
  browser.log.length = 0;
  await clock.pass(24 * 3_600_000);
  assert.deepEqual(browser.log, []);
});

test('a managed mode: a host that dies leaves nothing loose, and the person\'s own choice is not touched', async () => {
  for (const [mode, value] of [['auto', locked], ['locked', locked], ['open', 'default']]) {
    const {browser} = await begin({managed: {mode}, state: stateAt('unrestricted', {mode})});
    browser.installed = false;
    browser.port.end();
    await clock.pass(2100);
    assert.equal(browser.policy.value, value, mode);
    assert.notEqual(browser.shown.icon, 'leaking', mode);
    assert.equal(browser.local.content.hand, undefined, mode);
  }
});

test('a managed mode that changes is asked for again, and ends when the policy does', async () => {
  const {browser} = await begin({managed: {mode: 'open'}, state: stateAt('unrestricted')});
  const change = async (/** @type {object} */ managed) => {
    browser.managed.content = managed;
    browser.ext.storage.onChanged.fire({mode: {}}, 'managed');
    await flush();
  };
  await change({mode: 'auto', floor: 'unrestricted'});
  browser.port.say({v: 1, event: 'state', serial: 5, state: stateAt('unrestricted', {mode: 'open'})});
  await flush();
  await change({mode: 'locked'});
  assert.deepEqual(browser.port.asked('set_mode').map(({mode}) => mode), ['open', 'locked']);
  assert.equal(browser.policy.value, locked);
  const alone = await begin({installed: false, managed: {mode: 'open'}});
  assert.equal(alone.browser.policy.value, 'default');
  alone.browser.managed.content = {};
  alone.browser.ext.storage.onChanged.fire({mode: {}}, 'managed');
  await flush();
  assert.equal(alone.browser.policy.value, locked);
});

test('Locked by hand is asked of the host that comes back, by the next background too', async () => {
  const {browser} = await begin({installed: false});
  const popup = browser.openPopup();
  popup.onMessage.fire({mode: 'locked'});
  await flush();
  const next = await again(browser, {state: stateAt('unrestricted', {mode: 'open'})});
  assert.deepEqual(next.browser.port.asked('set_mode').map(({mode}) => mode), ['locked']);
  assert.equal(next.browser.policy.value, locked);
  next.browser.port.say({v: 1, event: 'state', serial: 5, state: stateAt('force_proxy', {mode: 'locked'})});
  await flush();
  assert.equal(next.browser.local.content.lockAsked, false);
});

test('Locked by hand ends where the host refuses it', async () => {
  const {browser} = await begin({installed: false, local: {lockAsked: true}});
  const good = goodHost({state: stateAt('unrestricted', {mode: 'open'})});
  const refusal = {v: 1, ok: false, code: 'not_permitted', what: 'no', object: ''};
  browser.answer = (frame, port) => frame.op !== 'set_mode' ? good(frame, port) :
    setImmediate(() => port.say({...refusal, id: frame.id}));
  browser.installed = true;
  await clock.pass(10_000);
  assert.equal(browser.policy.value, 'default');
  assert.equal(browser.local.content.lockAsked, false);
  assert.equal(browser.port.asked('set_mode').length, 1);
});

test('private windows that another extension opened are the level that is shown', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  browser.policy.inPrivate = {value: 'default', levelOfControl: 'controlled_by_other_extensions'};
  browser.policy.onChange.fire({});
  await flush();
  assert.equal(browser.shown.icon, 'leaking');
  assert.deepEqual([browser.port.asked('report').at(-1)].map((one) => [one.level, one.level_of_control]),
    [['unrestricted', 'controlled_by_other_extensions']]);
});

test('what private windows obey is read at the start too, without a host', async () => {
  const browser = createBrowser();
  browser.installed = false;
  browser.policy.inPrivate = {value: 'default', levelOfControl: 'controlled_by_other_extensions'};
  createControl(browser.ext);
  await flush();
  assert.equal(browser.shown.icon, 'leaking');
});

test('a chore that fails keeps nothing from being locked', async () => {
  const {browser} = await begin({family: 'firefox', installed: false, local: {hand: 'open'}});
  browser.ext.scripting.getRegisteredContentScripts = () => Promise.reject(new Error('gone'));
  browser.managed.content = {floor: 'force_proxy'};
  browser.ext.storage.onChanged.fire({floor: {}}, 'managed');
  await flush();
  assert.equal(browser.policy.value, 'proxy_only');
});
