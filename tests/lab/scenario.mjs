// SPDX-License-Identifier: Apache-2.0
// The inside of `run`.
import {spawn} from 'node:child_process';

import {Lab} from './lab.mjs';
import {scenarios} from './scenarios.mjs';

const [name, ...command] = process.argv.slice(2);
if (name === '--list') {
  for (const [scenario, {about}] of Object.entries(scenarios)) console.log(scenario.padEnd(16), about);
  process.exit(0);
}
const lab = await Lab.build(name);
const before = await lab.seen(1000);
const up_ms = await lab.tunnel_up();
lab.wire_reset();
if (command.length === 0) {
  const [seen, wire] = [await lab.seen(2000), lab.wire()];
  const [excluded, web] = [await lab.seen_excluded(2000), await lab.web(2000)];
  await lab.tunnel_drop();
  const dropped = await lab.seen(2000);
  const up_again_ms = await lab.tunnel_up();
  console.log(JSON.stringify({scenario: name, before, up_ms, seen, excluded, web, wire, dropped, up_again_ms}));
  process.exit(0);
}
const [program, ...rest] = command[0] === '--shell' ? ['/bin/bash'] : command;
// Not spawnSync: this process serves the client's own pages meanwhile.
spawn(program, rest, {stdio: 'inherit'}).once('exit', (code) => process.exit(code ?? 1));
