// SPDX-License-Identifier: Apache-2.0
// policy.mjs BROWSER files|icelock: each level as enterprise policy, no extension, under an OpenVPN tunnel that
// carries IPv4 only. `files` proves what a level does in this browser with files written by the test; `icelock`
// proves that apply and revert of the real program do the same and leave other admins' files as they were.
import {lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, utimesSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {Lab, until} from '../lab/lab.mjs';
import {pages} from '../lab/network.mjs';
import {Chromium} from './chromium.mjs';
import {Report} from './expect.mjs';
import {Firefox} from './firefox.mjs';
import {chromium_handling, firefox_values, policy_paths, write_policy} from './policy_files.mjs';
import {icelock, need_programs} from './setup.mjs';

// What a page learns at each level on this network, as measured: [no permission, stored permission].
const everything = 'LANv4(h) REALv6(h) VPNv4(s) tunv4(ah)';
const expected = {
  chromium: {
    unrestricted: ['REALv6(s) VPNv4(s) mdns', everything],
    default_route_only: ['REALv6(s) VPNv4(s)', 'REALv6(s) VPNv4(s)'],
    force_proxy: ['nothing', 'nothing'],
    disabled: ['nothing', 'nothing'],
  },
  firefox: {
    unrestricted: ['VPNv4(s) mdns', everything],
    default_route_only: ['VPNv4(s) mdns', 'VPNv4(s) tunv4(ah)'],
    force_proxy: ['nothing', 'nothing'],
    disabled: ['no API', 'no API'],
  },
};

const [browser_name, by] = process.argv.slice(2);
const report = new Report(`policy.${by}.${browser_name}`);
const apply = by === 'icelock' ? (level) => icelock('apply', '--yes', '--browser', browser_name, '--level', level)
                               : (level) => write_policy(browser_name, level);

/// Files of other admins: odd names, odd formatting, odd modes, old times.
function write_foreign_files() {
  const files = [
    ['/etc/chromium/policies/managed/10-site.json', '{ "HomepageLocation" : "https://intranet.example" }', 0o644],
    ['/etc/chromium/policies/managed/zz', '\t{"BookmarkBarEnabled":true}\n\n', 0o640],
    ['/etc/chromium/policies/recommended/look.json', '{"ShowHomeButton": true}\n', 0o600],
    ['/etc/firefox/policies/policies.json',
     '{"policies":{  "DisableTelemetry" : true,\n\t"Preferences": {"browser.tabs.warnOnClose": {"Value":false,' +
       '"Status":"default"}}, "Homepage":{"URL":"https://intranet.example"}}}   \n', 0o640],
  ];
  for (const [file, content, mode] of files) {
    if (by === 'files' && file === policy_paths[browser_name]) continue;
    mkdirSync(path.dirname(file), {recursive: true});
    writeFileSync(file, content, {mode});
    utimesSync(file, 1600000000.25, 1600000000.25);
  }
}

/// Every name below /etc with type, mode, owner, and for files bytes and modification time. (A folder's time
/// changes with each rename in it and is no content.)
function tree(folder, found = {}) {
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name);
    const {mode, uid, gid, mtimeNs} = lstatSync(file, {bigint: true});
    const entry = [mode, uid, gid].join(' ');
    const kind = lstatSync(file);
    if (kind.isDirectory()) {
      found[file] = entry;
      tree(file, found);
    } else {
      const bytes = kind.isSymbolicLink() ? readlinkSync(file) : readFileSync(file).toString('base64');
      found[file] = `${entry} ${mtimeNs} ${bytes}`;
    }
  }
  return found;
}

const differences = (before, after) => [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((file) => before[file] !== after[file]);

async function check_reads(browser, level) {
  const [plain, granted] = expected[browser_name][level];
  await report.shows(`${level}: page without permission`, browser, pages.plain, plain);
  await report.shows(`${level}: page with permission`, browser, pages.granted, granted);
}

/// Chromium watches the policy folder only some 4 s after it started, and looks again after 15 minutes; a change in
/// between would be a test of that and not of icelock.
function is_watched(folder) {
  const {ino, dev} = lstatSync(folder);
  // The kernel's own form of a device number: an inode number alone is soon met twice.
  const sdev = ((dev >> 8 & 0xfff) << 20 | dev & 0xff | dev >> 12 & ~0xff).toString(16);
  const mark = ` ino:${ino.toString(16)} sdev:${sdev} `;
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).some((process_id) => {
    try {
      const infos = `/proc/${process_id}/fdinfo`;
      return readdirSync(infos).some((name) => readFileSync(path.join(infos, name), 'utf8')
          .includes(mark));
    } catch {
      return false;  // ended meanwhile
    }
  });
}

/// One browser that runs through all levels: policy must reach it without a restart.
async function chromium_levels() {
  const [first] = Object.keys(expected.chromium);
  apply(first);
  const browser = await Chromium.launch();
  await until('Chromium watches its policy folder', () => is_watched(path.dirname(policy_paths.chromium)), 30000, 100);
  await new Promise((done) => setTimeout(done, 6000));  // a change right after the watch began was sometimes not seen
  for (const level of Object.keys(expected.chromium)) {
    const begin = Date.now();
    if (level !== first) apply(level);
    const handling = chromium_handling(level);
    const rows = await until(`${level} in chrome://policy`, async () => {
      const found = await browser.policies();
      return found.WebRtcIPHandling?.value === handling && found;
    }, 30000, 250);
    report.figure(`${level}: policy seen after ms`, Date.now() - begin);
    const wrong = Object.entries(rows).filter(([, {status}]) => status !== 'OK').map(([name]) => name);
    report.check(`${level}: every key is OK in chrome://policy`, wrong.length === 0,
                 wrong.join(' ') || Object.keys(rows).join(' '));
    await check_reads(browser, level);
  }
  await browser.close();
}

/// Firefox reads policy when it starts.
async function firefox_levels() {
  for (const level of Object.keys(expected.firefox)) {
    apply(level);
    const browser = await Firefox.launch();
    report.check(`${level}: preferences are locked`, await browser.locked());
    report.equal(`${level}: preferences`, JSON.stringify(await browser.prefs()), JSON.stringify(firefox_values(level)));
    await check_reads(browser, level);
    await browser.close();
  }
}

/// The document's private windows: with the field they connect through a proxy only, and without it they obey the
/// level as other windows do.
async function firefox_private_windows() {
  const file = path.join(process.env.TMPDIR, 'private.json');
  const level = 'default_route_only';
  for (const [field, wanted] of [[{privateWindows: 'force_proxy'}, 'nothing'], [{}, expected.firefox[level][0]]]) {
    writeFileSync(file, JSON.stringify({level, ...field}));
    icelock('apply', '--yes', '--browser', 'firefox', file);
    const browser = await Firefox.launch();
    const what = Object.keys(field)[0] ?? 'no field for private windows';
    await report.shows(`${what}: another window`, browser, pages.plain, expected.firefox[level][0]);
    await browser.private_window();
    await report.shows(`${what}: a private window`, browser, pages.plain, wanted);
    await browser.close();
  }
}

if (by === 'icelock') need_programs('icelock');
let failure;
try {
  const lab = await Lab.build('ovpn_full_v6');
  await lab.tunnel_up();
  write_foreign_files();
  const before = tree('/etc');
  await (browser_name === 'chromium' ? chromium_levels() : firefox_levels());
  if (by === 'icelock') {
    if (browser_name === 'firefox') await firefox_private_windows();
    report.check('apply changed something', differences(before, tree('/etc')).length > 0);
    icelock('revert', '--browser', browser_name);
    const left = differences(before, tree('/etc'));
    report.check('revert leaves /etc as it was', left.length === 0, left.join(' ') || undefined);
  }
} catch (error) {
  failure = error;
}
process.exit(report.finish(failure));
