// SPDX-License-Identifier: Apache-2.0
// Runs beside a page, out of its reach, where the person allowed it. Takes one number from it and passes it
// on, with its own clock's word on when connections were opened. No connection ever: no port, no message.
(() => {
  const ext = /** @type {typeof chrome} */ (/** @type {any} */ (globalThis).browser ?? globalThis.chrome);
  const most = 999;
  // A page that opens and closes without end is listened to ever more seldom.
  const [pause, growth, longest] = [250, 1.2, 10_000];
  let sent = 0;
  let count = 0;
  let first = 0;
  let last = 0;
  /** @type {chrome.runtime.Port | null} */
  let port = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let soon;

  document.addEventListener('icelock-connections', (event) => {
    const {detail} = /** @type {CustomEvent} */ (event);
    if (!Number.isInteger(detail) || detail < 0) return;
    const now = Date.now();
    if (count === 0 && detail > 0) first = now;
    if (detail > count) last = now;
    count = Math.min(detail, most);
    soon ??= setTimeout(send, port ? Math.min(pause * growth ** sent, longest) : 0);
  });

  function send() {
    soon = undefined;
    if (!port && count === 0) return;
    try {
      port ??= open();
      port.postMessage({count, first, last});
      sent = Math.min(sent + 1, 50);
    } catch {
      port = null;  // the extension was updated or removed; a page loaded later has its new script
    }
  }

  function open() {
    const opened = ext.runtime.connect({name: 'connections'});
    opened.onDisconnect.addListener(() => {
      // The background was stopped: said again once it is wanted.
      port = null;
      if (count > 0) soon ??= setTimeout(send, 1000);
    });
    return opened;
  }
})();
