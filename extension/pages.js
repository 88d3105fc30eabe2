// SPDX-License-Identifier: Apache-2.0
// What the background does for the extension's own pages: opens them, and runs the regular check where the
// person wants one. Nothing runs and no alarm is set where nobody does.

import {words} from './ext.js';
import {gather, permissionToTest} from './gather.js';
import {examine, isBad, remember} from './leak.js';
import {loadSettings, onSettings} from './settings.js';

/** @typedef {import('./leak.js').Link} Link */
/** @typedef {{state: any, level: import('./handling.js').Level | null}} Raw  of the background's view */
/** @typedef {{probe: (stun?: string) => Promise<{links: Link[]}>}} Background */

/** Minutes: how long the network must be quiet before a change is looked at, and how long a day is. */
const minutes = {check_network: 0.5, check_daily: 1440};

/** @param {import('./ext.js').Api} ext @param {string} page */
export const openPage = (ext, page) => ext.tabs.create({url: ext.runtime.getURL(page)});

/** Registers every listener before it returns.
 * @param {import('./ext.js').Api} ext @param {Background} background */
export function registerPages(ext, background) {
  /** @type {Raw} */
  let raw = {state: null, level: null};
  let network = '';

  ext.runtime.onInstalled.addListener(({reason}) => {
    if (reason === 'install') welcome(ext).catch(() => {});
  });
  ext.commands.onCommand.addListener((name) => {
    if (name === 'open_check') openPage(ext, 'test.html');
  });
  ext.alarms.onAlarm.addListener(({name}) => {
    if (Object.hasOwn(minutes, name)) check(name === 'check_daily' ? 'daily' : 'network').catch(() => {});
  });
  onSettings(ext, schedule);
  watchClicks();
  loadSettings(ext).then(schedule);

  /** @param {import('./settings.js').Settings} settings */
  async function schedule({regularCheck, stunAgreed}) {
    const daily = await ext.alarms.get('check_daily');
    if (!regularCheck || !stunAgreed) {
      for (const name of Object.keys(minutes)) ext.alarms.clear(name);
    } else if (!daily) {
      ext.alarms.create('check_daily', {delayInMinutes: 1, periodInMinutes: minutes.check_daily});
    }
  }

  /** The background heard or read something new. @param {Raw} now */
  async function changed(now) {
    raw = now;
    const seen = JSON.stringify(now.state?.network ?? null);
    if (seen === network || !now.state) return;
    network = seen;
    const before = await ext.storage.session.get('network').catch(() => ({network: undefined}));
    ext.storage.session.set({network: seen}).catch(() => {});
    // The first network of a session is no change, and neither is that of a background which woke up.
    if (before.network === undefined || before.network === seen) return;
    const {regularCheck, stunAgreed} = await loadSettings(ext);
    // An alarm of the same name is replaced, so this waits for quiet.
    if (regularCheck && stunAgreed) {
      ext.alarms.create('check_network', {delayInMinutes: minutes.check_network});
    }
  }

  /** @param {import('./leak.js').Cause} cause */
  async function check(cause) {
    const {regularCheck, stunAgreed, stunServers, notifications} = await loadSettings(ext);
    const needed = permissionToTest(ext);
    if (!regularCheck || !stunAgreed || (needed && !await ext.permissions.contains(needed))) return;
    const gathered = await gather(ext, stunServers);
    const probe = raw.state ? await background.probe().catch(() => null) : null;
    const result = examine(gathered, {...raw, links: probe?.links ?? null},
      {at: Date.now(), cause, permission: false, servers: stunServers});
    const {checks} = await ext.storage.local.get('checks');
    await ext.storage.local.set({checks: remember(checks, result)});
    if (isBad(result.verdict) && notifications) notify(result.verdict);
  }

  /** @param {import('./leak.js').Verdict} verdict */
  function notify(verdict) {
    watchClicks();
    ext.notifications?.create('check', {
      type: 'basic', iconUrl: ext.runtime.getURL('icons/leaking-128.png'),
      title: words(ext, 'notify_title'), message: words(ext, `check_verdict_${verdict}`)});
  }

  /** The API comes and goes with the permission. */
  function watchClicks() {
    const event = ext.notifications?.onClicked;
    if (event && !event.hasListener(onClick)) event.addListener(onClick);
  }

  /** @param {string} id */
  function onClick(id) {
    if (id === 'check') openPage(ext, 'test.html');
  }

  return {changed};
}

/** Not where an administrator installed it: that person did not ask for it.
 * @param {import('./ext.js').Api} ext */
async function welcome(ext) {
  const {installType} = await ext.management.getSelf();
  if (installType !== 'admin') await openPage(ext, 'welcome.html');
}
