// SPDX-License-Identifier: Apache-2.0
// Browsers for the lab: each with a fresh profile and, if wished, policy folders of its own, so that several can run
// side by side under different policies.
import {mkdirSync, mkdtempSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {Chromium} from '../browser/chromium.mjs';
import {Firefox} from '../browser/firefox.mjs';
import {policy_content, put_policy} from '../browser/policy_files.mjs';
import {inside_origins, origins, pages, proxies} from './network.mjs';

export const families = {chromium: Chromium, firefox: Firefox};
const installed = {
  chromium: process.env.ICELOCK_CHROMIUM ?? '/usr/bin/chromium',
  firefox: process.env.ICELOCK_FIREFOX ?? '/usr/bin/firefox-esr',
};

/// The origins that hold a stored permission. (It takes a secure one.)
export const granted_origins = [pages.granted, origins.secure_ipv4, origins.secure_ipv6, origins.secure_excluded,
                                inside_origins.secure_inside];

const scratch = (name) => mkdtempSync(path.join(process.env.TMPDIR, `${name}-`));

/// A program that starts the browser with these folders in place of /etc/chromium and /etc/firefox.
function isolated(program, root, host) {
  const wrapper = path.join(root, 'start');
  for (const folder of ['/etc/chromium', '/etc/firefox']) {
    mkdirSync(folder, {recursive: true});
    mkdirSync(root + folder, {recursive: true});
  }
  const where = host ? `ip netns exec ${host} ` : '';
  writeFileSync(wrapper, `#!/bin/sh
exec ${where}unshare --mount --propagation private sh -c \\
  'mount --bind ${root}/etc/chromium /etc/chromium && mount --bind ${root}/etc/firefox /etc/firefox && exec "$0" "$@"' \\
  ${program} "$@"
`, {mode: 0o755});
  return wrapper;
}

const firefox_proxy = {
  http: {'network.proxy.type': 1, 'network.proxy.http': proxies.address, 'network.proxy.http_port': proxies.http,
         'network.proxy.ssl': proxies.address, 'network.proxy.ssl_port': proxies.http},
  socks: {'network.proxy.type': 1, 'network.proxy.socks': proxies.address, 'network.proxy.socks_port': proxies.socks,
          'network.proxy.socks_version': 5},
};
const chromium_proxy = {
  http: [`--proxy-server=http://${proxies.address}:${proxies.http}`],
  socks: [`--proxy-server=socks5://${proxies.address}:${proxies.socks}`],
};
// Tabs in the background must not make the lab wait.
export const quick_timers = {
  'dom.min_background_timeout_value': 4, 'dom.min_background_timeout_value_without_budget_throttling': 4,
  'dom.timeout.enable_budget_timer_throttling': false,
};
const quick_flags = ['--disable-background-timer-throttling', '--disable-renderer-backgrounding',
                     '--disable-backgrounding-occluded-windows'];

/// policy: the content of its policy file; null: none; undefined: the lab's own /etc, whatever is there.
export async function launch(family, {policy, extension, proxy, profile, prefs = {}, args = [], host} = {}) {
  let program = installed[family];
  if (policy !== undefined) {
    const root = scratch('etc');
    if (policy) put_policy(family, policy, root);
    program = isolated(program, root, host);
  }
  const common = {extension, granted: granted_origins, accept_insecure: true, program};
  if (family === 'firefox') {
    return Firefox.launch({...common, prefs: {...quick_timers, ...firefox_proxy[proxy], ...prefs}});
  }
  return Chromium.launch({...common, profile: profile ?? scratch('chromium'),
                          args: [...quick_flags, ...(chromium_proxy[proxy] ?? []), ...args]});
}

export const at_level = (family, level, options = {}) =>
    launch(family, {policy: policy_content(family, level), ...options});
