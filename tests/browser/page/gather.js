// SPDX-License-Identifier: Apache-2.0
// What a page's script can learn: a fresh RTCPeerConnection each time, every channel read.
// Letters: h host, s server-reflexive, r relay (candidate events and SDP), a related address, c the SDP's
// connection line, t getStats().
'use strict';

const letter_of = {host: 'h', srflx: 's', prflx: 's', relay: 'r'};
const is_placeholder = (address) => !address || address === '0.0.0.0' || address === '::';

function read_candidate_line(line, found) {
  const words = line.replace(/^a=/, '').replace(/^candidate:/, '').split(' ');
  if (words.length < 8) return;
  found(words[4], letter_of[words[7]]);
  const related = words.indexOf('raddr');
  if (related > 0) found(words[related + 1], 'a');
}

function read_sdp(sdp, found) {
  for (const line of sdp.split(/\r?\n/)) {
    if (line.startsWith('a=candidate:')) read_candidate_line(line, found);
    if (line.startsWith('c=IN ')) found(line.split(' ')[2], 'c');
  }
}

async function read_stats(connection, found) {
  for (const entry of (await connection.getStats()).values()) {
    if (!/^(local-candidate|localcandidate)$/.test(entry.type)) continue;
    found(entry.address ?? entry.ip, 't');
    if (entry.relatedAddress) found(entry.relatedAddress, 'a');
  }
}

/// Gathers for `wait_ms` (the end-of-gathering event cannot be relied on: one unanswered STUN request delays
/// it for many seconds). Resolves to {api, addresses: {ADDRESS: "letters"}}.
async function gather(wait_ms, stun_urls) {
  if (typeof RTCPeerConnection === 'undefined') return {api: false, addresses: {}};
  const addresses = {};
  const found = (text, letter) => {
    const address = text?.replace(/^\[|\]$/g, '');
    if (is_placeholder(address)) return;
    const letters = addresses[address] ?? '';
    if (!letters.includes(letter)) addresses[address] = [...letters + letter].sort().join('');
  };
  const connection = new RTCPeerConnection({iceServers: stun_urls.map((urls) => ({urls}))});
  try {
    connection.onicecandidate = ({candidate}) => {
      if (!candidate?.candidate) return;
      read_candidate_line(candidate.candidate, found);
      if (candidate.address) found(candidate.address, letter_of[candidate.type]);
      if (candidate.relatedAddress) found(candidate.relatedAddress, 'a');
    };
    connection.createDataChannel('lab');
    await connection.setLocalDescription(await connection.createOffer());
    await new Promise((resolve) => setTimeout(resolve, wait_ms));
    read_sdp(connection.localDescription.sdp, found);
    await read_stats(connection, found);
  } finally {
    connection.close();
  }
  return {api: true, addresses};
}

/// A fresh connection every `every_ms` for `total_ms`: what a page learns while the network changes. Resolves to
/// [{at: when it was made, in ms since 1970, addresses}].
async function gather_series(total_ms, every_ms, wait_ms, stun_urls) {
  const end = Date.now() + total_ms;
  const all = [];
  while (Date.now() < end) {
    const at = Date.now();
    all.push(gather(wait_ms, stun_urls).then(({addresses}) => ({at, addresses}), () => ({at, addresses: {}})));
    await new Promise((resolve) => setTimeout(resolve, every_ms));
  }
  return Promise.all(all);
}
