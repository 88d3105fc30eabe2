// SPDX-License-Identifier: Apache-2.0
// The first page that a person sees: three steps, each of which says whether it is done.

import {familyOf} from './ext.js';
import {readHistory} from './leak.js';
import {byId, connect, ext, say, startPage, word, write} from './page.js';

const firefox = familyOf(ext) === 'firefox';

/** @param {string} id @param {boolean} done */
function mark(id, done) {
  byId(id).toggleAttribute('data-done', done);
  byId(id).setAttribute('aria-label', word(done ? 'welcome_done' : 'welcome_todo'));
}

async function showPrivate() {
  const allowed = await ext.extension.isAllowedIncognitoAccess();
  mark('private', allowed);
  write('private_is', word(allowed ? 'welcome_private_yes' :
    firefox ? 'welcome_private_no_firefox' : 'welcome_private_no'));
  byId('private_open').hidden = allowed || firefox;
  byId('private_how').hidden = allowed || !firefox;
}

async function showCheck() {
  mark('check', readHistory((await ext.storage.local.get('checks')).checks).length > 0);
}

startPage('page_welcome');
connect(({icon, sentence, raw}) => {
  document.body.dataset.state = icon;
  byId('icon').setAttribute('src', `icons/${icon}.svg`);
  write('sentence', say(sentence));
  const there = raw.host === 'connected';
  mark('host', there);
  write('host_is', word(there ? 'welcome_host_yes' : raw.host === 'silent' ? 'host_silent' :
    ['unusable', 'older', 'newer'].includes(raw.host) ? 'welcome_host_wrong' : 'welcome_host_no'));
  byId('host_get').hidden = there;
});
byId('private_open').addEventListener('click', () =>
  ext.tabs.create({url: `chrome://extensions/?id=${ext.runtime.id}`}));
byId('check_run').addEventListener('click', () => { location.href = 'test.html'; });
// What was allowed in the browser's own page shows when the person comes back.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) showPrivate();
});
ext.storage.onChanged.addListener(showCheck);
showPrivate();
showCheck();
