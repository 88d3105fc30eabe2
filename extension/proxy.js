// SPDX-License-Identifier: Apache-2.0
// Whether the browser itself uses a proxy. Firefox tells it, with the optional permission `proxy`. Chromium
// has no optional permission for it, and the required one would mean reading all pages; there the person
// says so. The system's proxy cannot be told from none in either.

/** @typedef {import('./state.js').ProxyIs} ProxyIs */

/** Kinds of setting that send traffic to a proxy, or may (a script, a search for one). */
const proxied = ['fixed_servers', 'pac_script', 'auto_detect', 'manual', 'autoConfig', 'autoDetect'];

/** @param {any} value of proxy.settings, in either browser's form @returns {ProxyIs} */
export function proxyOf(value) {
  const kind = value?.mode ?? value?.proxyType;
  if (typeof kind !== 'string') return 'unreadable';
  if (!proxied.includes(kind)) return 'none';
  // Firefox keeps "manual" with every field empty, which is none.
  const empty = kind === 'manual' && !['http', 'ssl', 'socks'].some((name) => value[name]);
  return empty ? 'none' : 'set';
}

/** @param {import('./ext.js').Api} ext @param {import('./handling.js').Family} family
 * @param {() => void} changed called when it may be another now */
export function createProxy(ext, family, changed) {
  let listening = false;
  let following = false;
  /** @type {ProxyIs} */
  let last = 'none';
  listen();
  for (const event of [ext.permissions.onAdded, ext.permissions.onRemoved]) {
    event.addListener(() => {
      listen();
      changed();
    });
  }

  /** The interface is there only while the permission is. */
  function listen() {
    if (listening || !ext.proxy?.settings?.onChange) return;
    listening = true;
    ext.proxy.settings.onChange.addListener(() => changed());
    // That is raised for what extensions change, and not for what the person does (measured in 153). So it is
    // looked at whenever another tab or another page comes, which is how one leaves the browser's settings.
    ext.tabs.onActivated.addListener(look);
    ext.tabs.onUpdated.addListener((_, {status}) => { if (status) look(); });
  }

  /** Somebody may have changed it without a word. */
  async function look() {
    if (following && await now() !== last) changed();
  }

  /** @param {boolean} follow whether the person wants it @returns {Promise<ProxyIs>} */
  async function read(follow) {
    following = follow;
    last = follow ? await now() : 'none';
    return last;
  }

  /** @returns {Promise<ProxyIs>} */
  async function now() {
    if (!ext.proxy?.settings) return family === 'chromium' ? 'declared' : 'unreadable';
    try {
      return proxyOf((await ext.proxy.settings.get({})).value);
    } catch {
      return 'unreadable';
    }
  }

  return {read, look};
}
