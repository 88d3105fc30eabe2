// SPDX-License-Identifier: Apache-2.0
// A small client of Firefox's Marionette (testing/marionette in the Firefox source): it reaches what WebDriver
// BiDi does not, the preferences and the extension's own pages. Messages are `<length>:<json>`, a request
// [0, id, command, parameters], a reply [1, id, error, result].

import {once} from 'node:events';
import {createConnection} from 'node:net';

/** @param {number} port */
export async function connectMarionette(port) {
  const socket = createConnection(port, '127.0.0.1');
  await once(socket, 'connect');
  let bytes = Buffer.alloc(0);
  let last = 0;
  /** @type {Map<number, {resolve: (value: any) => void, reject: (why: Error) => void}>} */
  const waiting = new Map();

  socket.on('error', () => {});
  socket.on('close', () => {
    for (const {reject} of waiting.values()) reject(new Error('Firefox closed the connection'));
  });
  socket.on('data', (/** @type {Buffer} */ more) => {
    bytes = Buffer.concat([bytes, more]);
    for (let colon; (colon = bytes.indexOf(':')) > 0;) {
      const end = colon + 1 + Number(bytes.toString('latin1', 0, colon));
      if (bytes.length < end) return;
      const message = JSON.parse(bytes.toString('utf8', colon + 1, end));
      bytes = bytes.subarray(end);
      if (!Array.isArray(message)) continue;  // the greeting
      const [, id, error, result] = message;
      if (error) waiting.get(id)?.reject(new Error(`${error.error}: ${error.message}`));
      else waiting.get(id)?.resolve(result);
      waiting.delete(id);
    }
  });

  /** @param {string} command @param {object} [parameters] @returns {Promise<any>} */
  const call = (command, parameters = {}) => new Promise((resolve, reject) => {
    const body = JSON.stringify([0, ++last, command, parameters]);
    waiting.set(last, {resolve, reject});
    socket.write(`${Buffer.byteLength(body)}:${body}`);
  });

  /** Runs a function body, with `args` as its arguments, where it may touch everything (`chrome`) or as the page.
   * @param {'chrome' | 'content'} context @param {string} script @param {unknown[]} [args] */
  async function run(context, script, args = []) {
    await call('Marionette:SetContext', {value: context});
    return (await call('WebDriver:ExecuteScript', {script, args})).value;
  }

  return {call, run, close: () => socket.destroy()};
}
