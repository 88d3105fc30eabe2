// SPDX-License-Identifier: Apache-2.0
// Who may speak to the background. The popup and the extension's other pages, by the browser's word on who
// they are, may choose; scripts beside pages may only say how many connections there are. No web page can
// connect at all.

import {portName as connectionsPort} from './connections.js';

/** @typedef {Record<string, (argument: any, message: any) => unknown>} Verbs  what a page may ask for */

/** @param {import('./ext.js').Api} ext @param {chrome.runtime.Port} port */
const isOurs = (ext, {sender}) =>
  sender?.id === ext.runtime.id && (sender?.url ?? '').startsWith(ext.runtime.getURL(''));

/** @param {import('./ext.js').Api} ext
 * @param {{verbs: Verbs, opened: () => void, connections: (port: chrome.runtime.Port) => void,
 *   shown: (name: string) => object}} to `shown`: what a page of that name is to show */
export function createDoors(ext, {verbs, opened, connections, shown}) {
  /** @type {Set<chrome.runtime.Port>} */
  const pages = new Set();

  ext.runtime.onConnect.addListener((port) => {
    if (port.name === connectionsPort && port.sender?.tab && !isOurs(ext, port)) return connections(port);
    if (!['popup', 'page'].includes(port.name) || !isOurs(ext, port)) return port.disconnect();
    pages.add(port);
    port.onDisconnect.addListener(() => pages.delete(port));
    port.onMessage.addListener((message) => hear(port, message));
    opened();
    tell(port, shown(port.name));
  });

  /** @param {chrome.runtime.Port} port @param {any} message */
  async function hear(port, message) {
    const verb = Object.keys(verbs).find((name) => Object.hasOwn(message ?? {}, name));
    if (!verb) return;
    const id = message.id;
    try {
      const result = await verbs[verb](message[verb], message);
      if (id !== undefined) tell(port, {answer: id, result});
    } catch (refusal) {
      const {code = 'internal', what = '', object = ''} = /** @type {any} */ (refusal) ?? {};
      if (id !== undefined) tell(port, {answer: id, refusal: {code, what, object}});
    }
  }

  /** @param {chrome.runtime.Port} port @param {object} message */
  function tell(port, message) {
    try {
      port.postMessage(message);
    } catch {
      pages.delete(port);  // closed, and its event not here yet
    }
  }

  /** Shows every open page what is so now. */
  function publish() {
    for (const port of pages) tell(port, shown(port.name));
  }

  return {publish};
}
