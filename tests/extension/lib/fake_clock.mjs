// SPDX-License-Identifier: Apache-2.0
// Time that passes only when a test says so. Replaces the global timers and Date.now.

import {afterEach, beforeEach} from 'node:test';

const real = {setTimeout, clearTimeout, setInterval, now: Date.now};

/** Lets every promise and callback that is ready run. */
export async function flush() {
  for (let turn = 0; turn < 20; ++turn) await new Promise((resolve) => setImmediate(resolve));
}

export function createClock() {
  let now = 1_000_000;
  let last = 0;
  /** @type {Map<number, {at: number, every: number, run: () => void}>} */
  const timers = new Map();
  const add = (/** @type {() => void} */ run, ms = 0, every = 0) => {
    timers.set(++last, {at: now + ms, every, run});
    return last;
  };
  Object.assign(globalThis, {
    setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => add(run, ms),
    setInterval: (/** @type {() => void} */ run, /** @type {number} */ ms) => add(run, ms, ms),
    clearTimeout: (/** @type {number} */ id) => timers.delete(id),
  });
  Date.now = () => now;

  /** @param {number} ms */
  async function pass(ms) {
    await flush();
    for (const end = now + ms; ;) {
      const [id, next] = [...timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (id === undefined || !next || next.at > end) {
        now = end;
        return;
      }
      now = next.at;
      if (next.every) next.at += next.every;
      else timers.delete(id);
      next.run();
      await flush();
    }
  }

  function restore() {
    Object.assign(globalThis, {setTimeout: real.setTimeout, clearTimeout: real.clearTimeout,
      setInterval: real.setInterval});
    Date.now = real.now;
  }

  return {pass, restore};
}

/** A clock of its own for each test of a file. */
export function clockOfEachTest() {
  /** @type {ReturnType<typeof createClock>} */
  let clock;
  beforeEach(() => { clock = createClock(); });
  afterEach(async () => {
    await flush();  // what a test left under way must not begin real timers
    clock.restore();
  });
  return {pass: (/** @type {number} */ ms) => clock.pass(ms)};
}
