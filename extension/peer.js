// SPDX-License-Identifier: Apache-2.0

/** Opens a connection to nobody and gives every candidate line of its events, description and statistics.
 * It stands alone: in Chromium its source goes into another page (see gather.js).
 * @param {string} server `stun:host:port`, or empty for none
 * @param {number} time milliseconds. Browsers may take ten seconds to say that they are done, and some never
 *   do; what will be answered is answered long before
 * @returns {Promise<string[] | null>} null when the browser refuses to make connections */
export async function candidateLines(server, time) {
  /** @type {string[]} */
  const lines = [];
  let peer;
  try {
    peer = new RTCPeerConnection({iceServers: server ? [{urls: server}] : []});
    peer.onicecandidate = ({candidate}) => { if (candidate?.candidate) lines.push(candidate.candidate); };
    peer.createDataChannel('icelock');
    await peer.setLocalDescription(await peer.createOffer());
    await new Promise((resolve) => setTimeout(resolve, time));
    for (const line of (peer.localDescription?.sdp ?? '').split('\n')) {
      if (line.startsWith('a=candidate:')) lines.push(line);
    }
    // Firefox shows addresses here that it keeps out of everything else.
    (await peer.getStats()).forEach((one) => {
      if (one.type !== 'local-candidate' || !one.address) return;
      const related = one.relatedAddress ? ` raddr ${one.relatedAddress} rport 9` : '';
      lines.push(`candidate:0 1 udp 1 ${one.address} 9 typ ${one.candidateType}${related}`);
    });
    return lines;
  } catch {
    return null;
  } finally {
    peer?.close();
  }
}
