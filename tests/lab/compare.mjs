// SPDX-License-Identifier: Apache-2.0
// What `icelock predict` says beside what a browser showed. Addresses are compared by name; a prediction without an
// address means the public side of a NAT, of which the lab has one per class.
import {icelock} from '../browser/setup.mjs';
import {name_of} from './scenarios.mjs';

const public_side = {isp_v4: 'REALv4', isp_v6: 'REALv6', egress: 'VPNv4'};

/// {network, of(family, level, permission)}: icelock's prediction for the network as it is now.
export function predict() {
  const {network, families} = JSON.parse(icelock('predict', '--json'));
  const of = (family, level, permission) => families.find((each) => each.family === family).levels
      .find((each) => each.level === level && each.permission === permission).exposures;
  return {network, of};
}

const name_for = (exposure, scenario) =>
    (exposure.address ? name_of(exposure.address, scenario) : public_side[exposure.class]);

/// Not the model's: the relay's own address, random names, and a browser's proxy, which is no part of the network.
const beside_the_model = new Set(['relay', 'mdns', 'no API', 'PROXY', '127.0.0.1']);
/// What web traffic alone is sent from in a scenario that icelock cannot see, and TURN over TCP with it.
const of_the_web = ({unseen, web}) => (unseen === 'web' ? Object.values(web) : []);
const theirs = (names, scenario) =>
    names.filter((name) => !beside_the_model.has(name) && !of_the_web(scenario).includes(name)).sort();

const family_of = ({class: kind, address}) => (kind === 'isp_v6' || address.includes(':') ? 'ipv6' : 'ipv4');

/// Servers see what a request was sent from: a listed card's address only when the family's traffic, or its datagrams
/// alone, leave by it.
function is_sent(exposure, network, scenario) {
  if (!(exposure.class in public_side)) return false;
  if (!exposure.address || exposure.channel === 'wire') return true;
  const family = family_of(exposure);
  return exposure.link === network[family].link || name_for(exposure, scenario) === scenario.seen[family];
}

function diff(predicted, seen) {
  return {predicted, seen, missing: predicted.filter((name) => !seen.includes(name)),
          extra: seen.filter((name) => !predicted.includes(name))};
}

/// {script: {predicted, seen, missing, extra}, wire: {...}}
export function compare(exposures, network, reading, scenario) {
  // With a proxy the page's own connections show the proxy.
  const all = exposures.filter((exposure) => !((scenario.proxy || scenario.unseen === 'web') && exposure.http_shows_too));
  const names = (some) => [...new Set(some.map((exposure) => name_for(exposure, scenario)))].sort();
  return {
    script: diff(names(all.filter(({channel}) => channel === 'script')), theirs(Object.keys(reading.script), scenario)),
    wire: diff(names(all.filter((exposure) => is_sent(exposure, network, scenario))), theirs(Object.keys(reading.wire), scenario)),
  };
}

export const agrees = ({missing, extra}) => missing.length === 0 && extra.length === 0;

/// Only something that did not come: worth a second, longer look.
export const only_missing = ({script, wire}) =>
    script.extra.length + wire.extra.length === 0 && script.missing.length + wire.missing.length > 0;
