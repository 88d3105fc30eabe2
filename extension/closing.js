// SPDX-License-Identifier: Apache-2.0
// A browser begins with the setting that its last session left, before any background runs, and a page that
// it opens by itself can be quicker. So the last window locks as it closes. Which one is the last is known
// for certain only when it is gone, and then nothing can be set any more; so each that closes locks, and
// where others are open it is loosened again at once. A browser that is killed, or ended by a signal,
// leaves what it had: Chromium has no value that ends with the session (`regular_only` is kept, too:
// measured in 156).

/** @param {import('./ext.js').Api} ext
 * @param {{shut: () => void, reopen: () => void}} to `shut`: this may be the end; `reopen`: it was not */
export function createClosing(ext, {shut, reopen}) {
  let closing = false;
  /** Windows that close, by id: the browser still counts them for a while. @type {Set<number>} */
  const going = new Set();
  /** Tabs by id; the last one takes its window with it, and is not told to be part of that.
   * @type {Set<number>} */
  const tabs = new Set();

  ext.tabs.onCreated.addListener(({id, windowId}) => {
    tabs.add(id ?? -1);
    going.delete(windowId);
    open();
  });
  // A tab that the browser put to sleep comes back under another id.
  ext.tabs.onReplaced?.addListener((id, before) => {
    if (tabs.delete(before)) tabs.add(id);
  });
  ext.tabs.onRemoved.addListener((id, {isWindowClosing, windowId}) => {
    const last = tabs.delete(id) && tabs.size === 0;
    if (!isWindowClosing && !last) return;
    going.add(windowId);
    if (closing) return;
    closing = true;
    shut();
  });
  // Windows that the extension does not see are not waited for, which fails locked.
  ext.windows.onRemoved.addListener(async () => {
    const left = await ext.windows.getAll().catch(() => []);
    if (left.some(({id}) => !going.has(id ?? -1))) open();
  });
  ext.tabs.query({}).then((all) => all.forEach(({id}) => tabs.add(id ?? -1)), () => {});

  function open() {
    if (!closing) return;
    closing = false;
    reopen();
  }
}
