// SPDX-License-Identifier: Apache-2.0
// Calls that are let through for a while, with a service that can loosen one site and without.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {again, begin} from '../lib/background.mjs';
import {stateAt} from '../lib/fake_browser.mjs';
import {clockOfEachTest, flush} from '../lib/fake_clock.mjs';

const locked = 'disable_non_proxied_udp';
const loose = 'default_public_interface_only';
const pattern = 'https://meet.example';
const tabs = {4: 'https://meet.example/room', 5: 'https://other.example/'};
const minute = 60_000;
const clock = clockOfEachTest();

/** @param {string} span */
const allow = (span, tab = 4) => ({allow: {tab, pattern, span}});

/** @param {object[]} list */
const withSites = (list, changes = {}) =>
  stateAt('force_proxy', {sites: {possible: true, list, granted: []}, ...changes});
const site = (changes = {}) => ({pattern, level: 'default_route_only', seconds_left: 900, by: 'you', ...changes});

/** @param {object} message @param {Parameters<typeof begin>[0]} [options] */
async function told(message, options = {}) {
  const {browser, host} = await begin({tabs, state: stateAt('force_proxy'), ...options});
  const popup = browser.openPopup();
  await flush();
  popup.onMessage.fire(message);
  await flush();
  return {browser, host, popup};
}

test('without a service: the browser is loosened, counted down, and locked after an hour', async () => {
  const {browser, popup} = await told(allow('hour'));
  assert.equal(browser.policy.value, loose);
  assert.deepEqual([browser.shown.icon, browser.shown.badge], ['open', '60m']);
  const [{kind, pattern: of, tab}] = popup.sent.at(-1).site.exceptions;
  assert.deepEqual([kind, of, tab], ['browser', pattern, 4]);
  await clock.pass(30 * minute);
  assert.deepEqual([browser.policy.value, browser.shown.badge], [loose, '30m']);
  await clock.pass(29 * minute);
  assert.deepEqual([browser.policy.value, browser.shown.badge], [loose, '1m']);
  await clock.pass(minute);
  assert.deepEqual([browser.policy.value, browser.shown.badge], [locked, '']);
  assert.equal(browser.alarms.set.has('exceptions'), false);
});

test('a call ends with its tab, not with another, and after four hours at the latest', async () => {
  const {browser} = await told(allow('call'));
  browser.tabs.remove(5);
  await clock.pass(239 * minute);
  assert.equal(browser.policy.value, loose);
  await clock.pass(minute);
  assert.equal(browser.policy.value, locked);
  const next = await told(allow('call'));
  next.browser.tabs.remove(4);
  await flush();
  assert.equal(next.browser.policy.value, locked);
});

test('ended by hand', async () => {
  const {browser, popup} = await told(allow('hour'));
  popup.onMessage.fire({deny: pattern});
  await flush();
  assert.equal(browser.policy.value, locked);
});

test('nothing but what the popup offers can be asked for', async () => {
  for (const message of [allow('always'), allow('week'), allow('hour', 99), {allow: null}, {allow: 7}, {allow: {}},
    {allow: {tab: 4, pattern: '*', span: 'hour'}}, {allow: {tab: '4', pattern, span: 'hour'}},
    {allow: {tab: 4, pattern: 'https://*', span: 'call'}}, {deny: null}, {deny: '*'}]) {
    const {browser} = await told(message);
    assert.equal(browser.policy.value, locked, JSON.stringify(message));
    assert.equal(browser.port.asked('allow').length + browser.port.asked('deny').length, 0);
  }
});

test('never below the floor, whoever stated it', async () => {
  for (const options of [{state: stateAt('force_proxy', {floor: 'force_proxy'})}, {managed: {floor: 'force_proxy'}}]) {
    const {browser} = await told(allow('hour'), options);
    assert.equal(browser.policy.value, locked);
  }
});

test('a floor that comes later ends what is looser', async () => {
  const {browser} = await told(allow('hour'));
  browser.port.say({v: 1, event: 'state', serial: 9, state: stateAt('force_proxy', {floor: 'force_proxy'})});
  await flush();
  assert.deepEqual([browser.policy.value, browser.shown.icon], [locked, 'locked']);
  assert.deepEqual(browser.session.content.exceptions, []);
});

test('never below a mode that the administrator fixed', async () => {
  const fixed = stateAt('force_proxy', {mode: 'locked', mode_fixed: true});
  for (const options of [{managed: {mode: 'locked'}}, {state: fixed}]) {
    const {browser, popup} = await told(allow('hour'), options);
    assert.equal(popup.sent.at(-1).site.way, 'floor');
    assert.equal(browser.policy.value, locked);
  }
});

test('nonsense in the storage is no exception, and stops nothing', async () => {
  const {browser} = await begin({tabs, state: stateAt('force_proxy'), session: {kept: {a: 7}, exceptions: [null, 7, {},
    {kind: 'browser', pattern: '*', tab: 4, seen: 0, until: 9e15}, {kind: 'browser', pattern, tab: 4, seen: null}]}});
  assert.deepEqual([browser.policy.value, browser.shown.icon, browser.port.asked('report').length > 0],
    [locked, 'locked', true]);
});

test('a background that was stopped goes on, and ends it in time', async () => {
  const {browser} = await told(allow('hour'));
  const next = await again(browser, {state: stateAt('force_proxy')});
  assert.equal(next.browser.policy.value, loose);
  await clock.pass(60 * minute);
  assert.equal(next.browser.policy.value, locked);
});

test('a background that was stopped while the time ran out, or the tab was closed, locks', async () => {
  const {browser} = await told(allow('hour'));
  browser.session.content.exceptions[0].until = Date.now() - 1;
  assert.equal((await again(browser, {state: stateAt('force_proxy')})).browser.policy.value, locked);
  const other = await told(allow('hour'));
  other.browser.tabs.open.delete(4);
  assert.equal((await again(other.browser, {state: stateAt('force_proxy')})).browser.policy.value, locked);
});

test('a tab that was put to sleep takes its exception along, and ends it', async () => {
  const {browser} = await told(allow('hour'));
  browser.tabs.open.set(44, browser.tabs.open.get(4));
  browser.tabs.open.delete(4);
  browser.tabs.onReplaced.fire(44, 4);
  await clock.pass(2 * minute);
  assert.equal(browser.policy.value, loose);
  browser.tabs.open.delete(44);
  browser.tabs.onRemoved.fire(44, {isWindowClosing: false});
  await flush();
  assert.equal(browser.policy.value, locked);
});

test('a tab that went without a word ends it within a minute', async () => {
  const {browser} = await told(allow('hour'));
  browser.tabs.open.delete(4);
  await clock.pass(minute);
  assert.equal(browser.policy.value, locked);
});

test('a browser that was restarted is locked, also when a tab has the same id', async () => {
  const {browser} = await told(allow('hour'));
  const next = await again(browser, {restarted: true, tabs, state: stateAt('force_proxy')});
  assert.equal(next.browser.policy.value, locked);
  assert.equal(next.browser.log.filter(([what, , value]) => what === 'set' && value === loose).length, 0);
});

test('a clock that is set back does not make it longer', async () => {
  const {browser} = await told(allow('hour'));
  await clock.pass(50 * minute);
  const [{seen}] = browser.session.content.exceptions;
  assert.ok(Date.now() - seen <= 2 * minute, 'what counts is when it was last looked at');
  browser.session.content.exceptions[0].seen = Date.now() + 2 * minute;
  assert.equal((await again(browser, {state: stateAt('force_proxy')})).browser.policy.value, locked);
});

test('it outlives the host: the person chose it, for a time', async () => {
  const {browser} = await told(allow('hour'));
  browser.installed = false;
  browser.port.end();
  await clock.pass(10_000);
  assert.equal(browser.policy.value, loose);
  await clock.pass(60 * minute);
  assert.equal(browser.policy.value, locked);
});

test('with a service: that site is asked for, and the browser stays locked', async () => {
  for (const [span, seconds] of /** @type {[string, number | undefined][]} */ (
    [['call', 900], ['hour', 3600], ['always', undefined]])) {
    const {browser} = await told(allow(span), {state: withSites([])});
    const {op, pattern: asked, seconds: time} = browser.port.asked('allow')[0];
    assert.deepEqual([op, asked, time], ['allow', pattern, seconds]);
    assert.equal(browser.policy.value, locked);
  }
});

test('Firefox has no setting per site, whatever the service can do', async () => {
  const {browser} = await told(allow('hour'), {family: 'firefox', state: withSites([])});
  assert.equal(browser.port.asked('allow').length, 0);
  assert.equal(browser.policy.value, 'default_public_and_private_interfaces');
});

test('a call at the service is a lease: renewed while its tab lives, given back when it is closed', async () => {
  const {browser, host} = await told(allow('call'), {state: withSites([])});
  host.state = withSites([site()]);
  await clock.pass(11 * minute);
  assert.deepEqual(browser.port.asked('allow').map(({seconds}) => seconds), [900, 900, 900]);
  assert.deepEqual(browser.local.content.leases, [pattern]);
  browser.tabs.remove(4);
  await flush();
  assert.deepEqual(browser.port.asked('deny').map(({pattern: of}) => of), [pattern]);
  assert.deepEqual(browser.local.content.leases, []);
  await clock.pass(30 * minute);
  assert.equal(browser.port.asked('allow').length, 3);
});

test('a call that was ended at the service, by whomever, is not asked for again', async () => {
  const {browser, host} = await told(allow('call'), {state: withSites([])});
  for (const [serial, list] of /** @type {[number, object[]][]} */ ([[2, [site()]], [3, []]])) {
    host.state = withSites(/** @type {any} */ (list));
    browser.port.say({v: 1, event: 'state', serial, state: host.state});
    await flush();
  }
  await clock.pass(30 * minute);
  assert.equal(browser.port.asked('allow').length, 1);
  assert.deepEqual(browser.local.content.leases, []);
});

test('a lease of a browser that died is given back at the next start', async () => {
  const {browser} = await told(allow('call'), {state: withSites([])});
  const next = await again(browser, {restarted: true, tabs, state: withSites([site()])});
  assert.deepEqual(next.browser.port.asked('deny').map(({pattern: of}) => of), [pattern]);
});

test('what the service refuses is said', async () => {
  const {browser, popup} = await told({}, {state: withSites([])});
  browser.answer = ({id, op}, port) => setImmediate(() => port.say(op === 'allow'
    ? {v: 1, id, ok: false, code: 'not_permitted', what: 'no', object: ''} : {v: 1, id, ok: true}));
  popup.onMessage.fire(allow('hour'));
  await flush();
  assert.equal(popup.sent.at(-1).notes[0].key, 'error_not_permitted');
});

test('tabs that were open when an exception ended keep it until they are closed', async () => {
  const {browser, host, popup} = await told({}, {state: withSites([site()])});
  host.state = withSites([]);
  browser.port.say({v: 1, event: 'state', serial: 2, state: host.state});
  await flush();
  assert.deepEqual(popup.sent.at(-1).site.kept, {[pattern]: [4, 5]});
  // A browser that has not read the changed policy yet gives it to a new tab.
  browser.tabs.onCreated.fire({id: 6, windowId: 1});
  await flush();
  assert.deepEqual(popup.sent.at(-1).site.kept, {[pattern]: [4, 5, 6]});
  assert.ok(popup.sent.at(-1).site.keptUntil > Date.now() + 5000);
  browser.tabs.onRemoved.fire(6, {isWindowClosing: false, windowId: 1});
  await clock.pass(6000);
  browser.tabs.onCreated.fire({id: 7, windowId: 1});
  popup.onMessage.fire({reopen: 4});
  await flush();
  assert.deepEqual(browser.tabs.asked, [['create', tabs[4]], ['remove', 4]]);
  assert.deepEqual(popup.sent.at(-1).site.kept, {[pattern]: [5]});
});
