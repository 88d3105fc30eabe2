// SPDX-License-Identifier: Apache-2.0
// An ordinary user of the lab's machine, with a home, a browser and, if wished, the right to change sites and mode.
import {execFileSync} from 'node:child_process';
import {appendFileSync, chownSync, mkdirSync, renameSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {Chromium} from './chromium.mjs';
import {extension, program} from './setup.mjs';

export const icelock_group = 4444;

/// The admin's settings, replaced whole, as an editor does it.
export function settings(content) {
  mkdirSync('/etc/icelock', {recursive: true});
  writeFileSync('/etc/icelock/new', JSON.stringify(content));
  renameSync('/etc/icelock/new', '/etc/icelock/icelock.json');
}

export class User {
  constructor(name, uid, member) {
    Object.assign(this, {name, uid, home: `/run/lab/home-${name}`});
    this.config = `${this.home}/.config`;
    for (const folder of [this.home, this.config, `${this.home}/tmp`, `${this.home}/run`]) {
      mkdirSync(folder, {mode: 0o700});
      chownSync(folder, uid, uid);
    }
    appendFileSync('/etc/passwd', `${name}:x:${uid}:${uid}::${this.home}:/bin/sh\n`);
    this.command = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, member ? `--groups=${icelock_group}` : '--clear-groups',
                    'env', '-i', 'PATH=/usr/bin:/bin', `HOME=${this.home}`, `XDG_CONFIG_HOME=${this.config}`,
                    `XDG_RUNTIME_DIR=${this.home}/run`, `TMPDIR=${this.home}/tmp`];
    this.starter = `/run/lab/chromium-${name}`;
    writeFileSync(this.starter, `#!/bin/sh\nexec ${this.command.join(' ')} /usr/bin/chromium "$@"\n`, {mode: 0o755});
  }

  run(...command) {
    const [first, ...rest] = [...this.command, ...command];
    return execFileSync(first, rest, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20000});
  }

  icelock(...args) {
    return this.run(program('icelock'), ...args);
  }

  /// What the service tells this user.
  status() {
    return JSON.parse(this.run('curl', '-sS', '--unix-socket', '/run/icelock/http.sock',
                               'http://localhost/v1/status')).state;
  }

  /// Returns the user id that the browser runs as.
  async start_browser(options = {}) {
    this.icelock('setup', '--user', '--browser', 'chromium');
    this.browser = await Chromium.launch({
      extension, granted: [], program: this.starter, profile: path.join(this.config, 'chromium'), ...options});
    const child = this.browser.browser.process();
    return execFileSync('stat', ['-c', '%u', `/proc/${child.pid}`], {encoding: 'utf8'}).trim();
  }

  /// What icelock-host answers this user's browser.
  async host(op, args = {}) {
    const worker = await this.browser.worker();
    return worker.evaluate((message) => chrome.runtime.sendNativeMessage('icelock.host', message),
                           {v: 1, id: 1, op, ...args});
  }
}
