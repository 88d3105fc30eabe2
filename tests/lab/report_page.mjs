// SPDX-License-Identifier: Apache-2.0
// The report as a page that stands alone, in both themes.

const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'})[sign]);
const list = (names) => (names.length ? escape(names.join(' ')) : '<span class="none">nothing</span>');

const style = `
:root { color-scheme: light dark; --line: #d0d7de; --good: #1a7f37; --bad: #cf222e; --soft: #57606a; --head: #f6f8fa; --bad-back: #ffebe9; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3d444d; --good: #3fb950; --bad: #ff7b72; --soft: #9198a1; --head: #151b23; --bad-back: #4b1113; }
}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { border: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; }
th { background: var(--head); } .none, .soft { color: var(--soft); }
.big { font-size: 1.1rem; } .good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
tr.differs td { background: var(--bad-back); }
.scroll { overflow-x: auto; } details { margin: .4rem 0; } summary { cursor: pointer; font-weight: 600; }
`;

const table = (head, rows) => `<div class="scroll"><table><tr>${head.map((text) => `<th>${text}</th>`).join('')}</tr>
${rows.join('\n')}</table></div>`;

const row = (cells, differs) => `<tr${differs ? ' class="differs"' : ''}>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;

function model_section({cells, about}) {
  const names = [...new Set(cells.map(({scenario}) => scenario))];
  return names.map((name) => {
    const mine = cells.filter(({scenario}) => scenario === name);
    const wrong = mine.filter(({agree}) => !agree).length;
    const rows = mine.map((cell) => row(
        [cell.browser, cell.level, cell.permission, cell.channel, list(cell.predicted), list(cell.seen),
         cell.agree ? '<span class="good">agree</span>' : `<span class="bad">differs</span> ${escape(cell.reason ?? '')}`],
        !cell.agree));
    const word = wrong ? `<span class="bad">${wrong} differ</span>` : `<span class="good">all ${mine.length} agree</span>`;
    return `<details${wrong ? ' open' : ''}><summary>${name}: ${word} <span class="soft">${escape(about[name] ?? '')}</span></summary>
${table(['browser', 'level', 'permission', 'seen by', 'model', 'browser showed', ''], rows)}</details>`;
  }).join('\n');
}

const call_text = (calls) => (calls ? `${calls.direct} / ${calls.turn}` : '');

function auto_section({auto}) {
  const rows = auto.map((one) => row(
      [one.scenario, one.browser, one.hand, list(one.before.script), list(one.before.wire), one.level ?? '?',
       one.loosest ?? 'not in the matrix', list(one.after.script), list(one.after.wire), call_text(one.calls),
       one.drop ? `${one.drop.tight ? 'tight' : '<span class="bad">not tight</span>'}: ${list([...new Set([...one.drop.script, ...one.drop.wire])])}` : '',
       one.held ? `${list(one.held.opened)} → ${list(one.held.restarted ?? [])}` : '',
       one.good ? `<span class="good">${one.unseen ? 'cannot be seen' : 'good'}</span> ${escape(one.reason ?? '')}` : `<span class="bad">bad</span> ${escape(one.error ?? '')}`],
      !one.good));
  return table(['scenario', 'browser', 'by', 'script before', 'wire before', 'level', 'loosest safe', 'script after',
                'wire after', 'call without / with TURN', 'after a drop', 'older connection, restarted', ''], rows);
}

function others_section({others, auto}) {
  const ours = auto.filter(({hand, scenario}) => hand === 'extension' && others.some((one) => one.scenario === scenario))
      .map((one) => ({scenario: one.scenario, browser: one.browser, name: `icelock, auto (${one.level})`,
                      script: one.after.script, wire: one.after.wire, calls: one.calls}));
  const all = [...others, ...ours].sort((one, other) =>
      `${one.scenario} ${one.browser}`.localeCompare(`${other.scenario} ${other.browser}`));
  return table(['scenario', 'browser', 'setting', 'script shows', 'wire shows', 'call without / with TURN'],
               all.map((one) => row(one.refused
                   ? [one.scenario, one.browser, escape(one.name), `<span class="soft">${escape(one.refused)}</span>`, '', '']
                   : [one.scenario, one.browser, escape(one.name), list(one.script), list(one.wire), call_text(one.calls)])));
}

function calls_section({calls}) {
  return table(['scenario', 'browser', 'level', 'without TURN', 'with TURN'], calls.map((one) =>
    row([one.scenario, one.browser, one.level, one.direct, one.turn])));
}

export function page(report) {
  const {agree, total, auto} = report;
  const counted = auto.filter((one) => !(one.unseen && one.good));
  const good = counted.filter((one) => one.good).length;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>icelock leak lab</title><style>${style}</style>
<h1>icelock leak lab</h1>
<p class="big">Model and browsers: <b class="${agree === total ? 'good' : 'bad'}">${agree} of ${total}</b> cells agree.
${auto.length ? `Mode auto: <b class="${good === counted.length ? 'good' : 'bad'}">${good} of ${counted.length}</b> runs show nothing protected, at the loosest level that is safe.` : ''}</p>
<p class="soft">LANv4, REALv4, REALv6: the client's own addresses; tunv4, VPNv4, VPNv6: the VPN's. “Wire” is what reached
STUN and TURN servers. A call is “udp”, “relay-udp”, “relay-tcp” or “not connected”.</p>
${auto.length ? `<h2>Mode auto</h2>${auto_section(report)}` : ''}
${report.others.length ? `<h2>Beside other settings and extensions</h2>${others_section(report)}` : ''}
${total ? `<h2>Model and browsers, cell by cell</h2>${model_section(report)}` : ''}
${report.calls.length ? `<h2>Calls at each level</h2>${calls_section(report)}` : ''}
</html>
`;
}
