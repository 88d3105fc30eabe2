// SPDX-License-Identifier: Apache-2.0
// From icelock-host's write to the report of what the extension read back in a real Chromium, and the same for the
// whole way back to the host. A relay between browser and host takes the times. Prints JSON.
// Run: ICELOCK_BIN=build/release/bin node tests/bench/obey_latency.mjs [ROUNDS]

import {execFileSync} from 'node:child_process';
import {mkdtemp, mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {launchChromium, untilPolicy} from '../extension/lib/chromium.mjs';

const rounds = Number(process.argv[2] ?? 20);
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
const env = {XDG_CONFIG_HOME: join(folder, 'config'), XDG_RUNTIME_DIR: join(folder, 'run')};
await mkdir(env.XDG_RUNTIME_DIR, {mode: 0o700});
const mode = (word) => execFileSync(join(bin, 'icelock'), ['mode', word, '--json'], {env: {...process.env, ...env}});

mode('open');
const chromium = await launchChromium({host: relay, env});
try {
  const worker = await chromium.worker();
  await untilPolicy(worker, 'default');
  for (let round = 0; round < rounds; ++round) {
    mode('locked');
    await untilPolicy(worker, 'disable_non_proxied_udp');
    mode('open');
    await untilPolicy(worker, 'default');
    await sleep(50);
  }
} finally {
  await chromium.close();
}

const pushed = new Map();
const taken = [];
for (const line of (await readFile(log, 'utf8')).trim().split('\n')) {
  const [way, what, serial, at] = JSON.parse(line);
  if (way === 'down' && what === 'state') pushed.set(serial, at);
  if (way === 'up' && what === 'report' && pushed.has(serial)) taken.push((at - pushed.get(serial)) / 1e6);
}
taken.sort((one, other) => one - other);
console.log(JSON.stringify({what: 'host write to setting read back in Chromium, ms', n: taken.length,
  median: Number(taken[taken.length >> 1].toFixed(2)), max: Number(taken.at(-1).toFixed(2))}));
await rm(folder, {recursive: true, force: true});
