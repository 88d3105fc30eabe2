// SPDX-License-Identifier: Apache-2.0
// From icelock-host's write to the report of what the extension read back in a real browser. A relay between browser
// and host takes the times. Prints JSON. ICELOCK_EXTENSION names another folder of the extension, to compare.
// Run: ICELOCK_BIN=build/release/bin node tests/bench/obey_latency.mjs [ROUNDS] [chromium|firefox]

import {execFileSync} from 'node:child_process';
import {mkdtemp, mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {launchChromium, untilPolicy} from '../extension/lib/chromium.mjs';
import {launchFirefox} from '../extension/lib/firefox.mjs';

const rounds = Number(process.argv[2] ?? 20);
const name = process.argv[3] ?? 'chromium';
const bin = resolve(process.env.ICELOCK_BIN ?? 'build/release/bin');
const folder = await mkdtemp(join(tmpdir(), 'icelock-obey-'));
const relay = join(folder, 'relay');
const log = join(folder, 'log');

await writeFile(relay, `#!/usr/bin/env python3
import json, os, struct, subprocess, sys, threading, time
host = subprocess.Popen([${JSON.stringify(join(bin, 'icelock-host'))}, *sys.argv[1:]], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, bufsize=0)
log = open(${JSON.stringify(log)}, "a", buffering=1)
def pump(source, sink, way):
    while True:
        header = source.read(4)
        if len(header) < 4: break
        left, body = struct.unpack("=I", header)[0], b""
        while len(body) < left: body += source.read(left - len(body))
        now = time.monotonic_ns()
        sink.write(header + body)
        message = json.loads(body)
        log.write(json.dumps([way, message.get("op") or message.get("event"), message.get("serial"), now]) + "\\n")
threading.Thread(target=lambda: (pump(open(0, "rb", buffering=0), host.stdin, "up"), host.stdin.close()), daemon=True).start()
pump(host.stdout, open(1, "wb", buffering=0), "down")
`);
const run = join(folder, 'run');
await mkdir(run, {mode: 0o700});

async function chromium() {
  const env = {XDG_CONFIG_HOME: join(folder, 'config'), XDG_RUNTIME_DIR: run};
  const extensions = process.env.ICELOCK_EXTENSION ? [process.env.ICELOCK_EXTENSION] : undefined;
  const browser = await launchChromium({host: relay, env, extensions});
  const worker = await browser.worker();
  const values = {locked: 'disable_non_proxied_udp', open: 'default'};
  return {env, obeys: (wish) => untilPolicy(worker, values[wish]), close: () => browser.close()};
}

async function firefox() {
  const browser = await launchFirefox({host: relay, env: {XDG_RUNTIME_DIR: run}});
  const env = {HOME: browser.home, XDG_CONFIG_HOME: '', XDG_RUNTIME_DIR: run};
  return {env, obeys: (wish) => browser.untilPrefs(wish === 'locked' ? ['proxy_only'] : []),
    close: () => browser.close()};
}

const browser = await {chromium, firefox}[name]();
try {
  for (let round = 0; round < rounds; ++round) {
    for (const wish of ['open', 'locked']) {
      execFileSync(join(bin, 'icelock'), ['mode', wish, '--json'], {env: {...process.env, ...browser.env}});
      await browser.obeys(wish);
      await sleep(100);
    }
  }
} finally {
  await browser.close();
}

const pushed = new Map();
const taken = [];
for (const line of (await readFile(log, 'utf8')).trim().split('\n')) {
  const [way, what, serial, at] = JSON.parse(line);
  if (way === 'down' && what === 'state') pushed.set(serial, at);
  if (way === 'up' && what === 'report' && pushed.has(serial)) taken.push((at - pushed.get(serial)) / 1e6);
}
taken.sort((one, other) => one - other);
console.log(JSON.stringify({what: `host write to setting read back in ${name}, ms`, n: taken.length,
  median: Number(taken[taken.length >> 1].toFixed(2)), max: Number(taken.at(-1).toFixed(2))}));
await rm(folder, {recursive: true, force: true});
