// SPDX-License-Identifier: Apache-2.0
// A real call to a browser in the internet namespace: data channel and moving picture, both ways.
import {launch} from './browsers.mjs';
import {sleep} from './machine.mjs';
import {origins} from './network.mjs';
import {stun_servers, turn_servers} from './readings.mjs';

const timing = {least_ms: 300, quiet_ms: 250, most_ms: 1500};
const patience_ms = 10000;
const page = origins.ipv4;

/// mDNS names cannot be resolved across a router, so the peer shows its addresses.
export const launch_peer = () =>
    launch('chromium', {policy: null, host: 'peer', args: ['--disable-features=WebRtcHideLocalIpsWithMdns']});

const flows = ({texts, packets}) => texts > 0 && packets > 0;

function outcome({pair}) {
  if (!pair) return 'connected';
  return pair.type === 'relay' ? `relay-${pair.relay || 'udp'}` : pair.protocol ?? 'udp';
}

async function connect(browser, peer, servers) {
  const offer = await browser.run(page, 'call_offer', {servers, timing});
  if (!offer?.includes('a=candidate:')) return 'not connected';
  const answer = await peer.run(page, 'call_answer', {servers: [], timing}, offer);
  await browser.run(page, 'call_accept', answer);
  const end = Date.now() + patience_ms;
  for (;;) {
    const [here, there] = [await browser.run(page, 'call_state'), await peer.run(page, 'call_state')];
    if (flows(here) && flows(there)) return outcome(here);
    if (here.state === 'failed' || Date.now() > end) return 'not connected';
    await sleep(50);
  }
}

async function call(browser, peer, servers) {
  try {
    return await connect(browser, peer, servers);
  } finally {
    await Promise.all([browser.run(page, 'call_end'), peer.run(page, 'call_end')]);
  }
}

/// {direct, turn}: 'udp', 'relay-udp', 'relay-tcp' or 'not connected', without and with a TURN server on offer.
export async function calls(browser, peer) {
  return {direct: await call(browser, peer, stun_servers),
          turn: await call(browser, peer, [...stun_servers, ...turn_servers])};
}
