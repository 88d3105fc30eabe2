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
const up_ms = await lab.tunnel_up();
lab.wire_reset();
if (command.length === 0) {
  console.log(JSON.stringify({scenario: name, up_ms, seen: await lab.seen(2000), wire: lab.wire()}));
  process.exit(0);
}
const [program, ...rest] = command[0] === '--shell' ? ['/bin/bash'] : command;
// Not spawnSync: this process serves the client's own pages meanwhile.
spawn(program, rest, {stdio: 'inherit'}).once('exit', (code) => process.exit(code ?? 1));
