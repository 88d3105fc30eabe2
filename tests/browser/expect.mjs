// SPDX-License-Identifier: Apache-2.0
// What the browser tests share: names for addresses, levels by what a browser obeys, checks, results.
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

import {names, stun} from '../lab/network.mjs';

/// Long enough: answered candidates were there within 300 ms in hundreds of runs.
export const gather_ms = 1500;
export const stun_urls = [`stun:${stun.ipv4}:${stun.port}`, `stun:[${stun.ipv6}]:${stun.port}`];

/// What the browser says about itself, as the level that it amounts to; 'other' when it is none of ours.
export const chromium_levels = {
  default: 'unrestricted',
  default_public_interface_only: 'default_route_only',
  disable_non_proxied_udp: 'force_proxy',
};

export const firefox_prefs = {
  enabled: 'media.peerconnection.enabled',
  default_address_only: 'media.peerconnection.ice.default_address_only',
  no_host: 'media.peerconnection.ice.no_host',
  proxy_only_if_behind_proxy: 'media.peerconnection.ice.proxy_only_if_behind_proxy',
  proxy_only: 'media.peerconnection.ice.proxy_only',
};

export function firefox_level(prefs) {
  if (!prefs.enabled) return 'disabled';
  if (prefs.proxy_only) return 'force_proxy';
  if (prefs.no_host || prefs.proxy_only_if_behind_proxy) return 'other';
  return prefs.default_address_only ? 'default_route_only' : 'unrestricted';
}

/// The page's addresses under the lab's names: {NAME: "letters"}; .local names together are "mdns". The letters
/// t and c are kept only where getStats() or the connection line alone showed the address.
export function named({api, addresses}) {
  if (!api) return {'no API': ''};
  const result = {};
  for (const [address, letters] of Object.entries(addresses)) {
    const name = address.endsWith('.local') ? 'mdns' : names[address] ?? address;
    const all = [...new Set((result[name] ?? '') + letters)].sort().join('');
    result[name] = all.replace(/[ct]/g, '') || all;
  }
  return result;
}

/// "LANv4(ah) REALv4(s)", for people and comparisons.
export const text_of = (seen) =>
    Object.keys(seen).sort().map((name) => (seen[name] && name !== 'mdns' ? `${name}(${seen[name]})` : name))
        .join(' ') || 'nothing';

const only_missing = (seen, wanted) =>
    seen === 'nothing' || seen.split(' ').every((one) => wanted.includes(one.split('(')[0]));

const harmless = new Set(['tunv4', 'VPNv4', 'VPNv6', 'mdns', 'no API']);

/// The names among these that a full tunnel is there to hide; an address that nobody knows counts.
export const leaks = (seen) => Object.keys(seen).filter((name) => !harmless.has(name)).sort();

/// Collects checks, so that one failing does not hide the others, and leaves them as JSON.
export class Report {
  constructor(name) {
    this.name = name;
    this.begin = Date.now();
    this.checks = [];
    this.figures = {};
  }

  check(what, passed, detail) {
    this.checks.push({what, passed: Boolean(passed), detail});
    console.log(`${passed ? 'ok  ' : 'FAIL'} ${what}${detail === undefined ? '' : `: ${detail}`}`);
  }

  equal(what, got, wanted) {
    this.check(what, got === wanted, got === wanted ? got : `got ${got}, want ${wanted}`);
  }

  /// What a page shows, as text_of(). Looked at again for longer while something of `wanted` has not come; what
  /// shows too much is not.
  async shows(what, browser, url, wanted) {
    const waits = [gather_ms, 4000, 8000];
    let seen;
    do {
      seen = text_of(await browser.read(url, waits.shift()));
    } while (waits.length > 0 && seen !== wanted && only_missing(seen, wanted));
    this.equal(what, seen, wanted);
  }

  figure(name, value) {
    this.figures[name] = value;
    console.log(`     ${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  }

  /// Writes the file and returns the exit code.
  finish(error) {
    if (error) this.check('ran to its end', false, error.stack ?? String(error));
    if (this.checks.length === 0) this.check('checked something', false);
    const passed = this.checks.every((check) => check.passed);
    const folder = process.env.ICELOCK_LAB_OUT ??
        fileURLToPath(new URL('../../build/lab', import.meta.url));
    mkdirSync(folder, {recursive: true});
    const {name, checks, figures} = this;
    writeFileSync(path.join(folder, `${name}.json`),
                  JSON.stringify({name, passed, ms: Date.now() - this.begin, figures, checks}, null, 1) + '\n');
    return passed ? 0 : 1;
  }
}

/// For a test that cannot run here: 77 is CTest's "skipped"; ICELOCK_REQUIRE=1 makes it a failure.
export function skip(reason) {
  console.error(`skipped: ${reason}`);
  process.exit(process.env.ICELOCK_REQUIRE === '1' ? 1 : 77);
}
