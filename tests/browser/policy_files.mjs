// SPDX-License-Identifier: Apache-2.0
// Policy files as a careful admin would write them by hand, so that what a level does in a browser can be
// proven without any of icelock's own code.
import {mkdirSync, renameSync, writeFileSync} from 'node:fs';
import path from 'node:path';

import {chromium_levels, firefox_prefs} from './expect.mjs';

export const policy_paths = {
  chromium: '/etc/chromium/policies/managed/50-lab.json',
  firefox: '/etc/firefox/policies/policies.json',
};

/// Chromium cannot switch WebRTC off; `disabled` is its strictest value.
export function chromium_handling(level) {
  const wanted = level === 'disabled' ? 'force_proxy' : level;
  return Object.entries(chromium_levels).find(([, each]) => each === wanted)[0];
}

export function firefox_values(level) {
  return {
    enabled: level !== 'disabled',
    default_address_only: level === 'default_route_only',
    no_host: false,
    proxy_only_if_behind_proxy: false,
    proxy_only: level === 'force_proxy' || level === 'disabled',
  };
}

function firefox_policy(level) {
  const preferences = Object.entries(firefox_values(level))
      .map(([short, value]) => [firefox_prefs[short], {Value: value, Status: 'locked'}]);
  return {policies: {Preferences: Object.fromEntries(preferences)}};
}

export const policy_content = (browser, level) =>
    (browser === 'firefox' ? firefox_policy(level) : {WebRtcIPHandling: chromium_handling(level)});

/// Puts the file in place in one step. content: as an object; root: another place than /.
export function put_policy(browser, content, root = '') {
  const file = root + policy_paths[browser];
  const stage = `${path.dirname(path.dirname(file))}/stage`;
  mkdirSync(path.dirname(file), {recursive: true});
  writeFileSync(stage, JSON.stringify(content), {mode: 0o644});
  renameSync(stage, file);
}

export const write_policy = (browser, level) => put_policy(browser, policy_content(browser, level));
