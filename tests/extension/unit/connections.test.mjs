// SPDX-License-Identifier: Apache-2.0
// Connections from before the lock, as scripts beside pages report them.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {loosestIn, readHeld} from '../../../extension/connections.js';
import {again, begin} from '../lib/background.mjs';
import {stateAt} from '../lib/fake_browser.mjs';
import {clockOfEachTest, flush} from '../lib/fake_clock.mjs';

const tabs = {4: 'https://meet.example/room', 5: 'https://other.example/'};
const clock = clockOfEachTest();

/** A background that watches, with a host at this level. @param {string} level */
async function watching(level) {
  const {browser} = await begin({tabs, state: stateAt(level), local: {settings: {watchConnections: true}}});
  browser.permissions.given = true;
  browser.permissions.onAdded.fire({});
  await flush();
  return browser;
}

/** @param {import('../lib/fake_browser.mjs').Browser} browser */
const page = (browser, tab = 4) =>
  browser.connect('connections', {id: 'id', url: 'https://meet.example/room', tab: {id: tab}});

/** @param {import('../lib/fake_browser.mjs').Browser} browser @param {string} level */
async function turn(browser, level) {
  browser.port.say({v: 1, event: 'state', serial: 9, state: stateAt(level)});
  await flush();
}

/** @param {number} [count] */
const held = (count = 1, at = Date.now()) => ({count, first: at, last: at});

test('off by default, and off without the permission', async () => {
  assert.deepEqual((await begin({state: stateAt('force_proxy')})).browser.scripts, []);
  const {browser} = await begin({state: stateAt('force_proxy'), local: {settings: {watchConnections: true}}});
  assert.deepEqual(browser.scripts, []);
});

test('on with switch and permission, off again without either', async () => {
  const browser = await watching('force_proxy');
  assert.deepEqual(browser.scripts.map(({js, world}) => [js[0], world]),
    [['watch_page.js', 'MAIN'], ['watch_relay.js', 'ISOLATED']]);
  const port = page(browser);
  browser.permissions.given = false;
  browser.permissions.onRemoved.fire({});
  await flush();
  assert.deepEqual([browser.scripts, port.closed], [[], false]);
  await browser.local.set({settings: {watchConnections: false}});
  await flush();
  assert.deepEqual(browser.scripts, []);
});

test('a connection opened while loose is named at the lock, and one opened after it is not', async () => {
  const browser = await watching('unrestricted');
  const popup = browser.openPopup();
  page(browser).onMessage.fire(held(2));
  await flush();
  assert.deepEqual([browser.shown.icon, popup.sent.at(-1).stale], ['open', []]);
  await clock.pass(10_000);
  await turn(browser, 'force_proxy');
  assert.deepEqual([browser.shown.icon, browser.shown.badge], ['leaking', '!']);
  assert.deepEqual(popup.sent.at(-1).stale, [{id: 4, title: 'Page 4', count: 2}]);
  await clock.pass(10_000);
  page(browser, 5).onMessage.fire(held());
  await flush();
  assert.deepEqual(popup.sent.at(-1).stale.length, 1);
});

test('tabs are named in their own order, not in that of their reports', async () => {
  const browser = await watching('unrestricted');
  const popup = browser.openPopup();
  for (const tab of [6, 5]) page(browser, tab).onMessage.fire(held());
  await clock.pass(10_000);
  await turn(browser, 'force_proxy');
  assert.deepEqual(popup.sent.at(-1).stale.map((/** @type {{id: number}} */ {id}) => id), [5, 6]);
});

test('closed connections and closed pages are forgotten', async () => {
  const browser = await watching('unrestricted');
  const [one, two] = [page(browser), page(browser, 5)];
  for (const port of [one, two]) port.onMessage.fire(held());
  await clock.pass(10_000);
  await turn(browser, 'force_proxy');
  assert.equal(browser.shown.icon, 'leaking');
  one.onMessage.fire({count: 0, first: 0, last: 0});
  two.end();
  await flush();
  assert.equal(browser.shown.icon, 'locked');
});

test('reload and close are done for the tab that was named', async () => {
  const browser = await watching('unrestricted');
  const popup = browser.openPopup();
  popup.onMessage.fire({reload: 4});
  popup.onMessage.fire({close: 5});
  await flush();
  assert.deepEqual(browser.tabs.asked, [['reload', 4], ['remove', 5]]);
});

test('a background that was stopped still knows how loose it was when a connection was opened', async () => {
  const browser = await watching('unrestricted');
  const opened = Date.now();
  await clock.pass(10_000);
  await turn(browser, 'force_proxy');
  const next = await again(browser, {state: stateAt('force_proxy')});
  await clock.pass(10_000);
  page(next.browser).onMessage.fire(held(1, opened));
  await flush();
  assert.equal(next.browser.shown.icon, 'leaking');
});

test('what is a count', () => {
  const now = 1000;
  assert.deepEqual(readHeld({count: 3, first: 1, last: 2, more: 'x'}, now), {count: 3, first: 1, last: 2});
  for (const bad of [null, 7, 'x', [], {}, {count: -1, first: 0, last: 0}, {count: 1000, first: 0, last: 0},
    {count: 1.5, first: 0, last: 0}, {count: 1, first: 2, last: 1}, {count: 1, first: 0, last: 3000},
    {count: 1, first: NaN, last: 1}, {count: '1', first: 0, last: 0}, {count: 1, first: 0}]) {
    assert.equal(readHeld(bad, now), null, JSON.stringify(bad));
  }
});

test('the loosest level of a span of time', () => {
  const history = /** @type {any[]} */ ([{at: 10, level: 'force_proxy'}, {at: 20, level: 'unrestricted'},
    {at: 30, level: 'force_proxy'}, {at: 40, level: null}]);
  const rows = /** @type {[number, number, string | null][]} */ ([[12, 15, 'force_proxy'], [12, 20, 'unrestricted'],
    [25, 26, 'unrestricted'], [25, 35, 'unrestricted'], [31, 35, 'force_proxy'], [35, 45, null], [50, 60, null],
    [0, 5, 'force_proxy']]);
  for (const [from, to, level] of rows) assert.equal(loosestIn(history, from, to), level, `${from} ${to}`);
});
