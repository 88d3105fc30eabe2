// SPDX-License-Identifier: Apache-2.0
// Programs on the lab's hosts, and waiting.
import {execFileSync, spawn} from 'node:child_process';

export const run_folder = '/run/lab/network';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/// Calls `probe` until it returns something true; that is the result. Throws after `deadline_ms`, with the
/// last thing that `probe` returned or threw.
export async function until(what, probe, deadline_ms = 20000, every_ms = 25) {
  const end = Date.now() + deadline_ms;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error.message;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${deadline_ms} ms (last: ${JSON.stringify(last)})`);
    await sleep(every_ms);
  }
}

export const inside = (host, command) => (host === 'client' ? command : ['ip', 'netns', 'exec', host, ...command]);

export function sh(host, command, options = {}) {
  const [program, ...rest] = inside(host, Array.isArray(command) ? command : command.split(' '));
  return execFileSync(program, rest, {encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...options});
}

/// Starts a program that stays; its output goes to a file, `child.log`.
export function start(host, name, command) {
  const [program, ...rest] = inside(host, command);
  const log = `${run_folder}/${name}.log`;
  const child = spawn('sh', ['-c', 'exec "$0" "$@" >"$LAB_LOG" 2>&1', program, ...rest],
                      {stdio: 'ignore', env: {...process.env, LAB_LOG: log}});
  child.log = log;
  return child;
}

export async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}
