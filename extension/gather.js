// SPDX-License-Identifier: Apache-2.0
// What a site could learn from this browser. In Firefox the extension's own pages are as good as a site.
// Chromium spares extensions every WebRTC setting and shows them, unasked, all that it shows a site which may
// use the microphone. So there the test runs in a page of no site, a data: URL in a tab of its own. Such a
// page can speak to nobody; it asks for an address under a name that no one can own (RFC 6761), and the
// extension reads the question from webRequest, for which it needs a permission for that name alone.

import {familyOf} from './ext.js';
import {parseCandidate} from './leak.js';
import {candidateLines} from './peer.js';

/** @typedef {import('./leak.js').Gathered} Gathered */

/** Milliseconds: how long is gathered, and how long the other page may take in all. */
export const gatherTime = 4000;
const patience = 20_000;

const nobody = 'https://leak-test.invalid/';

/** What a test needs that the extension does not have by itself.
 * @param {import('./ext.js').Api} ext @returns {chrome.permissions.Permissions | null} */
export const permissionToTest = (ext) =>
  familyOf(ext) === 'firefox' ? null : {permissions: ['webRequest'], origins: [`${nobody}*`]};

/** @param {import('./ext.js').Api} ext
 * @param {string[]} servers as `stun:host:port`; with none, only what needs no server
 * @param {boolean} [own] in the extension's own page, whatever the browser
 * @returns {Promise<Gathered>} rejects when the test could not be made */
export async function gather(ext, servers, own = false) {
  const asked = servers.length ? servers : [''];
  // One connection for each server, so that it is known which one answered.
  const lines = own || !permissionToTest(ext) ?
    await Promise.all(asked.map((server) => candidateLines(server, gatherTime))) :
    await linesOfOtherPage(ext, asked);
  const found = lines.map((list, at) => (list ?? []).flatMap((line) => parseCandidate(line, asked[at])));
  return {
    api: lines.some((list) => list !== null),
    found: found.flat(),
    answered: servers.filter((_, at) => found[at].some(({type}) => type === 'srflx'))};
}

/** @param {string[]} servers @param {string} secret by which the answer is known @param {string} title */
function pageFor(servers, secret, title) {
  const script = `const candidateLines = ${candidateLines};
    Promise.all(${JSON.stringify(servers)}.map((one) => candidateLines(one, ${gatherTime}))).then((lines) =>
      fetch('${nobody}${secret}?' + encodeURIComponent(JSON.stringify(lines)), {mode: 'no-cors'}));`;
  const html = `<!DOCTYPE html><meta charset="utf-8"><title>icelock</title><p></p>
    <script>document.querySelector('p').textContent = ${JSON.stringify(title)};${script}</script>`;
  return `data:text/html;charset=utf-8,${encodeURIComponent(html)}`;
}

/** @param {import('./ext.js').Api} ext @param {string[]} servers
 * @returns {Promise<(string[] | null)[]>} the candidate lines for each server */
async function linesOfOtherPage(ext, servers) {
  const secret = crypto.randomUUID();
  const prefix = `${nobody}${secret}?`;
  /** @type {(url: string) => void} */
  let answer = () => {};
  const answered = new Promise((resolve) => { answer = resolve; });
  const hear = (/** @type {{url: string}} */ {url}) => {
    if (url.startsWith(prefix)) answer(url.slice(prefix.length));
    return undefined;
  };
  ext.webRequest.onBeforeRequest.addListener(hear, {urls: [`${nobody}*`]});
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let late;
  /** @type {chrome.tabs.Tab | undefined} */
  let tab;
  try {
    const url = pageFor(servers, secret, ext.i18n.getMessage('check_other_page'));
    tab = await ext.tabs.create({active: false, url});
    const text = await Promise.race([answered,
      new Promise((_, reject) => { late = setTimeout(() => reject(new Error('timeout')), patience); })]);
    return readLines(JSON.parse(decodeURIComponent(String(text))), servers.length);
  } finally {
    clearTimeout(late);
    ext.webRequest.onBeforeRequest.removeListener(hear);
    if (tab?.id !== undefined) ext.tabs.remove(tab.id).catch(() => {});
  }
}

/** @param {any} lines @param {number} count @returns {(string[] | null)[]} */
function readLines(lines, count) {
  const right = Array.isArray(lines) && lines.length === count && lines.every((list) => list === null ||
    (Array.isArray(list) && list.every((one) => typeof one === 'string')));
  if (!right) throw new Error('answer');
  return lines;
}

/** Whether this document may use the microphone or camera.
 * @returns {Promise<boolean>} */
export async function holdsPermission() {
  const states = await Promise.all(['microphone', 'camera'].map((name) =>
    navigator.permissions.query({name: /** @type {any} */ (name)}).then(({state}) => state, () => '')));
  return states.includes('granted');
}
