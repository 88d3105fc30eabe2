// SPDX-License-Identifier: Apache-2.0
// The test's end of the fake host: speaks docs/protocol.md for it.

import {mkdtemp, rm} from 'node:fs/promises';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {until} from './common.mjs';
import {stateAt} from './fake_browser.mjs';

/** One started host. */
export class HostLink {
  /** @type {any[]} every frame that the browser sent */
  frames = [];
  pid = 0;
  /** @type {string[]} */
  argv = [];
  browser = '';
  closed = false;
  /** @type {any[]} frames that nobody answered */
  left = [];

  /** @param {import('node:net').Socket} socket */
  constructor(socket) { this.socket = socket; }

  /** @param {any} frame */
  say(frame) { this.socket.write(`${JSON.stringify(frame)}\n`); }

  /** Ends the host without a word, as a crash would. */
  kill() { process.kill(this.pid, 'SIGKILL'); }

  /** @param {string} op */
  asked(op) { return this.frames.filter((frame) => frame.op === op); }

  /** @param {number} serial the report for that state, once it came */
  report(serial) {
    return until(() => this.asked('report').find((one) => one.serial === serial), `report ${serial}`);
  }
}

/** Listens. While `answer` is true each request is answered: with `state` and `serial` where the protocol wants them;
 * `refuse` makes set_mode fail with that code. A browser that gets no answer for 5 s takes another link, so a silence
 * ends with resume(). Give `env` to the browser; a test with several browsers takes forBrowser() for each. */
export async function createHostServer() {
  const folder = await mkdtemp(join(tmpdir(), 'icelock-host-'));
  const path = join(folder, 'socket');
  let browsers = 0;
  /** One browser's part of this. The last host of a browser that goes can come after the first of the next one, so
   * each sees its own links only. */
  const forBrowser = () => {
    const name = String(++browsers);
    const links = () => host.links.filter(({browser}) => browser === name);
    return {
      env: {ICELOCK_FAKE_HOST: path, ICELOCK_FAKE_BROWSER: name},
      /** How many hosts it started. */
      started: () => links().length,
      /** The newest link, once there are that many. @param {number} [count] */
      link: (count = 1) => until(() => links().length >= count && links().at(-1), `host start ${count}`),
      /** The report for that state on whichever link it came. @param {number} serial */
      report: (serial) => until(() => links().flatMap((link) => link.asked('report'))
        .find((one) => one.serial === serial), `report ${serial}`),
    };
  };

  const host = {
    ...forBrowser(),
    forBrowser,
    /** @type {HostLink[]} of all browsers */ links: [],
    answer: true,
    version: 1,
    /** @type {any} */ state: null,
    serial: 0,
    refuse: '',
    /** @type {any[]} what a probe finds */ probed: [],
    /** A new state for every link, and what the host finds of the browsers after it.
     * @param {any} state @param {import('../../../extension/host.js').Browser[]} [browsers] */
    push(state, browsers) {
      host.state = state;
      host.serial += 1;
      for (const link of host.links.filter(({closed}) => !closed)) {
        link.say({v: host.version, event: 'state', serial: host.serial, state});
        if (browsers) link.say({v: host.version, event: 'browsers', serial: host.serial, browsers});
      }
      return host.serial;
    },
    /** Answers again, also what was asked meanwhile. */
    resume() {
      host.answer = true;
      for (const link of host.links.filter(({closed}) => !closed)) {
        for (const frame of link.left.splice(0)) answer(link, frame);
      }
    },
    async close() {
      server.close();
      for (const {socket} of host.links) socket.destroy();
      await rm(folder, {recursive: true, force: true});
    },
  };

  /** @param {HostLink} link @param {any} frame */
  function answer(link, {id, op}) {
    const envelope = {v: host.version, id, ok: true};
    if (op === 'report') link.say(envelope);
    else if (op === 'probe') link.say({...envelope, links: host.probed, wildcards: []});
    else if (op === 'set_mode' && host.refuse) {
      link.say({...envelope, ok: false, code: host.refuse, what: 'refused', object: 'mode'});
    } else link.say({...envelope, serial: host.serial, state: host.state});
  }

  const server = createServer((socket) => {
    const link = new HostLink(socket);
    socket.on('error', () => {});
    socket.on('close', () => { link.closed = true; });
    createInterface({input: socket}).on('error', () => {}).on('line', (line) => {
      const frame = JSON.parse(line);
      if (link.pid === 0) {
        Object.assign(link, frame);
        host.links.push(link);
        return;
      }
      link.frames.push(frame);
      if (host.answer) answer(link, frame);
      else link.left.push(frame);
    });
  });
  await new Promise((resolve) => server.listen(path, () => resolve(null)));
  return host;
}

/** Measures and shows the time from a push to the extension's report; it asserts nothing.
 * @param {Awaited<ReturnType<typeof createHostServer>>} host @param {import('node:test').TestContext} context */
export async function pushToReport(host, context) {
  const link = await host.link();
  const took = [];
  for (let n = 0; n < 20; ++n) {
    const begin = performance.now();
    await link.report(host.push(stateAt(n % 2 ? 'force_proxy' : 'unrestricted')));
    took.push(performance.now() - begin);
  }
  took.sort((a, b) => a - b);
  context.diagnostic(`push to report: median ${took[10].toFixed(1)} ms, worst ${took[19].toFixed(1)} ms`);
}
