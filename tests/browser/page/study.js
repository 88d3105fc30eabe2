// SPDX-License-Identifier: Apache-2.0
// The leak lab's page: what script learns with STUN and TURN servers of both kinds, in this document or in a frame of
// another origin; connections that stay; calls. Letters as in gather.js, and p: the related address of a relay
// reached over TCP, which a page's own connections show too.
'use strict';

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/// Notes addresses and when the last new one came.
class Found {
  constructor() {
    this.addresses = {};
    this.touched = performance.now();
    this.tcp_relays = new Set();
  }

  add(text, letter) {
    const address = text?.replace(/^\[|\]$/g, '');
    if (is_placeholder(address) || address === '127.0.0.1') return;
    const letters = this.addresses[address] ?? '';
    if (letters.includes(letter)) return;
    this.addresses[address] = [...letters + letter].sort().join('');
    this.touched = performance.now();
  }

  candidate(candidate) {
    if (!candidate?.candidate) return;
    const words = candidate.candidate.split(' ');
    const over_tcp = candidate.relayProtocol === 'tcp' || candidate.relayProtocol === 'tls';
    if (over_tcp) this.tcp_relays.add(`${words[4]} ${words[5]}`);
    this.line(candidate.candidate);
  }

  line(text) {
    const words = text.replace(/^a=/, '').replace(/^candidate:/, '').split(' ');
    if (words.length < 8) return;
    this.add(words[4], letter_of[words[7]]);
    const related = words.indexOf('raddr');
    if (related > 0) this.add(words[related + 1], this.tcp_relays.has(`${words[4]} ${words[5]}`) ? 'p' : 'a');
  }

  sdp(text) {
    for (const line of text.split(/\r?\n/)) {
      if (line.startsWith('a=candidate:')) this.line(line);
      if (line.startsWith('c=IN ')) this.add(line.split(' ')[2], 'c');
    }
  }

  async stats(connection) {
    const entries = [...(await connection.getStats()).values()].filter(({type}) => type === 'local-candidate');
    for (const entry of entries) {
      this.add(entry.address ?? entry.ip, 't');
      if (!entry.relatedAddress) continue;
      this.add(entry.relatedAddress, entry.relayProtocol === 'tcp' ? 'p' : 'a');
    }
  }
}

/// Ends when nothing new came for `quiet_ms`, at least `least_ms` and at most `most_ms` after the start: the end of
/// gathering cannot be relied on, one unanswered request delays it for many seconds.
async function quiet(found, {least_ms, quiet_ms, most_ms}) {
  const begin = performance.now();
  for (;;) {
    await later(50);
    const now = performance.now();
    if (now - begin >= most_ms || (now - begin >= least_ms && now - found.touched >= quiet_ms)) return;
  }
}

async function offer(connection, found, options) {
  connection.onicecandidate = ({candidate}) => found.candidate(candidate);
  await connection.setLocalDescription(await connection.createOffer(options));
}

async function collect(connection, found, timing) {
  await quiet(found, timing);
  found.sdp(connection.localDescription.sdp);
  await found.stats(connection);
  return found.addresses;
}

async function own_address() {
  try {
    return await (await fetch('/address')).text();
  } catch {
    return '';
  }
}

/// {api, addresses, knows}; knows: the address that this page's own server sees.
async function study({servers, timing}) {
  const knows = await own_address();
  if (typeof RTCPeerConnection === 'undefined') return {api: false, addresses: {}, knows};
  const found = new Found();
  const connection = new RTCPeerConnection({iceServers: servers});
  try {
    connection.createDataChannel('lab');
    await offer(connection, found);
    return {api: true, addresses: await collect(connection, found, timing), knows};
  } catch (error) {
    // Firefox with the API switched off under a document that has it.
    return {api: false, addresses: found.addresses, knows, error: String(error)};
  } finally {
    connection.close();
  }
}

addEventListener('message', async ({data, source}) => {
  if (data?.study) source.postMessage({studied: await study(data.study)}, '*');
});
if (parent !== window) parent.postMessage({ready: true}, '*');

/// The same in a frame of another origin, which may use what its own origin was permitted.
function study_in_frame(url, options) {
  return new Promise((resolve, reject) => {
    const frame = document.createElement('iframe');
    frame.allow = 'microphone; camera';
    frame.src = `${url}/`;
    const listen = ({data, source}) => {
      if (source !== frame.contentWindow) return;
      if (data?.ready) source.postMessage({study: options}, '*');
      if (!data?.studied) return;
      removeEventListener('message', listen);
      frame.remove();
      resolve(data.studied);
    };
    addEventListener('message', listen);
    setTimeout(() => reject(new Error(`no answer from the frame ${url}`)), 25000);
    document.body.append(frame);
  });
}

/// A connection that stays, as one opened before a lock. restart_held() is an ICE restart on it.
async function open_held({servers, timing}) {
  if (typeof RTCPeerConnection === 'undefined') return {api: false, addresses: {}};
  const found = new Found();
  window.held = new RTCPeerConnection({iceServers: servers});
  window.held.createDataChannel('lab');
  await offer(window.held, found);
  return {api: true, addresses: await collect(window.held, found, timing)};
}

async function restart_held({timing}) {
  const found = new Found();
  try {
    await offer(window.held, found, {iceRestart: true});
    return {api: true, addresses: await collect(window.held, found, timing)};
  } catch (error) {
    return {api: false, addresses: found.addresses, error: String(error)};
  }
}

function close_held() {
  window.held?.close();
}

/// Fake media that needs no permission: a picture that changes and a tone.
function fake_media() {
  const canvas = document.createElement('canvas');
  const picture = canvas.getContext('2d');
  let shade = 0;
  window.painter = setInterval(() => {
    picture.fillStyle = `rgb(${(shade += 9) % 256}, 80, 120)`;
    picture.fillRect(0, 0, canvas.width, canvas.height);
  }, 50);
  return canvas.captureStream(10);
}

function make_call({servers, relay_only}) {
  const connection = new RTCPeerConnection({iceServers: servers, iceTransportPolicy: relay_only ? 'relay' : 'all'});
  const call = {connection, texts: 0};
  const listen = (channel) => {
    call.channel = channel;
    channel.onmessage = () => ++call.texts;
    channel.onopen = () => channel.send('hello');
  };
  connection.ondatachannel = ({channel}) => listen(channel);
  call.listen = listen;
  const media = fake_media();
  for (const track of media.getTracks()) connection.addTrack(track, media);
  window.call = call;
  return call;
}

/// Sets the description that `make` resolves to and returns it with its candidates.
async function described(connection, make, timing) {
  const found = new Found();
  connection.addEventListener('icecandidate', ({candidate}) => found.candidate(candidate));
  await connection.setLocalDescription(await make());
  found.touched = performance.now();
  await quiet(found, timing);
  return connection.localDescription.sdp;
}

async function call_offer(options) {
  if (typeof RTCPeerConnection === 'undefined') return null;
  const {connection, listen} = make_call(options);
  listen(connection.createDataChannel('call'));
  return described(connection, () => connection.createOffer(), options.timing);
}

async function call_answer(options, sdp) {
  const {connection} = make_call(options);
  await connection.setRemoteDescription({type: 'offer', sdp});
  return described(connection, () => connection.createAnswer(), options.timing);
}

async function call_accept(sdp) {
  await window.call.connection.setRemoteDescription({type: 'answer', sdp});
  return true;
}

/// {texts, packets, pair: {type, relay, protocol}} of this end now.
async function call_state() {
  const {connection, texts} = window.call;
  const stats = await connection.getStats();
  const all = [...stats.values()];
  const packets = all.filter(({type, kind}) => type === 'inbound-rtp' && kind === 'video')
      .reduce((sum, {packetsReceived}) => sum + (packetsReceived ?? 0), 0);
  const transport = all.find(({type, selectedCandidatePairId}) => type === 'transport' && selectedCandidatePairId);
  const pair = transport ? stats.get(transport.selectedCandidatePairId)
      : all.find(({type, selected, nominated, state}) =>
          type === 'candidate-pair' && state === 'succeeded' && (selected || nominated));
  const local = pair && stats.get(pair.localCandidateId);
  return {texts, packets, state: connection.connectionState,
          pair: local && {type: local.candidateType, relay: local.relayProtocol ?? '', protocol: local.protocol}};
}

function call_end() {
  clearInterval(window.painter);
  window.call?.connection.close();
}
