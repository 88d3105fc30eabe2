// SPDX-License-Identifier: Apache-2.0
// A background in a fake browser, for the tests of one part of it.

import {createControl} from '../../../extension/control.js';
import {createBrowser, goodHost} from './fake_browser.mjs';
import {flush} from './fake_clock.mjs';

/** With `state`, a host that is in good health.
 * @param {Parameters<typeof createBrowser>[0] & {state?: any, installed?: boolean}} [options] */
export async function begin({state, installed = state !== undefined, ...options} = {}) {
  const browser = createBrowser(options);
  browser.installed = installed;
  const host = {serial: 1, state};
  if (state) browser.answer = goodHost(host);
  createControl(browser.ext);
  await flush();
  return {browser, host};
}

/** The same browser with a new background: the old one was stopped, or all of it was started anew.
 * @param {import('./fake_browser.mjs').Browser} browser
 * @param {{restarted?: boolean, tabs?: Record<number, string>, state?: any}} [options] */
export function again(browser, {restarted = false, tabs = {}, state} = {}) {
  const open = Object.fromEntries([...browser.tabs.open].map(([id, {url}]) => [id, url]));
  return begin({state, family: browser.family, local: browser.local.content,
    session: restarted ? {} : browser.session.content, tabs: restarted ? tabs : open});
}
