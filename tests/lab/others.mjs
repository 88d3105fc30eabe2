// SPDX-License-Identifier: Apache-2.0
// What else there is against the leak, as data: each browser's own setting at each value, and two extensions of
// Debian's in the strictest state that they offer. `extension` is a folder below OUT/peers (fetch_peers.sh).
const pref = (name) => `media.peerconnection.${name}`;
const locked = (values) => ({policies: {Preferences: Object.fromEntries(
    Object.entries(values).map(([name, value]) => [pref(name), {Value: value, Status: 'locked'}]))}});
const add_on = 'usr/share/mozilla/extensions/{ec8030f7-c20a-464f-9b0e-13a3a9e97384}';

// Firefox: what its privacy API sets for each value (Firefox source, ext-privacy.js).
export const others = {
  chromium: {
    ...Object.fromEntries(['default', 'default_public_and_private_interfaces', 'default_public_interface_only',
                           'disable_non_proxied_udp'].map((value) => [value, {policy: {WebRtcIPHandling: value}}])),
    'uBlock Origin': {policy: null, extension: 'usr/share/chromium/extensions/ublock-origin'},
    'Privacy Badger': {policy: null, extension: 'usr/share/webext/privacy-badger'},
  },
  firefox: {
    default: {policy: locked({})},
    default_public_and_private_interfaces: {policy: locked({'ice.default_address_only': true})},
    default_public_interface_only: {policy: locked({'ice.default_address_only': true, 'ice.no_host': true})},
    disable_non_proxied_udp: {policy: locked({'ice.default_address_only': true, 'ice.no_host': true,
                                              'ice.proxy_only_if_behind_proxy': true})},
    proxy_only: {policy: locked({'ice.proxy_only': true})},
    'peerConnectionEnabled=false': {policy: locked({enabled: false})},
    // The value that the option "Prevent WebRTC from leaking local IP addresses" of both sets, through the browser's
    // own store of what extensions set.
    'uBlock Origin': {policy: null, extension: `${add_on}/uBlock0@raymondhill.net`,
                      setting: ['uBlock0@raymondhill.net', 'default_public_interface_only']},
    'Privacy Badger': {policy: null, extension: 'usr/share/webext/privacy-badger',
                       setting: ['jid1-MnnxcxisBPnSXQ@jetpack', 'default_public_interface_only']},
  },
};
