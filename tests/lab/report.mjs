// SPDX-License-Identifier: Apache-2.0
// Puts the parts together: OUT/report.json, OUT/report.html, and a summary. Exit code 1 when the model and a browser
// disagree anywhere that known.json does not name with its reason, or when icelock in mode auto shows what it is there
// to hide.
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {agrees} from './compare.mjs';
import {page} from './report_page.mjs';
import {out_folder, read_parts} from './parts.mjs';
import {scenarios} from './scenarios.mjs';

const levels = ['unrestricted', 'default_route_only', 'force_proxy', 'disabled'];
const known = JSON.parse(readFileSync(new URL('known.json', import.meta.url), 'utf8'));

/// An entry names some of a cell's or a run's keys, and the reason.
const is_known = (row) => known.find(({reason: _, ...keys}) =>
    Object.entries(keys).every(([key, value]) => row[key] === value));

/// One cell per scenario, browser, level, permission and channel.
function cells_of({scenario, browser, cells}) {
  return cells.flatMap(({level, permission, verdict, protected: hidden, script}) => ['script', 'wire'].map((channel) => {
    const cell = {scenario, browser, level, permission, channel, predicted: verdict[channel].predicted,
                  seen: verdict[channel].seen, protected: hidden[channel], agree: agrees(verdict[channel])};
    if (channel === 'script') cell.letters = script;
    if (!cell.agree) cell.reason = is_known(cell)?.reason;
    return cell;
  }));
}

/// The loosest level at which nothing protected was seen, or null.
function loosest(cells, scenario, browser) {
  const mine = cells.filter((cell) => cell.scenario === scenario && cell.browser === browser);
  if (mine.length === 0) return null;
  return levels.find((level) =>
      mine.filter((cell) => cell.level === level).every((cell) => cell.protected.length === 0)) ?? 'disabled';
}

const is_open = ({tight, script, wire}) => !tight || script.length + wire.length > 0;

/// The level that mode auto should take: the loosest that shows nothing protected. It is held to what it can know: it
/// takes no notice of what cannot be seen, and what a mark may stand for is in the scenario.
function wanted_level({scenario, browser, hides}, cells) {
  const {unseen, level} = scenarios[scenario];
  if (level) return level;
  return hides && !unseen ? loosest(cells, scenario, browser) : 'unrestricted';
}

function auto_rows(part, cells) {
  const {scenario, browser, before, hands} = part;
  const {unseen} = scenarios[scenario];
  const hides = part.hides && !unseen;
  const best = wanted_level(part, cells);
  return Object.entries(hands).map(([hand, found]) => {
    const row = {scenario, browser, hand, hides, unseen, loosest: best, before, ...found};
    const shown = hides ? [...found.after.script, ...found.after.wire] : [];
    const open_after_drop = hides && found.drop && is_open(found.drop);
    if (open_after_drop) row.reason = is_known({scenario, browser, hand, when: 'drop'})?.reason;
    row.good = !found.error && shown.length === 0 && (best === null || found.level === best) &&
        (found.effective ?? found.level) === found.level &&
        (!open_after_drop || Boolean(row.reason));
    return row;
  });
}

const parts = read_parts();
const of_kind = (kind) => parts.filter((part) => part.kind === kind);
const cells = of_kind('matrix').flatMap(cells_of);
const calls = of_kind('matrix').flatMap(({scenario, browser, calls: by_level}) =>
    Object.entries(by_level).map(([level, outcome]) => ({scenario, browser, level, ...outcome})));
const auto = of_kind('auto').flatMap((part) => auto_rows(part, cells));
const others = of_kind('peers').flatMap(({scenario, browser, rows}) =>
    Object.entries(rows).map(([name, row]) => ({scenario, browser, name, ...row})));

const agree = cells.filter((cell) => cell.agree).length;
const unexplained = cells.filter((cell) => !cell.agree && !cell.reason);
const bad = auto.filter((row) => !row.good);
const unseen = auto.filter((row) => row.unseen && row.good);
const seen = auto.length - unseen.length;
const about = Object.fromEntries(Object.entries(scenarios).map(([name, scenario]) => [name, scenario.about]));
const report = {agree, total: cells.length, cells, calls, auto, others, about};
writeFileSync(path.join(out_folder, 'report.json'), JSON.stringify(report, null, 1) + '\n');
writeFileSync(path.join(out_folder, 'report.html'), page(report));

const count = (key) => new Set(cells.map((cell) => cell[key])).size;
console.log(`model: ${agree} of ${cells.length} cells agree (${count('scenario')} scenarios, ${count('browser')} browsers)`);
for (const cell of unexplained) {
  console.log(`DIFFERS ${cell.scenario} ${cell.browser} ${cell.level} ${cell.permission} ${cell.channel}: ` +
              `model [${cell.predicted.join(' ')}], browser [${cell.seen.join(' ')}]`);
}
if (seen > 0) console.log(`mode auto: ${seen - bad.length} of ${seen} runs leak nothing at the loosest safe level`);
for (const {scenario, browser, hand, level, after} of unseen) {
  console.log(`CANNOT BE SEEN ${scenario} ${browser} ${hand}: at ${level} script [${after.script.join(' ')}] wire ` +
              `[${after.wire.join(' ')}]`);
}
for (const row of bad) {
  console.log(`LEAKS ${row.scenario} ${row.browser} ${row.hand}: at ${row.level} (loosest safe: ${row.loosest}) script ` +
              `[${row.after.script.join(' ')}] wire [${row.after.wire.join(' ')}], after a drop ` +
              `[${row.drop?.script.join(' ') ?? ''}], obeyed ${row.effective ?? row.level} ${row.error ?? ''}`);
}
console.log(`report: ${path.join(out_folder, 'report.html')}`);
process.exit(unexplained.length + bad.length > 0 || cells.length + auto.length === 0 ? 1 : 0);
