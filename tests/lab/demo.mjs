// SPDX-License-Identifier: Apache-2.0
// demo.mjs FOLDER BROWSER: what a web page learns through WebRTC before a VPN is up, beside the VPN, and with icelock. A
// real browser, a real OpenVPN tunnel and a real STUN server in a network of namespaces (tests/lab/network.mjs), from
// which no packet leaves this machine. FOLDER has icelock's programs. quickstart.sh --demo starts this.
import {execFileSync, spawn} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {Lab, until} from './lab.mjs';
import {stun} from './network.mjs';

const [folder, browser] = process.argv.slice(2);

/// The column of an address, by its class. Others are the VPN's own, and meant to be seen.
const columns = {isp_v4: 'provider\'s IPv4', isp_v6: 'your IPv6', lan: 'home network', vpn: 'VPN\'s'};
const column_of = ({class: kind}) => columns[kind] ?? columns.vpn;

function icelock(...words) {
  try {
    return JSON.parse(execFileSync(path.join(folder, 'icelock'), [...words, '--json'],
      {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']}));
  } catch (error) {
    if (error.status !== 3) throw error;  // a leak: what was looked for, and no failure
    return JSON.parse(error.stdout);
  }
}

/// One row: the addresses that a page and the STUN server are shown.
function look(when) {
  console.error(`   a browser looks: ${when} ...`);
  const {vpn, browsers: [{error, shown, leak}]} =
    icelock('check', '--timeout', '60', '--browser', browser, '--stun', stun.ipv4, '--stun', stun.ipv6);
  if (error) throw new Error(`${browser} could not be checked: ${error.what} ${error.object}`);
  const seen = Object.values(columns).map((column) =>
    shown.filter((one) => column_of(one) === column).map(({address}) => address).join(', ') || '-');
  return [when, ...seen, leak ? 'LEAK' : vpn ? 'no leak' : 'nothing to hide'];
}

function print(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const lines = rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join('   ').trimEnd());
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('   '));
  const color = (line) => (!process.stdout.isTTY ? line
    : line.replace(/LEAK$/, '\x1b[31m$&\x1b[0m').replace(/no leak$/, '\x1b[32m$&\x1b[0m'));
  console.log(`\n${lines.map(color).join('\n')}\n`);
}

const level = () => icelock('status').browsers.find(({id}) => id === browser).level;

const lab = await Lab.build('ovpn_full_v6');
const rows = [['', ...Object.values(columns), 'icelock check'], look('before the VPN')];
await lab.tunnel_up();
rows.push(look('VPN, without icelock'));
mkdirSync('/etc/icelock', {recursive: true});
writeFileSync('/etc/icelock/icelock.json', JSON.stringify({manage_policies: true, browsers: [browser]}));
spawn(path.join(folder, 'icelockd'), [], {stdio: 'ignore'});
await until('icelockd\'s policy', () => level() !== null, 20000, 200);
rows.push(look('VPN, with icelock'));
print(rows);
const {decision, reasons} = icelock('status');
const family = browser === 'firefox' ? 'firefox' : 'chromium';
console.log(`icelock keeps this browser at ${decision[family]}: ${reasons[0].text}`);
console.log('Through a VPN that carries IPv6 too, calls would stay direct (default_route_only) and show the VPN\'s address.');
process.exit(rows.at(-1).at(-1) === 'no leak' ? 0 : 1);
