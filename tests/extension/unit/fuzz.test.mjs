// SPDX-License-Identifier: Apache-2.0
// A hostile host, and hostile pages, say whatever they like. The level is at all times one that a well-formed
// state asked for, or locked; nothing is thrown; and a page changes nothing but a number.
// ICELOCK_FUZZ_ROUNDS and ICELOCK_FUZZ_SEED make it longer and another.

import assert from 'node:assert/strict';
import {afterEach, beforeEach, test} from 'node:test';
import {isDeepStrictEqual} from 'node:util';
import {isLevel, levelOf} from '../../../extension/handling.js';
import {begin} from '../lib/background.mjs';
import {stateAt} from '../lib/fake_browser.mjs';
import {createClock, flush} from '../lib/fake_clock.mjs';

const rounds = Number(process.env.ICELOCK_FUZZ_ROUNDS ?? 300);
let seed = Number(process.env.ICELOCK_FUZZ_SEED ?? 1);
const locked = 'disable_non_proxied_udp';
/** @type {unknown[]} */
let faults = [];
/** @param {unknown} fault */
const note = (fault) => faults.push(fault);
/** @type {ReturnType<typeof createClock>} */
let clock;
beforeEach(() => {
  clock = createClock();
  faults = [];
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  await flush();
  clock.restore();
  process.off('unhandledRejection', note);
  assert.deepEqual(faults, []);
});

/** @param {number} below a small generator: mulberry32 */
function pick(below) {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

/** @template T @param {T[]} list @returns {T} */
const oneOf = (list) => list[pick(list.length)];

const odd = [null, undefined, true, 0, -1, 1e308, NaN, '', 'x', '__proto__', 'constructor', 'unrestricted', 'default',
  [], {}, [[]], {length: 9}, 'y'.repeat(5000), '<b>', '\u0000', '\ud800'];

/** A well-formed thing with some of it exchanged, left out or added. @param {any} thing @param {number} depth */
function spoil(thing, depth = 0) {
  if (pick(6) === 0 || depth > 6 || typeof thing !== 'object' || thing === null) return pick(4) ? thing : oneOf(odd);
  const copy = Array.isArray(thing) ? [...thing] : {...thing};
  for (const key of Object.keys(copy)) {
    if (pick(12) === 0) delete copy[key];
    else if (pick(4) === 0) copy[key] = spoil(copy[key], depth + 1);
  }
  if (pick(5) === 0) copy[oneOf(['v', 'id', 'state', 'serial', 'toString', 'event'])] = oneOf(odd);
  return copy;
}

const states = ['unrestricted', 'default_route_only', 'force_proxy', 'disabled'].map((level) => stateAt(level, {
  sites: {possible: true, list: [{pattern: 'https://a.b', level: 'default_route_only', seconds_left: 9, by: 'you'}]},
  modes: ['auto', 'open'], mode_fixed: false, mode_level: 'force_proxy', service: {present: true}}));

test('a hostile host', async (context) => {
  let [loose, exact] = [0, 0];
  for (let round = 0; round < rounds; ++round) {
    const {browser} = await begin({tabs: {1: 'https://a.b/'}, state: stateAt('force_proxy')});
    browser.answer = null;
    const popup = browser.openPopup();
    /** By any state so far: one that is not understood leaves an earlier one in force.
     * @type {Set<unknown>} */
    const asked = new Set();
    let clean = true;  // nothing spoiled yet, so the last state alone counts
    for (let n = 0; n < 5; ++n) {
      const ids = browser.port.sent.map(({id}) => id);
      const state = oneOf(states);
      const whole = oneOf([{v: 1, event: 'state', serial: 10 + n, state}, {v: 1, id: oneOf(ids), ok: true},
        {v: 1, id: oneOf(ids), ok: false, code: 'busy', what: 'x', object: 'y'},
        {v: 1, event: 'browsers', serial: 10 + n, browsers: [{id: 'chromium', problems: ['x']}]},
        {v: 1, id: oneOf(ids), ok: true, serial: 10 + n, state}]);
      const frame = pick(3) ? spoil(whole) : whole;
      clean &&= isDeepStrictEqual(frame, whole);
      browser.port.say(frame);
      await flush();
      const said = frame?.v === 1 && frame.state?.decision?.chromium;
      if (clean && isLevel(said)) asked.clear();
      if (isLevel(said)) asked.add(said);
      if (browser.policy.value !== locked) {
        loose += 1;
        if (clean) exact += 1;
        const level = levelOf('chromium', {policy: String(browser.policy.value)});
        assert.ok(asked.has(level), `${level}, asked ${[...asked]}: ${JSON.stringify(frame)}`);
      }
      if (browser.port.closed) break;
    }
    await clock.pass(70_000);  // a sign of life is asked for, and not given
    assert.equal(browser.policy.value, locked, 'a silent or useless host locks');
    for (const {icon} of popup.sent) assert.ok(['locked', 'alone', 'open', 'leaking'].includes(icon), icon);
  }
  context.diagnostic(`${rounds} hosts, ${loose} frames in force as looser than locked, ${exact} of them exactly`);
  assert.ok(exact > 0 && loose > exact);
});

/** What a page, a script beside one, or another program may say. */
const said = () => spoil(oneOf(/** @type {any[]} */ ([{mode: 'open'},
  {allow: {tab: 1, pattern: 'https://a.b', span: 'hour'}}, {deny: 'https://a.b'},
  {reload: 1}, {close: 1}, {reopen: 1}, {probe: {stun: 'evil'}, id: 1},
  {count: 3, first: 1, last: 2}, {count: pick(2000) - 500, first: pick(9), last: pick(9)}])));

test('hostile pages', async () => {
  const {browser} = await begin({tabs: {1: 'https://a.b/'}, state: stateAt('force_proxy')});
  const senders = [undefined, {}, {id: 'id'}, {id: 'id', url: 'https://a.b/'},
    {id: 'other', url: 'chrome-extension://id/x'},
    {id: 'id', url: 'https://a.b/chrome-extension://id/', tab: {id: 1}}, {id: 'id', url: 'https://a.b/', tab: {id: 1}},
    {id: 'id', url: 'chrome-extension://id.evil/popup.html', tab: {id: 1}}];
  await flush();
  browser.log.length = 0;
  for (let round = 0; round < rounds; ++round) {
    const port = browser.connect(oneOf(['popup', 'page', 'connections', 'x', '', '__proto__']), oneOf(senders) ?? {});
    for (let n = 0; n < 3; ++n) port.onMessage.fire(said());
    await flush();
    assert.deepEqual(port.sent, [], 'nobody is told anything');
    if (pick(2)) port.end();
  }
  assert.deepEqual(browser.log.filter(([what]) => ['set', 'clear', 'connect', 'store'].includes(String(what))), []);
  assert.deepEqual(browser.tabs.asked, []);
  assert.deepEqual(browser.port.sent.map(({op}) => op).filter((op) => !['subscribe', 'report'].includes(op)), []);
  assert.equal(browser.policy.value, locked);
});

test('a script beside a page that never stops is cut off', async () => {
  const {browser} = await begin({tabs: {1: 'https://a.b/'}, state: stateAt('force_proxy')});
  const port = browser.connect('connections', {id: 'id', url: 'https://a.b/', tab: {id: 1}});
  for (let n = 0; n < 6000; ++n) port.onMessage.fire({count: n % 3, first: 1, last: 1});
  await flush();
  assert.equal(port.closed, true);
  const ports = Array.from({length: 600}, () => browser.connect('connections', {id: 'id', url: 'x', tab: {id: 1}}));
  for (const one of ports) one.onMessage.fire({count: 1, first: 1, last: 1});
  await flush();
  assert.equal(ports.filter(({closed}) => closed).length >= 99, true);
});
