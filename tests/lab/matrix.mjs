// SPDX-License-Identifier: Apache-2.0
// matrix.mjs SCENARIO BROWSER...: one part of the matrix, every level and both permissions, with the model's word for
// each cell, and a call at each level. Leaves OUT/parts/matrix.SCENARIO.BROWSER.json; report.mjs puts parts together.

import {need_programs} from '../browser/setup.mjs';
import {at_level} from './browsers.mjs';
import {calls, launch_peer} from './calls.mjs';
import {agrees, compare, only_missing, predict} from './compare.mjs';
import {Lab} from './lab.mjs';
import {leave_part} from './parts.mjs';
import {patient, read_all} from './readings.mjs';

// In Chromium `disabled` is the same setting as force_proxy, in Firefox the API is gone.
const all_levels = ['unrestricted', 'default_route_only', 'force_proxy', 'disabled'];
const levels = process.env.ICELOCK_LAB_QUICK ? all_levels.slice(0, 3) : all_levels;
const permissions = ['none', 'granted'];

function merge(one, other) {
  const all = (a, b) => Object.fromEntries(Object.keys({...a, ...b}).map(
      (name) => [name, [...new Set([...(a[name] ?? ''), ...(b[name] ?? '')])].sort().join('')]));
  const union = (a, b) => [...new Set([...a, ...b])].sort();
  return {...other, script: all(one.script, other.script), wire: all(one.wire, other.wire),
          left: all(one.left, other.left),
          protected: {script: union(one.protected.script, other.protected.script),
                      wire: union(one.protected.wire, other.protected.wire)}};
}

async function cell(browser, scenario, {network, of}, family, level, permission) {
  let reading = await read_all(browser, scenario, permission);
  let verdict = compare(of(family, level, permission), network, reading, scenario);
  if (only_missing(verdict)) {
    reading = merge(reading, await read_all(browser, scenario, permission, patient));
    verdict = compare(of(family, level, permission), network, reading, scenario);
  }
  return {level, permission, ...reading, verdict};
}

async function part(lab, peer, family) {
  const begin = Date.now();
  const {scenario} = lab;
  const model = predict();
  const found = {kind: 'matrix', scenario: lab.name, browser: family, network: model.network, cells: [], calls: {}};
  let next = at_level(family, levels[0], {proxy: scenario.proxy});
  for (const [i, level] of levels.entries()) {
    const browser = await next;
    for (const permission of permissions) {
      found.cells.push(await cell(browser, scenario, model, family, level, permission));
    }
    found.calls[level] = await calls(browser, peer);
    if (i + 1 < levels.length) next = at_level(family, levels[i + 1], {proxy: scenario.proxy});
    await browser.close();
  }
  found.ms = Date.now() - begin;
  for (const {level, permission, verdict} of found.cells) {
    for (const channel of ['script', 'wire']) {
      const {predicted, seen, missing, extra} = verdict[channel];
      if (agrees({missing, extra})) continue;
      console.log(`DIFFERS ${lab.name} ${family} ${level} ${permission} ${channel}: ` +
                  `model [${predicted.join(' ')}], browser [${seen.join(' ')}]`);
    }
  }
  leave_part(`matrix.${lab.name}.${family}`, found);
  const text = Object.entries(found.calls).map(([level, {direct, turn}]) => `${level}: ${direct} / ${turn}`).join(', ');
  console.log(`     ${lab.name} ${family}: ${found.ms} ms; calls without / with TURN: ${text}`);
}

need_programs('icelock');
const [name, ...chosen] = process.argv.slice(2);
const lab = await Lab.build(name);
await lab.tunnel_up();
const peer = await launch_peer();
for (const family of chosen.length ? chosen : ['chromium', 'firefox']) await part(lab, peer, family);
await peer.close();
process.exit(0);
