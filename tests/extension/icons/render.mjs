// SPDX-License-Identifier: Apache-2.0
// Draws extension/icons/*.png from the SVG beside them: `npm run icons` after a change.

import {readdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import puppeteer from 'puppeteer-core';
import {chromiumPath} from '../lib/chromium.mjs';
import {extensionDir} from '../lib/common.mjs';

const folder = join(extensionDir, 'icons');
const browser = await puppeteer.launch({
  executablePath: chromiumPath, headless: true, pipe: true, args: ['--no-sandbox', '--disable-gpu']});
try {
  const page = await browser.newPage();
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.svg'))) {
    const picture = await readFile(join(folder, file), 'base64');
    for (const size of [16, 32, 48, 128]) {
      await page.setViewport({width: size, height: size});
      await page.setContent(`<style>html, body {margin: 0} img {display: block}</style>
        <img width="${size}" height="${size}" src="data:image/svg+xml;base64,${picture}">`);
      const path = join(folder, file.replace('.svg', `-${size}.png`));
      await writeFile(path, await page.screenshot({omitBackground: true}));
    }
  }
} finally {
  await browser.close();
}
