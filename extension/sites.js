// SPDX-License-Identifier: Apache-2.0
// Site patterns, as docs/protocol.md has them. No browser API in here.

/** @typedef {{name: string, patterns: string[]}} Service  a row of call-sites.json */

const pattern = /^(https?):\/\/(\[\*\.\])?([^/:[\]*?#@\s]+|\[[\da-f:.]+\])(?::(\d{1,5}))?$/;

/** @param {unknown} text @returns {text is string} whether it is a pattern of one site */
export const isPattern = (text) =>
  typeof text === 'string' && text.length <= 300 && pattern.test(text);

/** @param {unknown} text @returns {URL | null} */
function parse(text) {
  try {
    return new URL(String(text));
  } catch {
    return null;
  }
}

/** @param {string} site a pattern @param {unknown} address of a page @returns {boolean} */
export function matches(site, address) {
  const [, scheme, any, host, port] = pattern.exec(site) ?? [];
  const url = parse(address);
  if (!scheme || !url || url.protocol !== `${scheme}:` || (port && url.port !== port)) return false;
  return url.hostname === host || (any !== undefined && url.hostname.endsWith(`.${host}`));
}

/** The narrowest pattern that lets the page's calls through, and what to call it.
 * @param {unknown} address of a page @param {readonly Service[]} services
 * @returns {{pattern: string, name: string} | null} null where there is no site */
export function siteOf(address, services) {
  const url = parse(address);
  if (!url || !['http:', 'https:'].includes(url.protocol)) return null;
  for (const {name, patterns} of services) {
    const found = patterns.find((one) => matches(one, address));
    if (found) return {pattern: found, name};
  }
  return isPattern(url.origin) ? {pattern: url.origin, name: url.host} : null;
}

/** A pattern as a person reads it.
 * @param {string} site */
export const siteName = (site) => site.replace(/^https?:\/\//, '').replace(/^\[\*\.\]/, '');

/** @param {number} ms @returns {string} `59:07`, or `3:59:07` */
export function countdown(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] > 0 ? parts : parts.slice(1);
  return shown.map((part, at) => (at ? String(part).padStart(2, '0') : String(part))).join(':');
}
