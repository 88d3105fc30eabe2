// SPDX-License-Identifier: Apache-2.0
// The real parts under test, by path: ICELOCK_BIN is the folder with icelock and icelock-host, ICELOCK_EXTENSION
// the extension's folder.
import {execFileSync} from 'node:child_process';
import {accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

import {skip} from './expect.mjs';

const bin = process.env.ICELOCK_BIN ?? fileURLToPath(new URL('../../build/release/bin', import.meta.url));
export const extension = process.env.ICELOCK_EXTENSION ?? fileURLToPath(new URL('../../extension', import.meta.url));

export const program = (name) => path.join(bin, name);

export function need_programs(...names) {
  for (const name of names) {
    if (!existsSync(program(name))) skip(`${program(name)} is not built (ICELOCK_BIN names the folder)`);
  }
}

export function need_extension() {
  if (!existsSync(path.join(extension, 'manifest.json'))) skip(`no extension in ${extension} (ICELOCK_EXTENSION)`);
}

/// Runs icelock; its standard output. Throws when the exit code is not 0, with what it said.
export function icelock(...args) {
  return execFileSync(program('icelock'), args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
                                                        timeout: 10000});
}

export const status = () => JSON.parse(icelock('status', '--json'));

export function write_settings(settings) {
  const folder = path.join(process.env.XDG_CONFIG_HOME, 'icelock');
  mkdirSync(folder, {recursive: true});
  writeFileSync(path.join(folder, 'icelock.json'), JSON.stringify(settings));
}

const user_manifests = {
  chromium: path.join(process.env.XDG_CONFIG_HOME ?? '', 'chromium/NativeMessagingHosts/icelock.host.json'),
  firefox: path.join(process.env.HOME ?? '', '.mozilla/native-messaging-hosts/icelock.host.json'),
};
const callers = {
  chromium: {allowed_origins: ['chrome-extension://ijhcpjklckmohbkaoncmpefjopcblpfa/']},
  firefox: {allowed_extensions: ['icelock@icelock.extension']},
};

function write_manifest(browser) {
  const file = user_manifests[browser];
  mkdirSync(path.dirname(file), {recursive: true});
  writeFileSync(file, JSON.stringify({name: 'icelock.host', description: 'icelock', type: 'stdio',
                                      path: path.resolve(program('icelock-host')), ...callers[browser]}));
}

/// Lets the browser find icelock-host, as a person without root does it. Returns the program that the browser
/// will start. ICELOCK_LAB_MANIFEST=1: the test writes the manifest itself, to try a host alone.
export function install_manifest(browser) {
  if (process.env.ICELOCK_LAB_MANIFEST === '1') write_manifest(browser);
  else icelock('setup', '--user', '--browser', browser);
  const {path: host} = JSON.parse(readFileSync(user_manifests[browser], 'utf8'));
  accessSync(host, constants.X_OK);
  return host;
}
