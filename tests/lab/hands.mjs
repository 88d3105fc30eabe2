// SPDX-License-Identifier: Apache-2.0
// icelock's hands in mode auto, as data: which of them are there, and what happens in which order.
//
//   browser  it starts        up, drop  the tunnel         open_held  a page opens a connection that stays
//   locked   wait until the browser is at the level decided
//   read     all pages, both permissions, and the wire     call  a real call, without and with TURN
//   restart  ICE restart on the connection that stays; then it is closed, so that what follows is not its traffic
export const hands = {
  // The tunnel comes up under a running browser, drops, and comes back.
  extension: {extension: true, steps: ['browser', 'open_held', 'up', 'locked', 'restart', 'read', 'call',
                                       'drop', 'read_held', 'up', 'locked', 'read', 'drop']},
  // The tunnel is up before the browser starts.
  policy: {service: true, steps: ['up', 'browser', 'read', 'call', 'drop']},
  both: {extension: true, service: true, steps: ['up', 'browser', 'locked', 'read', 'drop', 'read_held']},
};

/// A proxy in the browser, no tunnel: only the extension can see it, once the person let it.
export const proxy_hands = {
  extension: {extension: true, steps: ['browser', 'locked', 'read', 'call']},
};
