// SPDX-License-Identifier: Apache-2.0
// The background as a whole, against a fake browser and a fake host, in a time of its own.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {createControl} from '../../../extension/control.js';
import {begin as beginAlone} from '../lib/background.mjs';
import {createBrowser, goodHost, stateAt} from '../lib/fake_browser.mjs';
import {clockOfEachTest, flush} from '../lib/fake_clock.mjs';

const locked = 'disable_non_proxied_udp';
const clock = clockOfEachTest();

/** A host is installed, and says nothing unless there is a `state`. @type {typeof beginAlone} */
const begin = (options) => beginAlone({installed: true, ...options});

/** @param {import('../lib/fake_browser.mjs').Browser} browser @param {string} what */
const calls = (browser, what) => browser.log.filter(([name]) => name === what);

test('every listener is there before the first await', () => {
  const browser = createBrowser({family: 'firefox'});
  createControl(browser.ext);
  for (const event of [browser.policy.onChange, browser.peer.onChange, ...Object.values(browser.events)]) {
    assert.ok(event.listeners.length >= 1);
  }
});

test('locks, reads back and connects, in this order', async () => {
  const {browser} = await begin();
  const order = browser.log.map(([what]) => String(what)).filter((what) => what !== 'store' && what !== 'post');
  assert.deepEqual(order.slice(0, 4), ['set', 'set', 'get', 'connect']);
  assert.equal(browser.policy.value, locked);
});

test('locks without waiting for its storage', async () => {
  const browser = createBrowser();
  browser.session.get = browser.local.get = () => new Promise(() => {});
  createControl(browser.ext);
  await flush();
  assert.equal(browser.policy.value, locked);
});

test('a silent host: locked, called silent after the answer time, tried again', async () => {
  const {browser} = await begin();
  const popup = browser.openPopup();
  await clock.pass(4900);
  assert.equal(browser.ports.length, 1);
  await clock.pass(200);
  assert.equal(popup.sent.at(-1).notes[0].key, 'host_silent');
  assert.equal(browser.ports[0].closed, true);
  await clock.pass(500);
  assert.equal(browser.ports.length, 2);
  assert.equal(browser.policy.value, locked);
});

test('obeys the answer to subscribe and every push: set, get, report', async () => {
  const {browser, host} = await begin({state: stateAt('unrestricted')});
  assert.equal(browser.policy.value, 'default');
  browser.log.length = 0;
  host.state = stateAt('force_proxy');
  browser.port.say({v: 1, event: 'state', serial: 7, state: host.state});
  await flush();
  assert.deepEqual(browser.log.filter(([what]) => what !== 'store').slice(0, 3),
    [['set', 'policy', locked], ['get', 'policy'], ['post', 'report']]);
  assert.deepEqual(browser.port.asked('report').at(-1), {v: 1, id: browser.port.sent.at(-1).id, op: 'report',
    serial: 7, value: locked, level_of_control: 'controlled_by_this_extension', level: 'force_proxy'});
  assert.equal(calls(browser, 'clear').length, 0);
});

test('Firefox obeys its own column of the decision', async () => {
  const state = stateAt('force_proxy', {decision: {chromium: 'force_proxy', firefox: 'default_route_only'}});
  const {browser} = await begin({family: 'firefox', state});
  assert.equal(browser.policy.value, 'default_public_and_private_interfaces');
  assert.equal(browser.port.asked('report')[0].level, 'default_route_only');
});

test('two pushes at once end at the second', async () => {
  const {browser} = await begin({state: stateAt('unrestricted')});
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('default_route_only')});
  browser.port.say({v: 1, event: 'state', serial: 3, state: stateAt('force_proxy')});
  await flush();
  assert.equal(browser.policy.value, locked);
  assert.equal(browser.port.asked('report').at(-1).serial, 3);
});

test('a report is of the state that was obeyed, also when another came meanwhile', async () => {
  const {browser} = await begin({state: stateAt('unrestricted')});
  const {set} = browser.policy;
  browser.policy.set = async (details) => {
    browser.policy.set = set;
    browser.port.say({v: 1, event: 'state', serial: 3, state: stateAt('default_route_only')});
    await set.call(browser.policy, details);
  };
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('force_proxy')});
  await flush();
  assert.deepEqual(browser.port.asked('report').slice(-2).map(({serial, level}) => [serial, level]),
    [[2, 'force_proxy'], [3, 'default_route_only']]);
});

test('frames that cannot be acted on make the host unusable, and lock', async () => {
  const good = stateAt('unrestricted');
  const frames = [
    null, 'text', 7, [], {}, {v: 2, event: 'state', serial: 2, state: good}, {event: 'state', serial: 2, state: good},
    {v: 1, event: 'state', serial: 'x', state: good}, {v: 1, event: 'state', serial: 2, state: null},
    {v: 1, event: 'state', serial: 2, state: {...good, decision: {chromium: 'open', firefox: 'open'}}},
    {v: 1, event: 'state', serial: 2, state: {...good, decision: undefined}},
    {v: 1, event: 'state', serial: 2, state: {...good, reasons: [null]}},
    {v: 1, event: 'browsers', serial: 2, browsers: [{id: 'x'}]}, {v: 1, event: 'browsers', serial: 2},
    ...[5, {}, true, [7], null].map((modes) => ({v: 1, event: 'state', serial: 2, state: {...good, modes}})),
    {v: 1, event: 'state', serial: 2, state: {...good, mode_level: 'x'}},
  ];
  for (const frame of frames) {
    const {browser} = await begin({state: good});
    assert.equal(browser.policy.value, 'default');
    browser.answer = null;  // the next host is silent
    const popup = browser.openPopup();
    browser.port.say(frame);
    await clock.pass(2100);
    assert.equal(browser.policy.value, locked, JSON.stringify(frame));
    const note = /** @type {any} */ (frame)?.v === 2 ? 'host_newer' : 'host_unusable';
    assert.equal(popup.sent.at(-1).notes[0].key, note, JSON.stringify(frame));
    assert.equal(browser.ports[0].closed, true);
  }
});

test('a push of an unknown kind and unknown fields are no error', async () => {
  const {browser} = await begin({state: stateAt('unrestricted')});
  browser.port.say({v: 1, event: 'weather', serial: 2});
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('force_proxy', {extra: 1}), more: 2});
  await flush();
  assert.equal(browser.policy.value, locked);
  assert.equal(browser.ports.length, 1);
});

test('a host that answers subscribe without a state, or refuses it, is unusable', async () => {
  for (const [note, answer] of /** @type {[string, object][]} */ ([['host_unusable', {ok: true}],
    ['host_older', {ok: false, code: 'version', what: 'speaks 0', object: ''}]])) {
    const browser = createBrowser();
    browser.answer = (frame, port) => port.say({v: 1, id: frame.id, ...answer});
    createControl(browser.ext);
    const popup = browser.openPopup();
    await flush();
    assert.equal(popup.sent.at(-1).notes[0].key, note);
    assert.equal(browser.policy.value, locked);
  }
});

test('host gone while locked: the lock stays, at its level', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  browser.answer = null;
  browser.log.length = 0;
  browser.port.end();
  await clock.pass(10_000);
  assert.deepEqual(calls(browser, 'set'), []);
  assert.equal(browser.policy.value, locked);
  assert.equal(browser.shown.badge, '?');
});

test('host gone while disabled: stays disabled', async () => {
  const {browser} = await begin({family: 'firefox', state: stateAt('disabled')});
  browser.answer = null;
  browser.port.end();
  await clock.pass(10_000);
  assert.equal(browser.peer.value, false);
});

test('host gone while loose: locked after the grace, at either loose level', async () => {
  for (const level of ['unrestricted', 'default_route_only']) {
    const {browser} = await begin({state: stateAt(level)});
    const loose = browser.policy.value;
    browser.installed = false;
    browser.port.end();
    await clock.pass(1900);
    assert.equal(browser.policy.value, loose);
    await clock.pass(200);
    assert.equal(browser.policy.value, locked);
  }
});

test('a host that is back within the grace changes nothing', async () => {
  const {browser} = await begin({state: stateAt('unrestricted')});
  browser.port.end();
  await clock.pass(5000);
  assert.equal(browser.ports.length, 2);
  assert.equal(browser.policy.value, 'default');
  assert.equal(browser.shown.badge, '');
});

test('tries again for ever, ever more seldom: short waits are timers, long ones alarms', async () => {
  const {browser} = await begin({installed: false});
  /** @type {number[]} */
  const at = [];
  for (let tick = 0; tick < 90_000; ++tick) {
    const before = browser.ports.length;
    await clock.pass(100);
    if (browser.ports.length > before) at.push(tick / 10);
  }
  const waits = at.map((time, n) => Math.round((time - (at[n - 1] ?? 0)) * 2) / 2);
  assert.deepEqual(waits, [0.5, 1, 2, 4, 8, 16, 60, 64, 128, 256, 512, 1024, 1800, 1800, 1800]);
});

test('a background that is stopped and started goes on where the waits were', async () => {
  const {browser} = await begin({installed: false, session: {failures: 8}});
  await clock.pass(120_000);
  assert.equal(browser.ports.length, 1);
  await clock.pass(10_000);
  assert.equal(browser.ports.length, 2);
});

test('a host that speaks and crashes is not started ever faster; one that lived is, at once', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  for (const wait of [500, 1000, 2000]) {
    browser.port.end();
    const before = browser.ports.length;
    await clock.pass(wait - 100);
    assert.equal(browser.ports.length, before);
    await clock.pass(200);
    assert.equal(browser.ports.length, before + 1);
  }
  await clock.pass(60_000);
  const before = browser.ports.length;
  browser.port.end();
  await clock.pass(600);
  assert.equal(browser.ports.length, before + 1);
});

test('a late word of a port that was given up is not heard', async () => {
  const {browser} = await begin();
  const old = browser.ports[0];
  await clock.pass(6000);
  assert.equal(browser.ports.length, 2);
  old.say({v: 1, event: 'state', serial: 1, state: stateAt('unrestricted')});
  await flush();
  assert.equal(browser.policy.value, locked);
});

test('a host that hangs while loose is noticed', async () => {
  const {browser} = await begin({state: stateAt('unrestricted')});
  await clock.pass(60_100);
  assert.equal(browser.port.asked('status').length, 1);
  browser.answer = null;
  await clock.pass(70_000);
  assert.equal(browser.policy.value, locked);
});

test('while locked the host is left in peace', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  await clock.pass(100_000);
  assert.equal(browser.port.asked('status').length, 0);
});

test('a policy holds: shown as held, reported as it is', async () => {
  const browser = createBrowser();
  browser.policy.holdBy('not_controllable', 'default');
  browser.answer = goodHost({state: stateAt('force_proxy')});
  createControl(browser.ext);
  await flush();
  assert.deepEqual([browser.shown.icon, browser.shown.badge], ['leaking', '!']);
  const {value, level_of_control, level} = browser.port.asked('report')[0];
  assert.deepEqual([value, level_of_control, level], ['default', 'not_controllable', 'unrestricted']);
});

test('another extension takes hold later: read, reported, shown, not fought', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  browser.log.length = 0;
  browser.policy.holdBy('controlled_by_other_extensions', 'default');
  await flush();
  assert.deepEqual([browser.shown.icon, browser.shown.badge], ['leaking', '!']);
  assert.equal(browser.port.asked('report').at(-1).level_of_control, 'controlled_by_other_extensions');
  assert.deepEqual(calls(browser, 'set'), []);
});

test('a setting that became loose and free is taken back', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  browser.policy.holdBy('controllable_by_this_extension', 'default');
  await flush();
  assert.equal(browser.policy.value, locked);
  assert.equal(browser.shown.icon, 'locked');
});

test('a browser that refuses: unknown, reported as unknown', async () => {
  const browser = createBrowser();
  browser.policy.broken = true;
  browser.answer = goodHost({state: stateAt('force_proxy')});
  createControl(browser.ext);
  await flush();
  assert.deepEqual([browser.shown.icon, browser.shown.badge], ['unknown', '?']);
  assert.equal(browser.port.asked('report')[0].level, null);
});

test('no host: locked, and Open and Locked work by hand', async () => {
  const {browser} = await begin({installed: false});
  assert.equal(browser.policy.value, locked);
  const popup = browser.openPopup();
  popup.onMessage.fire({mode: 'open'});
  await flush();
  assert.equal(browser.policy.value, 'default');
  assert.deepEqual(browser.local.content, {hand: 'open'});
  assert.equal(browser.shown.badge, '?');
  popup.onMessage.fire({mode: 'auto'});
  popup.onMessage.fire({mode: 'constructor'});
  popup.onMessage.fire(null);
  await flush();
  assert.equal(browser.policy.value, 'default');
  popup.onMessage.fire({mode: 'locked'});
  await flush();
  assert.equal(browser.policy.value, locked);
  assert.deepEqual(browser.local.content, {hand: 'locked', lockAsked: true});
});

test('no host: Open by hand is kept over a browser start, after the lock', async () => {
  const {browser} = await begin({installed: false, local: {hand: 'open'}});
  assert.deepEqual(browser.log.filter(([what, name]) => name === 'policy' && what !== 'get'),
    [['set', 'policy', locked], ['set', 'policy', locked], ['clear', 'policy']]);
});

test('Locked by hand is asked of a host that comes back in another mode, before it can loosen', async () => {
  const {browser} = await begin({installed: false});
  const popup = browser.openPopup();
  await flush();
  popup.onMessage.fire({mode: 'locked'});
  browser.installed = true;
  const host = {state: stateAt('unrestricted')};
  browser.answer = (frame, port) => {
    if (frame.op === 'set_mode') host.state = stateAt('force_proxy', {mode: 'locked'});
    goodHost(host)(frame, port);
  };
  await clock.pass(30_000);
  assert.equal(browser.port.asked('set_mode')[0]?.mode, 'locked');
  assert.equal(calls(browser, 'clear').length, 0);
});

test('what was chosen by hand ends with the first word of a host', async () => {
  const {browser} = await begin({local: {hand: 'open'}, state: stateAt('force_proxy')});
  assert.equal(browser.policy.value, locked);
  assert.deepEqual(browser.local.content, {hand: 'locked'});
  browser.installed = false;
  browser.port.end();
  await clock.pass(5000);
  assert.equal(browser.policy.value, locked);
});

test('a host that cannot be understood ends it too, and Open can be chosen again', async () => {
  const browser = createBrowser({local: {hand: 'open'}});
  browser.answer = (_, port) => setImmediate(() => port.say({v: 99}));
  createControl(browser.ext);
  await flush();
  assert.equal(browser.policy.value, locked);
  const popup = browser.openPopup();
  await flush();
  popup.onMessage.fire({mode: 'open'});
  await clock.pass(60_000);
  assert.equal(browser.policy.value, 'default');
});

test('host gone: Open by hand does not go below the floor that it stated', async () => {
  const {browser} = await begin({state: stateAt('force_proxy', {floor: 'force_proxy'})});
  browser.installed = false;
  browser.port.end();
  await clock.pass(100);
  const popup = browser.openPopup();
  popup.onMessage.fire({mode: 'open'});
  await flush();
  assert.equal(browser.policy.value, locked);
  assert.equal(popup.sent.at(-1).notes[0].key, 'error_below_floor');
});

test('with a host a choice goes to it, and what it says comes back', async () => {
  const {browser, host} = await begin({state: stateAt('force_proxy')});
  const popup = browser.openPopup();
  await flush();
  host.state = stateAt('unrestricted', {mode: 'open', reasons: [{code: 'mode_open', text: 'open'}]});
  popup.onMessage.fire({mode: 'open'});
  await flush();
  assert.deepEqual(browser.port.asked('set_mode').map(({mode}) => mode), ['open']);
  assert.equal(browser.policy.value, 'default');
  const {modes, cause} = popup.sent.at(-1);
  assert.ok(modes[2].checked);
  assert.equal(cause.key, 'reason_mode_open');
  assert.ok(!browser.local.content.hand);
});

test('a refused choice is said, and nothing changes', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  const popup = browser.openPopup();
  await flush();
  browser.answer = ({id, op}, port) => setImmediate(() => port.say(op === 'set_mode'
    ? {v: 1, id, ok: false, code: 'below_floor', what: 'the floor is', object: 'force_proxy'} : {v: 1, id, ok: true}));
  popup.onMessage.fire({mode: 'open'});
  await flush();
  assert.equal(popup.sent.at(-1).notes[0].key, 'error_below_floor');
  assert.ok(popup.sent.at(-1).modes[0].checked);
  assert.equal(browser.policy.value, locked);
});

test('a choice that is not answered is said, and the host is given up', async () => {
  const {browser} = await begin({state: stateAt('force_proxy')});
  const popup = browser.openPopup();
  await flush();
  browser.answer = null;
  popup.onMessage.fire({mode: 'open'});
  await clock.pass(5100);
  assert.deepEqual(popup.sent.at(-1).notes.map((/** @type {any} */ {key}) => key), ['host_silent']);
  assert.equal(browser.policy.value, locked);
});

test('a popup sees each change, and none after it is closed', async () => {
  const {browser} = await begin({state: stateAt('unrestricted')});
  const popup = browser.openPopup();
  await flush();
  assert.equal(popup.sent.at(-1).icon, 'open');
  browser.port.say({v: 1, event: 'state', serial: 2, state: stateAt('force_proxy')});
  await flush();
  assert.equal(popup.sent.at(-1).icon, 'locked');
  popup.end();
  const before = popup.sent.length;
  browser.port.say({v: 1, event: 'state', serial: 3, state: stateAt('unrestricted')});
  await flush();
  assert.equal(popup.sent.length, before);
});

test('opening the popup reads again and tries the host at once', async () => {
  const {browser} = await begin({installed: false});
  await clock.pass(20_000);
  browser.installed = true;
  browser.answer = goodHost({state: stateAt('unrestricted')});
  browser.log.length = 0;
  browser.openPopup();
  await flush();
  assert.ok(browser.log.some(([what, name]) => what === 'get' && name === 'policy'));
  assert.equal(browser.policy.value, 'default');
});

test('other ports are not served', async () => {
  const {browser} = await begin();
  const port = browser.openPopup();
  const other = new (/** @type {any} */ (port.constructor))(browser.log, browser);
  other.name = 'stranger';
  browser.events.onConnect.fire(other);
  await flush();
  assert.equal(other.sent.length, 0);
  assert.equal(other.onMessage.listeners.length, 0);
});
