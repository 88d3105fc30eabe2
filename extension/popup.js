// SPDX-License-Identifier: Apache-2.0
// Shows the view that the background makes, and sends back what the person chose. Text goes in by
// textContent only: part of it comes from the host.

import {api, words} from './ext.js';

/** @typedef {import('./state.js').View} View */
/** @typedef {import('./state.js').Words} Words */

const ext = api();
const port = ext.runtime.connect({name: 'popup'});

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {Words} message */
const text = ({key, args, text: instead}) => (key && words(ext, key, args)) || instead || '';

/** Only what differs is touched, so that a screen reader is not made to read the same thing again.
 * @param {HTMLElement} element @param {string} wanted */
function write(element, wanted) {
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** @param {Words[]} notes */
function showNotes(notes) {
  const list = byId('notes');
  const lines = notes.map(text).filter(Boolean);
  while (list.children.length > lines.length) list.lastElementChild?.remove();
  while (list.children.length < lines.length) list.append(document.createElement('li'));
  lines.forEach((line, at) => write(/** @type {HTMLElement} */ (list.children[at]), line));
}

/** @param {View} view */
function show({icon, sentence, notes, modes}) {
  document.body.dataset.state = icon;
  byId('icon').setAttribute('src', `icons/${icon}.svg`);
  write(byId('sentence'), text(sentence));
  showNotes(notes);
  for (const {id, checked, enabled} of modes) {
    const input = /** @type {HTMLInputElement} */ (byId(id));
    input.checked = checked;
    input.disabled = !enabled;
  }
}

for (const element of document.querySelectorAll('[data-words]')) {
  element.textContent = words(ext, /** @type {HTMLElement} */ (element).dataset.words ?? '');
}
document.documentElement.lang = ext.i18n.getUILanguage();
document.title = words(ext, 'app_name');
byId('modes').addEventListener('change', (event) => {
  port.postMessage({mode: /** @type {HTMLInputElement} */ (event.target).value});
});
port.onMessage.addListener(show);
