// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {asText, examine, explain, historyLength, isBad, judge, parseCandidate, readHistory, remember, toneOf}
  from '../../../extension/leak.js';
import {hostState} from '../lib/fake_browser.mjs';

const server = 'stun:stun.example:3478';
const about = {at: 1, cause: /** @type {const} */ ('you'), permission: false, servers: [server]};
/** @type {import('../../../extension/leak.js').Link[]} */
const links = [
  {link: 'enp3s0', class: 'physical', addresses: [{address: '192.168.77.10'},
    {address: '2001:db8:77::10', candidates: [{type: 'host', address: '2001:db8:77::10'}]}]},
  {link: 'tun0', class: 'tunnel', addresses: [{address: '10.8.0.2',
    candidates: [{type: 'srflx', address: '198.51.100.20'}]}]},
  {link: 'docker0', class: 'virtual_link', addresses: [{address: '172.17.0.1'}]}];
/** The VPN carries IPv4 alone. */
const vpn = {level: /** @type {any} */ ('unrestricted'), state: hostState(), links};
const direct = (/** @type {string} */ link) => ({verdict: 'direct', link, excluded_routes: false});
const plainNet = {...vpn, state: hostState({tunnels: [], network: {ipv4: direct('enp3s0'), ipv6: direct('enp3s0')}}),
  links: [{...links[0]}]};
const alone = {level: /** @type {any} */ ('unrestricted'), state: null, links: null};

/** @param {string} address @param {string} [type] */
const found = (address, type = 'srflx') => ({address, type, server});
/** @param {any[]} list @param {any} known */
const verdictOf = (list, known, answered = [server]) =>
  examine({api: true, found: list, answered}, known, about).verdict;

test('candidates of every kind are read, with what they are related to', () => {
  const read = (/** @type {string} */ line) =>
    parseCandidate(line, server).map(({address, type}) => `${type} ${address}`);
  assert.deepEqual(read('candidate:1 1 udp 2113 192.168.77.10 5 typ host generation 0'), ['host 192.168.77.10']);
  assert.deepEqual(read('a=candidate:1 1 UDP 2113 abc-1.local 5 typ host\r'), ['host abc-1.local']);
  assert.deepEqual(read('candidate:1 1 udp 1 203.0.113.10 5 typ srflx raddr 0.0.0.0 rport 0'), ['srflx 203.0.113.10']);
  assert.deepEqual(read('candidate:1 1 udp 1 2001:DB8::0:1 5 typ srflx raddr :: rport 0'), ['srflx 2001:db8::1']);
  assert.deepEqual(read('candidate:1 1 tcp 1 203.0.113.9 5 typ relay raddr 203.0.113.10 rport 7'),
    ['relay 203.0.113.9', 'related 203.0.113.10']);
  for (const line of ['', 'a=mid:0', 'candidate:1', 'candidate:1 1 udp 1 <b> 5 typ host',
    'x 1 udp 1 1.2.3.4 5 typ host', 'candidate:1 1 udp 1 1.2.3.4 5 host']) assert.deepEqual(read(line), [], line);
});

test('each address is explained by what the host knows', () => {
  for (const [one, known, key, link] of /** @type {[any, any, string, string?][]} */ ([
    [found('x.local', 'host'), vpn, 'hidden'], [found('x.local', 'host'), alone, 'hidden'],
    [found('10.8.0.2', 'host'), vpn, 'tunnel', 'tun0'], [found('192.168.77.10', 'host'), vpn, 'lan', 'enp3s0'],
    [found('172.17.0.1', 'host'), vpn, 'lan', 'docker0'], [found('2001:db8:77:0::10', 'host'), vpn, 'isp', 'enp3s0'],
    [found('198.51.100.20'), vpn, 'egress', 'tun0'], [found('2001:db8:99::1'), vpn, 'isp', 'enp3s0'],
    [found('203.0.113.10'), plainNet, 'isp', 'enp3s0'], [found('203.0.113.10'), alone, 'unsure'],
    [found('192.168.1.2', 'host'), alone, 'lan'], [found('100.64.1.1', 'host'), alone, 'lan'],
    [found('10.8.0.2', 'host'), {...vpn, links: null}, 'unsure'],
    [found('10.8.0.2', 'host'), {...plainNet, links: null}, 'lan'],
    [found('fd00::7', 'host'), alone, 'lan'], [found('2001:db8::5', 'host'), alone, 'unsure']])) {
    const {kind, words} = explain(one, known);
    assert.deepEqual([kind, words.key, words.args?.[0]],
      [key, link ? `check_is_${key}_on` : `check_is_${key}`, link], one.address);
  }
});

test('a tunnel that leaves routes aside, or a family that is split, proves nothing', () => {
  const known = (/** @type {object} */ ipv4) => ({...vpn, links: null,
    state: hostState({network: {ipv4: {verdict: 'tunnel', link: 'tun0', excluded_routes: false, ...ipv4}}})});
  assert.equal(explain(found('203.0.113.10'), known({})).kind, 'egress');
  for (const ipv4 of [{excluded_routes: true}, {excluded_routes: undefined}, {verdict: 'partial'}, {verdict: 'none'}]) {
    assert.equal(explain(found('203.0.113.10'), known(ipv4)).kind, 'unsure', JSON.stringify(ipv4));
  }
  assert.equal(explain(found('203.0.113.10'), {...vpn, state: {}}).kind, 'unsure');
});

test('only who knows all addresses of the machine says that one is foreign', () => {
  assert.equal(explain(found('203.0.113.10'), plainNet).foreign, true);
  assert.equal(explain(found('2001:db8:77::10'), vpn).foreign, false);
  assert.equal(explain(found('203.0.113.10'), {...plainNet, links: null}).foreign, false);
  assert.equal(explain(found('x.local', 'host'), plainNet).foreign, false);
});

test('the verdict', () => {
  const v6 = found('2001:db8:77::10', 'host');
  for (const [list, known, verdict] of /** @type {[any[], any, string][]} */ ([
    [[found('198.51.100.20'), v6], vpn, 'leak'],
    [[found('192.168.77.10', 'host')], vpn, 'leak'],
    [[found('198.51.100.20'), found('10.8.0.2', 'host')], vpn, 'vpn_only'],
    [[found('198.51.100.20'), found('x.local', 'host')], vpn, 'vpn_only'],
    [[found('203.0.113.10')], plainNet, 'plain'],
    [[found('203.0.113.10')], alone, 'unsure'],
    [[], {...alone, level: 'force_proxy'}, 'locked'], [[], {...vpn, level: 'disabled'}, 'locked'],
    [[found('x.local', 'host')], {...alone, level: 'force_proxy'}, 'locked'],
    [[found('203.0.113.10')], {...alone, level: 'force_proxy'}, 'lock_broken'],
    [[found('203.0.113.10')], {...plainNet, level: 'force_proxy'}, 'lock_broken'],
    [[found('192.168.77.10', 'host')], {...plainNet, level: 'default_route_only'}, 'lock_broken'],
    [[found('203.0.113.10')], {...plainNet, level: null}, 'plain']])) {
    assert.equal(verdictOf(list, known), verdict, `${verdict}: ${JSON.stringify(list)}`);
  }
  assert.equal(verdictOf([], alone, []), 'silent');
  assert.equal(verdictOf([found('x.local', 'host')], {...alone, level: null}, []), 'silent');
  assert.equal(judge({api: false, found: [], answered: []}, [], alone), 'no_api');
  assert.deepEqual(['leak', 'lock_broken', 'silent', 'locked'].map((one) => isBad(/** @type {any} */ (one))),
    [true, true, false, false]);
  const tones = ['leak', 'silent', 'no_api'].map((one) => toneOf(/** @type {any} */ (one)));
  assert.deepEqual(tones, ['bad', 'quiet', 'good']);
});

test('each address is shown once, the worst first', () => {
  const list = [found('x.local', 'host'), found('198.51.100.20'), found('198.51.100.20'),
    found('2001:db8:77::10', 'host')];
  assert.deepEqual(examine({api: true, found: list, answered: [server]}, vpn, about).found.map(({address}) => address),
    ['2001:db8:77::10', '198.51.100.20', 'x.local']);
});

test('the history is bounded, newest first, and survives what is no history', () => {
  const check = (/** @type {number} */ at) => examine({api: true, found: [], answered: []}, alone, {...about, at});
  /** @type {any} */
  let stored;
  for (let at = 0; at < historyLength + 5; ++at) stored = remember(stored, check(at));
  assert.deepEqual([stored.length, stored[0].at, stored.at(-1).at], [historyLength, historyLength + 4, 5]);
  for (const broken of [undefined, null, 7, 'x', {}, [null, 7, {at: 'x'}, {at: 1, verdict: 'leak'}]]) {
    assert.deepEqual(readHistory(broken), []);
    assert.equal(remember(broken, check(1)).length, 1);
  }
});

test('as text', () => {
  const check = examine({api: true, found: [found('203.0.113.10')], answered: [server]}, plainNet,
    {...about, servers: [server, 'stun:other.example:1']});
  const text = asText(check, ({key, args}) => `<${key}${args ? ` ${args}` : ''}>`, 'now');
  assert.equal(text, `icelock: <check_verdict_plain>
now
<check_without_permission>
<check_answered stun.example:3478>
<check_not_answered other.example:1>
203.0.113.10: <check_not_local> <check_is_isp_on enp3s0>
`);
});
