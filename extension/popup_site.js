// SPDX-License-Identifier: Apache-2.0
// The popup's part on the site of the tab that it was opened over. That tab's address is known through
// `activeTab`: for this one tab, because the person opened the popup there, and never of other tabs.

import {byId, ext, make, word, write} from './page.js';
import {countdown, matches, siteName, siteOf} from './sites.js';

/** @typedef {import('./view.js').View} View */
/** @typedef {View['site']['exceptions'][number]} Shown */

/** @param {(message: object) => void} post */
export function createSite(post) {
  /** @type {View['site'] | null} */
  let shown = null;
  /** @type {{id: number, url: string, site: ReturnType<typeof siteOf>} | null} */
  let tab = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let ticking;
  let buttonsShown = '';

  find();

  async function find() {
    const [tabs, services] = await Promise.all([
      ext.tabs.query({active: true, currentWindow: true}),
      fetch('call-sites.json').then((file) => file.json()).catch(() => [])]);
    const {id = -1, url = ''} = tabs[0] ?? {};
    tab = {id, url, site: siteOf(url, services)};
    draw();
  }

  /** @param {View} view */
  function show({site}) {
    shown = site;
    draw();
  }

  function draw() {
    clearTimeout(ticking);
    if (!shown || !tab) return;
    byId('site').hidden = false;
    const {says, is, buttons} = content(shown, tab);
    write('site_says', says);
    write('site_is', is);
    showButtons(buttons);
  }

  /** @typedef {{text: string, label?: string, message: object}} Button */
  /** @typedef {{says: string, is: string, buttons: Button[]}} Content */

  /** @param {View['site']} now @param {NonNullable<typeof tab>} over @returns {Content} */
  function content(now, over) {
    const here = now.exceptions.find(({pattern}) => matches(pattern, over.url));
    if (here) return running(here, here.tab === over.id);
    const elsewhere = now.exceptions.find(({kind}) => kind === 'browser');
    if (elsewhere) return running(elsewhere, false, true);
    const kept = Object.entries(now.kept).some(([pattern, tabs]) =>
      tabs.includes(over.id) && matches(pattern, over.url));
    if (kept) {
      const wait = now.keptUntil - Date.now();
      if (wait > 0) ticking = setTimeout(draw, wait);
      const reopen = {text: word('site_reopen'), message: {reopen: over.id}};
      return {says: word('site_kept'), is: '', buttons: wait > 0 ? [] : [reopen]};
    }
    const says = {works: 'site_calls_work', floor: 'site_floor', held: 'site_held'}[String(now.way)];
    if (says) return {says: word(says), is: '', buttons: []};
    if (!over.site) return {says: word('site_none'), is: '', buttons: []};
    return offer(now, over.id, over.site);
  }

  /** @param {Shown} one @param {boolean} mine whether it ends with this tab @param {boolean} [elsewhere]
   * @returns {Content} */
  function running({kind, pattern, by, until}, mine, elsewhere = false) {
    const left = until === null ? '' : countdown(until - Date.now());
    if (left) ticking = setTimeout(draw, 1000);
    const says = elsewhere ? word('site_other_time', siteName(pattern), left) :
      by === 'admin' ? word('site_active_admin') :
        kind === 'service' && mine ? word('site_active_call') :
          left ? word('site_active_time', left) : word('site_active_always');
    const buttons = by === 'you' ? [{text: word('site_end'), message: {deny: pattern}}] : [];
    const is = kind === 'service' ? word('site_service_is') : '';
    return {says, is, buttons};
  }

  /** @param {View['site']} now @param {number} id @param {{pattern: string, name: string}} site
   * @returns {Content} */
  function offer({way, family, hostOld}, id, {pattern, name}) {
    const spans = way === 'service' ? ['call', 'hour', 'always'] : ['call', 'hour'];
    const buttons = spans.map((span) => ({
      text: word(`site_${span}`), label: word('site_allow_label', name, word(`site_${span}`)),
      message: {allow: {tab: id, pattern, span}}}));
    const is = way === 'service' ? 'site_service_is' : family === 'firefox' ? 'site_browser_firefox' :
      hostOld ? 'site_host_old' : 'site_browser_no_service';
    return {says: word('site_allow', name), is: word(is), buttons};
  }

  /** @param {Button[]} buttons */
  function showButtons(buttons) {
    const now = JSON.stringify(buttons);
    if (now === buttonsShown) return;
    buttonsShown = now;
    byId('site_buttons').replaceChildren(...buttons.map(({text, label, message}) => {
      const button = make('button', label ? {'aria-label': label} : {}, text);
      button.addEventListener('click', () => post(message));
      return button;
    }));
  }

  return {show};
}
