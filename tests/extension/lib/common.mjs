// SPDX-License-Identifier: Apache-2.0
import {fileURLToPath} from 'node:url';

/** @param {string} path from this folder */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const extensionDir = here('../../../extension');
export const fakeHost = here('./fake_host.mjs');
/** Where tests leave pictures for people. */
export const outputDir = process.env.ICELOCK_TEST_OUTPUT ?? here('../../../build/extension');

/** @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again until the answer is truthy, and gives it.
 * @template T @param {() => T | Promise<T>} ask @param {string} what for the error @param {number} [ms]
 * @returns {Promise<Exclude<T, false | null | undefined | 0 | ''>>} */
export async function until(ask, what, ms = 20_000) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return /** @type {any} */ (answer);
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await sleep(5);
  }
}
