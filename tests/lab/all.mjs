// SPDX-License-Identifier: Apache-2.0
// all.mjs [--quick] [--matrix | --auto | --peers]... [--lanes N] [--keep] [SCENARIO...]: runs the matrix, mode auto and
// the peers over the scenarios, some labs side by side, and writes the report.
//
//   --quick   one scenario of each kind, the browsers in turn; the matrix only, without the level that repeats
//             force_proxy
//   --lanes   labs at the same time (2, with --quick 3; they mostly wait)
//   --keep    earlier parts stay in the report
import {spawn} from 'node:child_process';
import {rmSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';

import {out_folder} from './parts.mjs';
import {runnable, scenarios} from './scenarios.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const {values, positionals} = parseArgs({allowPositionals: true, options: {
  quick: {type: 'boolean'}, matrix: {type: 'boolean'}, auto: {type: 'boolean'}, peers: {type: 'boolean'},
  lanes: {type: 'string'}, keep: {type: 'boolean'}}});

const browsers = ['chromium', 'firefox'];
const everything = !values.matrix && !values.auto && !values.peers && !values.quick;

function first_of_each_kind() {
  const kinds = new Map();
  // The widest of a kind: the one with IPv6.
  for (const [name, {kind, ipv6}] of Object.entries(scenarios)) {
    if (!kinds.has(kind) || (ipv6 && !scenarios[kinds.get(kind)].ipv6)) kinds.set(kind, name);
  }
  return [...kinds.values()];
}

function chosen() {
  const unknown = positionals.filter((name) => !scenarios[name]);
  if (unknown.length) throw new Error(`no scenario ${unknown.join(' ')}; there are: ${Object.keys(scenarios).join(' ')}`);
  if (positionals.length) return runnable(positionals);
  return runnable(values.quick ? first_of_each_kind() : Object.keys(scenarios));
}

/// [program, scenario, browser]: the matrix first, which the rest of the report refers to.
function jobs() {
  const parts = {
    'matrix.mjs': (name) => (everything || values.matrix || values.quick) && scenarios[name].unseen !== 'all',
    'auto.mjs': (name) => (everything || values.auto) && scenarios[name].kind !== 'none' && name !== 'docker',
    'peers.mjs': () => everything || values.peers,
  };
  const read_by = (i) => (values.quick ? [browsers[i % browsers.length]] : browsers);
  const names = chosen();
  return Object.entries(parts).flatMap(([part, wanted]) => names.filter(wanted)
      .flatMap((name, i) => read_by(i).map((browser) => [part, name, browser])));
}

const env = {...process.env, ICELOCK_LAB_QUICK: values.quick ? '1' : '',
             ICELOCK_LAB_PARTS: process.env.ICELOCK_LAB_PARTS ?? (values.quick ? 'parts.quick' : 'parts'),
             ICELOCK_LAB_OUT: out_folder};

function run(program, ...args) {
  const child = spawn(here('enter'), ['node', here(program), ...args], {env, stdio: ['ignore', 'pipe', 'pipe']});
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
  return new Promise((resolve) => child.once('close', (code) => {
    process.stdout.write(output);
    resolve({code, what: `${program} ${args.join(' ')}`});
  }));
}

const begin = Date.now();
if (!values.keep) rmSync(path.join(out_folder, env.ICELOCK_LAB_PARTS), {recursive: true, force: true});
const waiting = jobs();
const total = waiting.length;
const ends = [];
async function lane() {
  for (let job = waiting.shift(); job; job = waiting.shift()) {
    ends.push(await run(...job));
    if (ends.at(-1).code === 77) process.exit(77);
  }
}
await Promise.all(Array.from({length: Number(values.lanes ?? (values.quick ? 3 : 2))}, lane));
const failed = ends.filter(({code}) => code !== 0);
for (const {code, what} of failed) console.log(`FAILED ${what}: exit code ${code}`);
console.log(`${total} parts in ${Math.round((Date.now() - begin) / 1000)} s`);
const report = spawn(process.execPath, [here('report.mjs')], {env, stdio: 'inherit'});
report.once('exit', (code) => process.exit(failed.length > 0 ? 1 : code ?? 1));
