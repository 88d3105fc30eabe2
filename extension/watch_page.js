// SPDX-License-Identifier: Apache-2.0
// Runs in the page's own world, where the person allowed it: counts open RTCPeerConnections and tells the
// isolated script beside it (watch_relay.js) how many there are. It reads nothing of the page and is no
// barrier: a page can see that it is there, get around it, or lie, and then the count is wrong and no more.
(() => {
  for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection']) {
    const original = /** @type {any} */ (window)[name];
    if (typeof original !== 'function') continue;
    /** @type {any} */ (window)[name] = new Proxy(original, {
      construct(target, args, as) {
        const made = Reflect.construct(target, args, as);
        opened(made);
        return made;
      },
    });
  }

  let count = 0;
  /** @type {FinalizationRegistry<{done: boolean}>} */
  const collected = new FinalizationRegistry((entry) => closed(entry));

  /** @param {RTCPeerConnection} connection */
  function opened(connection) {
    const entry = {done: false};
    collected.register(connection, entry);
    const {close} = connection;
    // close() raises no event.
    connection.close = function () {
      closed(entry);
      return close.call(this);
    };
    tell(++count);
  }

  /** @param {{done: boolean}} entry */
  function closed(entry) {
    if (entry.done) return;
    entry.done = true;
    tell(--count);
  }

  /** @param {number} now */
  function tell(now) {
    document.dispatchEvent(new CustomEvent('icelock-connections', {detail: now}));
  }
})();
