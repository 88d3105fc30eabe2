// SPDX-License-Identifier: Apache-2.0
// The parts that runs leave and the report reads.
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

export const out_folder = process.env.ICELOCK_LAB_OUT ?? fileURLToPath(new URL('../../build/lab', import.meta.url));
const folder = path.join(out_folder, process.env.ICELOCK_LAB_PARTS ?? 'parts');

export function leave_part(name, content) {
  mkdirSync(folder, {recursive: true});
  writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(content) + '\n');
}

export function read_parts() {
  return readdirSync(folder).filter((name) => name.endsWith('.json')).sort()
      .map((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')));
}
