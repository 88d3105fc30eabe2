// SPDX-License-Identifier: Apache-2.0
// What a site could learn from this browser: real connections to nobody, and every address that shows in
// their events, their descriptions or their statistics.

import {parseCandidate} from './leak.js';

/** @typedef {import('./leak.js').Found} Found */
/** @typedef {import('./leak.js').Gathered} Gathered */

/** Milliseconds. Browsers may take ten seconds to say that they are done, and some never do; what will be
 * answered is answered long before. */
export const gatherTime = 4000;

/** @param {string[]} servers as `stun:host:port`; with none, only what needs no server
 * @param {number} [time] @returns {Promise<Gathered>} */
export async function gather(servers, time = gatherTime) {
  const Peer = globalThis.RTCPeerConnection;
  if (!Peer) return {api: false, found: [], answered: []};
  // One connection for each server, so that it is known which one answered.
  const all = await Promise.all((servers.length ? servers : ['']).map((one) => ask(Peer, one, time)));
  const reached = all.filter((one) => one !== null);
  return {
    api: reached.length > 0,
    found: reached.flat(),
    answered: servers.filter((server) =>
      reached.flat().some((one) => one.server === server && one.type === 'srflx'))};
}

/** @param {typeof RTCPeerConnection} Peer @param {string} server @param {number} time
 * @returns {Promise<Found[] | null>} null when the browser refuses to make connections */
async function ask(Peer, server, time) {
  /** @type {Found[]} */
  const found = [];
  const take = (/** @type {string} */ line) => found.push(...parseCandidate(line, server));
  let peer;
  try {
    peer = new Peer({iceServers: server ? [{urls: server}] : []});
    peer.onicecandidate = ({candidate}) => { if (candidate?.candidate) take(candidate.candidate); };
    peer.createDataChannel('icelock');
    await peer.setLocalDescription(await peer.createOffer());
    await new Promise((resolve) => setTimeout(resolve, time));
    for (const line of peer.localDescription?.sdp.split('\n') ?? []) take(line);
    found.push(...await fromStatistics(peer, server));
    return found;
  } catch {
    return null;
  } finally {
    peer?.close();
  }
}

/** Firefox shows addresses here that it keeps out of everything else.
 * @param {RTCPeerConnection} peer @param {string} server @returns {Promise<Found[]>} */
async function fromStatistics(peer, server) {
  /** @type {Found[]} */
  const found = [];
  (await peer.getStats()).forEach((one) => {
    if (one.type !== 'local-candidate' || !one.address) return;
    const related = one.relatedAddress ? ` raddr ${one.relatedAddress} rport 9` : '';
    found.push(...parseCandidate(
      `candidate:0 1 udp 1 ${one.address} 9 typ ${one.candidateType}${related}`, server));
  });
  return found;
}

/** Whether this document may use the microphone or camera: then browsers hide less from it.
 * @returns {Promise<boolean>} */
export async function holdsPermission() {
  const states = await Promise.all(['microphone', 'camera'].map((name) =>
    navigator.permissions.query({name: /** @type {any} */ (name)}).then(({state}) => state, () => '')));
  return states.includes('granted');
}
