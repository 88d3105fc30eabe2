// SPDX-License-Identifier: Apache-2.0
// Which API values make which level, per browser family, by measured effect and not by name: Firefox's
// `default_public_interface_only` and `disable_non_proxied_udp` switch `no_host` on, which shows plain
// local addresses in getStats(), and the latter blocks nothing without a proxy. Chromium's
// `default_public_and_private_interfaces` shows raw local addresses to any page.

/** @typedef {'unrestricted' | 'default_route_only' | 'force_proxy' | 'disabled'} Level */
/** @typedef {'chromium' | 'firefox'} Family */
/** @typedef {{policy: string, peerConnectionEnabled?: boolean}} Handling
 *  `policy` is privacy.network.webRTCIPHandlingPolicy; `peerConnectionEnabled` is Firefox's alone. */

/** From loosest to strictest.
 * @type {readonly Level[]} */
export const levels = ['unrestricted', 'default_route_only', 'force_proxy', 'disabled'];

/** @type {Record<Family, Record<Level, Handling>>} */
export const handlings = {
  chromium: {
    unrestricted: {policy: 'default'},
    default_route_only: {policy: 'default_public_interface_only'},
    force_proxy: {policy: 'disable_non_proxied_udp'},
    // Chromium cannot take the API away; this is the strictest it has, and reads back as force_proxy.
    disabled: {policy: 'disable_non_proxied_udp'},
  },
  firefox: {
    unrestricted: {policy: 'default', peerConnectionEnabled: true},
    default_route_only: {
      policy: 'default_public_and_private_interfaces', peerConnectionEnabled: true},
    force_proxy: {policy: 'proxy_only', peerConnectionEnabled: true},
    disabled: {policy: 'proxy_only', peerConnectionEnabled: false},
  },
};

/** The level that a handling amounts to; null when it is none, which is never to be taken as locked.
 * @param {Family} family @param {Handling} read @returns {Level | null} */
export function levelOf(family, read) {
  if (family === 'firefox' && read.peerConnectionEnabled === false) return 'disabled';
  return levels.find((level) => handlings[family][level].policy === read.policy) ?? null;
}

/** The level that a family really reaches when asked for one.
 * @param {Family} family @param {Level} level @returns {Level} */
export const reachable = (family, level) => levelOf(family, handlings[family][level]) ?? level;

/** @param {unknown} value @returns {value is Level} */
export const isLevel = (value) => levels.includes(/** @type {Level} */ (value));

/** @param {Level | null} one @param {Level} other whether `one` is looser; no level at all is */
export const isLooser = (one, other) =>
  one === null || levels.indexOf(one) < levels.indexOf(other);

/** @param {Level} one @param {Level} other */
export const stricter = (one, other) => (isLooser(one, other) ? other : one);
