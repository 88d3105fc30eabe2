// SPDX-License-Identifier: Apache-2.0
// A page's port to a background that the browser stops under it.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {connectTo} from '../../../extension/ext.js';
import {clockOfEachTest} from '../lib/fake_clock.mjs';

const clock = clockOfEachTest();

/** A browser that hands out ports. */
function create() {
  const ports = /** @type {any[]} */ ([]);
  const heard = /** @type {any[]} */ ([]);
  let gone = 0;
  const connect = () => {
    const port = {posted: /** @type {any[]} */ ([]), dead: false, hear: /** @type {any} */ (null), end: () => {},
      onMessage: {addListener: (/** @type {any} */ listener) => { port.hear = listener; }},
      onDisconnect: {addListener: (/** @type {any} */ listener) => { port.end = listener; }},
      postMessage(/** @type {any} */ message) {
        if (port.dead) throw new Error('Attempt to postMessage on disconnected port');
        port.posted.push(message);
      }};
    ports.push(port);
    return port;
  };
  const post = connectTo(/** @type {any} */ ({runtime: {connect}}), 'popup', (one) => heard.push(one),
    () => { gone++; });
  return {ports, heard, post, gone: () => gone};
}

test('a port that closed is opened again, and what its new end says is heard', async () => {
  const {ports, heard, gone} = create();
  ports[0].end();
  assert.deepEqual([ports.length, gone()], [1, 1]);
  await clock.pass(500);
  assert.equal(ports.length, 2);
  ports[1].hear('view');
  assert.deepEqual(heard, ['view']);
});

test('what a person chose before that is not lost, and is sent once', async () => {
  const {ports, post} = create();
  ports[0].end();
  post({mode: 'locked'});
  await clock.pass(2000);
  assert.deepEqual(ports.map(({posted}) => posted), [[], [{mode: 'locked'}]]);
});

test('a port that is found dead only as it is used is replaced too', async () => {
  const {ports, post, gone} = create();
  ports[0].dead = true;
  post({mode: 'locked'});
  await clock.pass(2000);
  ports[0].end();  // late: another took its place
  await clock.pass(2000);
  assert.deepEqual([ports.map(({posted}) => posted), gone()], [[[], [{mode: 'locked'}]], 1]);
  post({mode: 'auto'});
  assert.deepEqual([ports.length, ports[1].posted.length], [2, 2]);
});
