// SPDX-License-Identifier: Apache-2.0
// readme.mjs FOLDER <TABLE: the pictures that README.md opens with, into FOLDER: popup.png from the real extension
// in a real Chromium, and demo.png of the demonstration's table. docs/pictures.sh starts this.

import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {launchChromium, pictureOf} from '../lib/chromium.mjs';
import {fakeHost} from '../lib/common.mjs';
import {hostState} from '../lib/fake_browser.mjs';
import {createHostServer} from '../lib/host_server.mjs';

const folder = process.argv[2] ?? '.';
const table = (await text(process.stdin)).replace(/^\n+|\s+$/g, '');
await mkdir(folder, {recursive: true});
const host = await createHostServer();
host.state = hostState();
const chromium = await launchChromium({host: fakeHost, env: host.env});

/** @param {string} name @returns {`${string}.png`} */
const file = (name) => /** @type {`${string}.png`} */ (join(folder, name));

try {
  const link = await host.link();
  await link.report(host.serial);
  const popup = await chromium.popup();
  await popup.waitForFunction(() => document.querySelectorAll('#notes li').length > 0);
  await pictureOf(popup, file('popup.png'));
  await popup.goto('about:blank');
  await popup.setContent(`<style>body {margin: 0; width: max-content; background: #12181f; color: #d7dee6}
    pre {margin: 0; padding: 18px 22px; font: 15px/1.5 "DejaVu Sans Mono", monospace}
    .bad {color: #ff7b72; font-weight: bold} .good {color: #56d364; font-weight: bold}</style><pre></pre>`);
  const width = await popup.evaluate((said) => {
    const pre = /** @type {HTMLElement} */ (document.querySelector('pre'));
    for (const line of said.split('\n')) {
      const verdict = /(LEAK|no leak)$/.exec(line)?.[0] ?? '';
      const word = document.createElement('span');
      word.className = verdict === 'LEAK' ? 'bad' : 'good';
      word.textContent = verdict;
      pre.append(line.slice(0, line.length - verdict.length), word, '\n');
    }
    return Math.ceil(document.body.getBoundingClientRect().width);
  }, `$ installer/quickstart.sh --demo\n\n${table}`);
  await popup.setViewport({width, height: 200, deviceScaleFactor: 2});
  await pictureOf(popup, file('demo.png'));
} finally {
  await chromium.close();
  await host.close();
}
