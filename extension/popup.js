// SPDX-License-Identifier: Apache-2.0
// Shows the view that the background makes, and sends back what the person chose. Text goes in by
// textContent only: part of it comes from the host and from pages.

import {api, connectTo, words} from './ext.js';
import {createSite} from './popup_site.js';

/** @typedef {import('./view.js').View} View */
/** @typedef {import('./view.js').Words} Words */

const ext = api();
const post = connectTo(ext, 'popup', (view) => show(view));

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {Words | null} message */
const text = (message) =>
  (message && ((message.key && words(ext, message.key, message.args)) || message.text)) || '';

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
function showModes({modes, fixed}) {
  for (const id of ['auto', 'locked', 'route', 'open']) {
    const mode = modes.find((one) => one.id === id);
    const input = /** @type {HTMLInputElement} */ (byId(id));
    input.checked = mode?.checked ?? false;
    input.disabled = !mode?.enabled;
    /** @type {HTMLElement} */ (input.parentElement).hidden = !mode;
  }
  byId('fixed').hidden = !fixed;
}

let tabsShown = '';

/** @param {View['stale']} stale */
function showConnections(stale) {
  byId('connections').hidden = stale.length === 0;
  const now = JSON.stringify(stale);
  if (now === tabsShown) return;
  tabsShown = now;
  byId('tabs').replaceChildren(...stale.map(({id, title, count}) => {
    const name = title || words(ext, 'connections_unnamed');
    const row = document.createElement('li');
    const label = document.createElement('span');
    label.textContent = words(ext, 'connections_of', [name, String(count)]);
    const buttons = document.createElement('div');
    buttons.className = 'buttons';
    buttons.append(...['reload', 'close'].map((verb) => {
      const button = document.createElement('button');
      button.textContent = words(ext, `connections_${verb}`);
      button.setAttribute('aria-label', words(ext, `connections_${verb}_label`, [name]));
      button.addEventListener('click', () => post({[verb]: id}));
      return button;
    }));
    row.append(label, buttons);
    return row;
  }));
}

/** @param {View} view */
function show(view) {
  const {icon, cause, sentence, notes, hostHelp, stale} = view;
  document.body.dataset.state = icon;
  byId('icon').setAttribute('src', `icons/${icon}.svg`);
  write(byId('cause'), text(cause));
  write(byId('sentence'), text(sentence));
  showNotes(notes);
  byId('help').hidden = !hostHelp;
  showModes(view);
  site.show(view);
  showConnections(stale);
  if (!document.body.dataset.drawn) performance.mark('drawn');
  document.body.dataset.drawn = 'yes';
}

for (const element of document.querySelectorAll('[data-words]')) {
  element.textContent = words(ext, /** @type {HTMLElement} */ (element).dataset.words ?? '');
}
document.documentElement.lang = ext.i18n.getUILanguage();
document.documentElement.dir = words(ext, '@@bidi_dir') || 'ltr';
document.title = words(ext, 'app_name');
byId('modes').addEventListener('change', (event) => {
  post({mode: /** @type {HTMLInputElement} */ (event.target).value});
});
for (const link of document.querySelectorAll('a')) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    ext.tabs.create({url: link.href}).then(() => close());
  });
}
const site = createSite(ext, {byId, write, post});
// A background that was stopped takes longer to start than its last word takes to read.
ext.storage.session.get('shown').then(({shown}) => {
  if (shown && !document.body.dataset.drawn) show(JSON.parse(String(shown)));
}).catch(() => {});
