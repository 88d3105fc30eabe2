#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What a browser starts as icelock.host in these tests: frames on stdio, passed on as lines to and from the
// test, which listens on the socket named by ICELOCK_FAKE_HOST and plays the host there (see host_server.mjs). The
// first line says who it is and, by ICELOCK_FAKE_BROWSER, whose.

import {createConnection} from 'node:net';
import {createInterface} from 'node:readline';

const socket = createConnection(process.env.ICELOCK_FAKE_HOST ?? '/nowhere');
socket.on('error', () => process.exit(1));
socket.on('close', () => process.exit(0));
process.stdin.on('end', () => process.exit(0));

const {pid, argv, env: {ICELOCK_FAKE_BROWSER: browser}} = process;
socket.write(`${JSON.stringify({pid, argv: argv.slice(2), browser})}\n`);

let bytes = Buffer.alloc(0);
process.stdin.on('data', (more) => {
  bytes = Buffer.concat([bytes, more]);
  while (bytes.length >= 4) {
    const size = bytes.readUInt32LE(0);
    if (bytes.length < 4 + size) break;
    socket.write(`${bytes.toString('utf8', 4, 4 + size)}\n`);
    bytes = bytes.subarray(4 + size);
  }
});

createInterface({input: socket}).on('error', () => process.exit(1)).on('line', (line) => {
  const body = Buffer.from(line);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  process.stdout.write(Buffer.concat([head, body]));
});
