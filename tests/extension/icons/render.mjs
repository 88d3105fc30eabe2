// SPDX-License-Identifier: Apache-2.0
// Draws extension/icons/*.png from the SVG beside them: `npm run icons` after a change. Also leaves a picture with
// all of them in every size on the toolbars they will be seen on, and without colour, for people to look at.

import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import puppeteer from 'puppeteer-core';
import {chromiumPath} from '../lib/chromium.mjs';
import {extensionDir, outputDir} from '../lib/common.mjs';

const folder = join(extensionDir, 'icons');
const sizes = [16, 32, 48, 128];
const toolbars = ['#ffffff', '#f0f0f4', '#35363a', '#1c1b22'];
const browser = await puppeteer.launch({
  executablePath: chromiumPath, headless: true, pipe: true, args: ['--no-sandbox', '--disable-gpu']});
try {
  const page = await browser.newPage();
  const files = (await readdir(folder)).filter((name) => name.endsWith('.svg'));
  /** @type {string[]} */
  const pictures = [];
  for (const file of files) {
    const picture = await readFile(join(folder, file), 'base64');
    pictures.push(`data:image/svg+xml;base64,${picture}`);
    for (const size of sizes) {
      await page.setViewport({width: size, height: size});
      await page.setContent(`<style>html, body {margin: 0} img {display: block}</style>
        <img width="${size}" height="${size}" src="data:image/svg+xml;base64,${picture}">`);
      const path = join(folder, file.replace('.svg', `-${size}.png`));
      await writeFile(path, await page.screenshot({omitBackground: true}));
    }
  }
  const row = (/** @type {string} */ paper, /** @type {string} */ filter) => `<p style="margin: 0; padding: 8px;
    background: ${paper}; filter: ${filter}">${pictures.flatMap((src) => [16, 32].map((size) =>
  `<img width="${size}" height="${size}" style="margin: 0 8px" src="${src}">`)).join('')}</p>`;
  await page.setViewport({width: 800, height: 300, deviceScaleFactor: 2});
  await page.setContent(['none', 'grayscale(1)'].flatMap((filter) =>
    toolbars.map((paper) => row(paper, filter))).join(''));
  await mkdir(outputDir, {recursive: true});
  await page.screenshot({path: /** @type {any} */ (join(outputDir, 'icons.png')), fullPage: true});
} finally {
  await browser.close();
}
