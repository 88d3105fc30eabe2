// SPDX-License-Identifier: Apache-2.0
// Shows the view that the background makes, and sends back what the person chose. Text goes in by
// textContent only: part of it comes from the host and from pages.

import {connectTo} from './ext.js';
import {byId, ext, input, make, say, startPage, word, write} from './page.js';
import {createSite} from './popup_site.js';

/** @typedef {import('./view.js').View} View */
/** @typedef {import('./view.js').Words} Words */

const post = connectTo(ext, 'popup', (view) => show(view));

/** @param {Words[]} notes */
function showNotes(notes) {
  const list = byId('notes');
  const lines = notes.map(say).filter(Boolean);
  while (list.children.length > lines.length) list.lastElementChild?.remove();
  while (list.children.length < lines.length) list.append(make('li', {}));
  lines.forEach((line, at) => write(list.children[at], line));
}

/** @param {View} view */
function showModes({modes, fixed}) {
  for (const id of ['auto', 'locked', 'route', 'open']) {
    const mode = modes.find((one) => one.id === id);
    input(id).checked = mode?.checked ?? false;
    input(id).disabled = !mode?.enabled;
    /** @type {HTMLElement} */ (input(id).parentElement).hidden = !mode;
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
    const name = title || word('connections_unnamed');
    const buttons = ['reload', 'close'].map((verb) => {
      const label = {'aria-label': word(`connections_${verb}_label`, name)};
      const button = make('button', label, word(`connections_${verb}`));
      button.addEventListener('click', () => post({[verb]: id}));
      return button;
    });
    return make('li', {}, make('span', {}, word('connections_of', name, String(count))),
      make('div', {class: 'buttons'}, ...buttons));
  }));
}

/** @param {View} view */
function show(view) {
  const {icon, cause, sentence, notes, hostHelp, stale} = view;
  document.body.dataset.state = icon;
  byId('icon').setAttribute('src', `icons/${icon}.svg`);
  write('cause', say(cause));
  write('sentence', say(sentence));
  showNotes(notes);
  byId('help').hidden = !hostHelp;
  showModes(view);
  site.show(view);
  showConnections(stale);
  if (!document.body.dataset.drawn) performance.mark('drawn');
  document.body.dataset.drawn = 'yes';
}

startPage();
byId('modes').addEventListener('change', (event) => {
  post({mode: /** @type {HTMLInputElement} */ (event.target).value});
});
for (const link of document.querySelectorAll('a')) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    ext.tabs.create({url: link.href}).then(() => close());
  });
}
const site = createSite(post);
// A background that was stopped takes longer to start than its last word takes to read.
ext.storage.session.get('shown').then(({shown}) => {
  if (shown && !document.body.dataset.drawn) show(JSON.parse(String(shown)));
}).catch(() => {});
