// SPDX-License-Identifier: Apache-2.0
// Real browsers obey what `icelock export linux` wrote, under an OpenVPN tunnel that carries IPv4 only: the tree is
// copied to /etc as a fleet tool would, and nothing else of icelock is there.
import {cpSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {Lab} from '../lab/lab.mjs';
import {pages} from '../lab/network.mjs';
import {Chromium} from './chromium.mjs';
import {Report} from './expect.mjs';
import {Firefox} from './firefox.mjs';
import {firefox_values, put_policy} from './policy_files.mjs';
import {icelock, need_programs} from './setup.mjs';

const report = new Report('export');

/// chrome://policy as a person sees it, and what pages learn: one site has an exception.
async function chromium() {
  const browser = await Chromium.launch();
  const rows = await browser.policies();
  report.equal('Chromium: names in chrome://policy', Object.keys(rows).sort().join(' '),
               'WebRtcIPHandling WebRtcIPHandlingUrl');
  report.equal('Chromium: level', rows.WebRtcIPHandling?.value, 'disable_non_proxied_udp');
  for (const [name, {status}] of Object.entries(rows)) report.equal(`Chromium: ${name} in chrome://policy`, status, 'OK');
  await report.shows('Chromium: a page without an exception', browser, pages.plain, 'nothing');
  await report.shows('Chromium: the site with one', browser, pages.granted, 'REALv6(s) VPNv4(s)');
  await browser.close();
}

/// What about:policies lists as errors: the text of each row.
async function errors_in(browser) {
  await browser.marionette.command('WebDriver:Navigate', {url: 'about:policies#errors'});
  return browser.marionette.run(`
      const rows = document.querySelectorAll('#errorsContent tr');
      return {page: document.getElementById('errorsContent') !== null, rows: [...rows].map((row) => row.textContent)};`);
}

async function firefox() {
  const browser = await Firefox.launch();
  report.equal('Firefox: state of the policies', await browser.privileged('return Services.policies.status;'), 1);
  report.equal('Firefox: preferences', JSON.stringify(await browser.prefs()),
               JSON.stringify(firefox_values('force_proxy')));
  report.check('Firefox: preferences are locked', await browser.locked());
  const {page, rows} = await errors_in(browser);
  report.check('Firefox: about:policies is read', page);
  report.equal('Firefox: errors in about:policies', rows.join(' | '), '');
  await report.shows('Firefox: a page without permission', browser, pages.plain, 'nothing');
  await report.shows('Firefox: a page with permission', browser, pages.granted, 'nothing');
  await browser.close();
}

/// The same reading must show an error where there is one.
async function firefox_with_an_error() {
  put_policy('firefox', {policies: {Preferences: {'no.such.branch': {Value: true}}, NoSuchPolicy: 1}});
  const browser = await Firefox.launch();
  const {rows} = await errors_in(browser);
  report.check('Firefox: a wrong policy is an error in about:policies', rows.length > 0, rows.join(' | '));
  await browser.close();
}

need_programs('icelock');
let failure;
try {
  const lab = await Lab.build('ovpn_full_v6');
  await lab.tunnel_up();
  const document = path.join(process.env.TMPDIR, 'policy.json');
  const tree = path.join(process.env.TMPDIR, 'tree');
  writeFileSync(document, JSON.stringify({level: 'force_proxy', sites: [{pattern: pages.granted}]}));
  icelock('export', 'linux', document, '-o', tree);
  cpSync(path.join(tree, 'etc'), '/etc', {recursive: true});
  await chromium();
  await firefox();
  await firefox_with_an_error();
} catch (error) {
  failure = error;
}
process.exit(report.finish(failure));
