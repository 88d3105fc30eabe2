// SPDX-License-Identifier: Apache-2.0
// Until a background runs, a browser has what its last session left, and after a crash or a kill that can
// be open. Firefox starts backgrounds late: a page that it opens by itself ran for half a second before
// (measured in 153). Where the person wants it, such pages wait for the lock. Firefox notes a blocking
// listener that a background adds while it starts; at the next start it holds requests for it and starts the
// background for their sake ("primed" listeners, in its ExtensionCommon.sys.mjs). Chromium has nothing of the
// kind: no blocking listener but for what a policy installed, and rules of declarativeNetRequest kept from
// the last session did not hold its first page (measured in 156).

import {permissionsFor} from './settings.js';

const wanted = /** @type {chrome.permissions.Permissions} */ (permissionsFor.holdStart);
/** @type {any} */
const filter = {urls: wanted.origins, types: ['main_frame', 'sub_frame']};

/** @param {import('./ext.js').Api} ext @param {import('./handling.js').Family} family
 * @param {Promise<void>} locked when the lock is set; pages wait for that however long it takes */
export function createStartHold(ext, family, locked) {
  let listening = false;
  const wait = () => locked.then(() => ({}));
  // In the background's first turn, or Firefox lets go of what it holds. Whether the person still wants it is
  // known later; the permission alone says that they did.
  listen();

  function listen() {
    if (family !== 'firefox' || listening || !ext.webRequest) return;
    try {
      ext.webRequest.onBeforeRequest.addListener(/** @type {any} */ (wait), filter, ['blocking']);
      listening = true;
    } catch {
      // Without the permission to block. Nothing waits then, as without this file.
    }
  }

  /** Follows the switch and the permission. @param {boolean} on */
  async function follow(on) {
    if (family !== 'firefox') return;
    if (on && await ext.permissions.contains(wanted).catch(() => false)) return listen();
    // A storage that cannot be read says nothing of what the person wants.
    if (!on && !await ext.storage.local.get('settings').then(() => true, () => false)) return;
    if (!listening) return;
    listening = false;
    // The permission, and the API with it, may be gone before the listener.
    ext.webRequest?.onBeforeRequest.removeListener(/** @type {any} */ (wait));
  }

  return {follow};
}
