// SPDX-License-Identifier: Apache-2.0
// What the extension's pages share. Text goes in by textContent only: part of it comes from the host, from
// files and from servers.

import {api, connectTo, words} from './ext.js';

/** @typedef {import('./state.js').Words} Words */
/** @typedef {import('./state.js').View & {raw: any}} View */

export const ext = api();

/** @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} id */
export const input = (id) => /** @type {HTMLInputElement} */ (byId(id));

/** @param {Words | null} message */
export const say = (message) =>
  (message?.key && words(ext, message.key, message.args)) || message?.text || '';

/** @param {string} key @param {...string} args */
export const word = (key, ...args) => words(ext, key, args);

/** Only what differs is touched, so that a screen reader is not made to read the same thing again.
 * @param {string | Element} place an element, or its id
 * @param {string} wanted */
export function write(place, wanted) {
  const element = typeof place === 'string' ? byId(place) : place;
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** @param {string} tag @param {Record<string, string>} attributes @param {...(string | Node)} children */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Fills in the words of the page, in the person's language and direction. @param {string} [title] its key */
export function startPage(title) {
  for (const element of document.querySelectorAll('[data-words]')) {
    element.textContent = word(/** @type {HTMLElement} */ (element).dataset.words ?? '');
  }
  document.documentElement.lang = ext.i18n.getUILanguage();
  document.documentElement.dir = word('@@bidi_dir') || 'ltr';
  document.title = title ? `${word(title)} - icelock` : word('app_name');
}

/** Talks to the background.
 * @param {(view: View) => void} onView */
export function connect(onView) {
  /** @type {Map<number, {resolve: (links: any) => void, reject: (why: any) => void}>} */
  const asked = new Map();
  let last = 0;
  const post = connectTo(ext, 'page', (message) => {
    if (!('answer' in message)) return onView(message);
    const waiting = asked.get(message.answer);
    asked.delete(message.answer);
    if (message.result) waiting?.resolve(message.result);
    else waiting?.reject(message.refusal);
  }, () => {
    for (const {reject} of asked.values()) reject({code: 'unavailable'});
    asked.clear();
  });

  return {
    post,
    /** @param {string} [stun] a server that the host may ask as well
     * @returns {Promise<{links: import('./leak.js').Link[]}>} */
    probe: (stun) => new Promise((resolve, reject) => {
      asked.set(++last, {resolve, reject});
      post({probe: {stun}, id: last});
    }),
  };
}

/** @param {string} text @param {string} done the id of the place that says so */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    write(done, word('page_copied'));
  } catch (error) {
    write(done, word('page_failed', String(error)));
  }
}

/** A moment as people of this language write it. @param {number} at */
export const moment = (at) => new Intl.DateTimeFormat(ext.i18n.getUILanguage(),
  {dateStyle: 'medium', timeStyle: 'short'}).format(at);
