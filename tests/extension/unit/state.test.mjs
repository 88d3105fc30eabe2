// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {levels} from '../../../extension/handling.js';
import {initial, siteWay, target, wishAlone} from '../../../extension/state.js';
import {view as viewAt} from '../../../extension/view.js';
import {extensionDir} from '../lib/common.mjs';
import {hostState} from '../lib/fake_browser.mjs';

/** @typedef {import('../../../extension/handling.js').Level} Level */
/** @typedef {import('../../../extension/state.js').Known} Known */

const now = 1_000_000;
const view = (/** @type {Known} */ known) => viewAt(known, now);

const messages = JSON.parse(readFileSync(join(extensionDir, '_locales/en/messages.json'), 'utf8'));
const ours = 'controlled_by_this_extension';

/** What is known once the host is there and the browser obeyed.
 * @param {Partial<import('../../../extension/state.js').Known>} [changes] */
const known = (changes = {}) => ({...initial('chromium'),
  host: /** @type {const} */ ('connected'), spoken: true, serial: 1, state: /** @type {any} */ (hostState()),
  reading: {value: 'disable_non_proxied_udp', control: ours, level: /** @type {Level} */ ('force_proxy')},
  ...changes});

/** @param {Level | null} level @param {string} [control] @param {string} [value] */
const reading = (level, control = ours, value = 'x') => ({value, control, level});

/** @param {import('../../../extension/state.js').Known} what */
const keys = (what) => view(what).notes.map(({key}) => key);

test('it starts locked', () => {
  assert.equal(initial('firefox').wish, 'force_proxy');
  assert.equal(view(initial('firefox')).icon, 'unknown');
  assert.equal(view(initial('firefox')).badge, '?');
});

test('as wanted and watched: the icon of the level, no badge', () => {
  for (const [level, icon] of /** @type {[Level, string][]} */ ([['unrestricted', 'open'],
    ['default_route_only', 'locked'], ['force_proxy', 'locked'], ['disabled', 'locked']])) {
    const {icon: got, badge, sentence} = view(known({wish: level, reading: reading(level)}));
    assert.deepEqual([got, badge, sentence.key], [icon, '', `effect_${level}`]);
  }
});

test('icon and sentence follow what was read back, not the wish', () => {
  const {icon, badge, sentence, tip} = view(known({reading: reading('unrestricted')}));
  assert.deepEqual([icon, badge, sentence.key, tip.key], ['leaking', '!', 'effect_leaking', 'tip_leaking']);
  assert.ok(keys(known({reading: reading('unrestricted')})).includes('wanted_force_proxy'));
});

test('the cause is the first reason, and the others are notes', () => {
  const reasons = [{code: 'full_tunnel', text: '', args: {tunnel: 'wg0'}}, {code: 'floor', text: ''}];
  const shown = view(known({state: /** @type {any} */ (hostState({reasons}))}));
  assert.deepEqual(shown.cause, {key: 'reason_full_tunnel', args: ['wg0'], text: ''});
  assert.deepEqual(shown.notes.map(({key}) => key), ['reason_floor']);
});

test('lists of addresses and patterns are shown without English words and signs', () => {
  const reasons = [
    {code: 'excluded_routes', text: '', args: {tunnel: 'wg0', example: '1.0.0.0/8, 2.0.0.0/8 +17 over enp3s0'}},
    {code: 'excluded_routes', text: '', args: {tunnel: 'wg0', example: '1.0.0.0/8 over eth0, 2.0.0.0/8 over eth1'}},
    {code: 'excluded_service', text: '', args: {service: 'Zoom', pattern: 'https://[*.]zoom.us'}},
    {code: 'ways_disputed', text: '', args: {example: '203.0.114.7'}}];
  const {cause, notes} = view(known({state: /** @type {any} */ (hostState({reasons}))}));
  assert.deepEqual([cause, ...notes].map((one) => one?.args), [['wg0', '1.0.0.0/8, 2.0.0.0/8 +17 (enp3s0)'],
    ['wg0', '1.0.0.0/8 (eth0), 2.0.0.0/8 (eth1)'], ['Zoom', 'zoom.us'], ['203.0.114.7']]);
});

test('a value that is no level is not locked', () => {
  const odd = known({wish: 'unrestricted', reading: reading(null, ours, 'default_public_and_private_interfaces')});
  const {icon, badge, sentence} = view(odd);
  assert.deepEqual([icon, badge, sentence.key], ['leaking', '!', 'effect_unknown']);
  assert.deepEqual(sentence.args, ['default_public_and_private_interfaces']);
});

test('who holds the setting is said, with what is in force', () => {
  const policy = known({reading: reading('unrestricted', 'not_controllable')});
  assert.deepEqual([view(policy).icon, view(policy).badge], ['leaking', '!']);
  assert.deepEqual(keys(policy).slice(0, 2), ['held_by_policy', 'wanted_force_proxy']);
  for (const [control, icon] of [['controlled_by_other_extensions', 'other'], ['not_controllable', 'policy']]) {
    const strict = known({reading: reading('force_proxy', control)});
    assert.deepEqual([view(strict).icon, view(strict).badge, view(strict).tip.key], [icon, '', `tip_${icon}`]);
    assert.equal(keys(strict)[0], `held_by_${icon}`);
  }
});

test('a policy that the service keeps is a lock, not somebody else', () => {
  const state = /** @type {any} */ (hostState({service: {present: true, manages_policies: true}}));
  const shown = known({state, reading: reading('force_proxy', 'not_controllable')});
  assert.equal(view(shown).icon, 'locked');
  assert.equal(keys(shown)[0], 'held_by_service');
  assert.equal(view({...shown, reading: reading('unrestricted', 'not_controllable')}).icon, 'leaking');
});

test('a connection from before the lock is a leak', () => {
  const {icon, badge, sentence} = view(known({stale: [{id: 1, title: 'x', count: 2}]}));
  assert.deepEqual([icon, badge, sentence.key], ['leaking', '!', 'effect_stale_one']);
});

/** @param {Partial<import('../../../extension/state.js').Exception>} [changes] */
const exception = (changes = {}) => ({kind: /** @type {const} */ ('browser'), pattern: 'https://meet.example', tab: 4,
  seen: now, until: now + 3_540_000, ...changes});

test('an exception of the browser loosens it, shows the minutes, and ends with its time', () => {
  const loose = known({exceptions: [exception()], reading: reading('default_route_only')});
  assert.equal(target(loose), 'default_route_only');
  const {icon, badge, sentence, tip} = view(loose);
  assert.deepEqual([icon, badge, sentence.key, tip], ['open', '59m', 'effect_excepted',
    {key: 'tip_excepted', args: ['meet.example']}]);
  assert.equal(target(known({exceptions: [exception({kind: 'service'})]})), 'force_proxy');
});

test('an exception that a policy keeps from having any effect is not shown as open', () => {
  const held = known({exceptions: [exception()], reading: reading('force_proxy', 'not_controllable')});
  assert.deepEqual([view(held).icon, view(held).badge], ['policy', '']);
});

test('locked but for sites that were let through: the tip says that there are some', () => {
  const sites = {possible: true, list: [{pattern: 'https://meet.example'}]};
  const one = known({state: /** @type {any} */ (hostState({sites}))});
  assert.equal(view(one).tip.key, 'tip_locked_but_sites');
  assert.equal(view(known()).tip.key, 'tip_locked');
});

test('nothing goes below a floor, whoever stated it', () => {
  const floors = [{settings: {floor: /** @type {Level} */ ('force_proxy'), mode: null}},
    {state: /** @type {any} */ (hostState({floor: 'force_proxy'}))}];
  for (const floor of floors) {
    assert.equal(target(known({wish: 'unrestricted', ...floor})), 'force_proxy');
    assert.equal(target(known({exceptions: [exception()], ...floor})), 'force_proxy');
    assert.equal(siteWay(known(floor)), 'floor');
  }
});

test('a proxy counts like a tunnel, but not in the mode open', () => {
  for (const proxy of /** @type {const} */ (['set', 'declared', 'unreadable'])) {
    assert.equal(target(known({wish: 'unrestricted', proxy})), 'force_proxy');
    assert.ok(keys(known({proxy})).includes(`proxy_${proxy}`));
    const state = /** @type {any} */ (hostState({mode: 'open'}));
    assert.equal(target(known({wish: 'unrestricted', proxy, state})), 'unrestricted');
  }
  assert.equal(target(known({wish: 'disabled', proxy: 'set'})), 'disabled');
});

test('how a site can be let through', () => {
  const possible = /** @type {any} */ (hostState({sites: {possible: true, list: []}}));
  assert.equal(siteWay(known({state: possible})), 'service');
  assert.equal(siteWay({...known({state: possible}), family: 'firefox'}), 'browser');
  assert.equal(siteWay(known({host: 'lost', state: possible})), 'browser');
  assert.equal(siteWay(known()), 'browser');
  assert.equal(siteWay(known({reading: reading('default_route_only')})), 'works');
  assert.equal(siteWay(known({reading: reading('force_proxy', 'not_controllable')})), 'held');
  assert.equal(siteWay(known({state: possible, reading: reading('force_proxy', 'not_controllable')})), 'service');
});

test('private windows that are not covered are said', () => {
  assert.deepEqual(keys(known({privateToo: false})), ['private_not_covered']);
});

test('a browser that would not say is unknown, never locked', () => {
  const {icon, badge} = view(known({reading: {value: '', control: 'unknown', level: null}}));
  assert.deepEqual([icon, badge], ['unknown', '?']);
});

test('Chromium asked for disabled says that it has no such thing, and is not wrong for it', () => {
  const asked = known({wish: 'disabled'});
  assert.equal(view(asked).badge, '');
  assert.equal(keys(asked)[0], 'no_such_level');
});

const hosts = /** @type {const} */ (
  ['absent', 'forbidden', 'lost', 'silent', 'unusable', 'older', 'newer', 'connecting']);

test('without a host: badge, reason, no Auto, and the hand is shown', () => {
  for (const host of hosts) {
    const alone = known({host, detail: 'why', hand: 'locked'});
    const {icon, badge, modes, cause} = view(alone);
    assert.deepEqual([icon, badge, cause], ['alone', '?', null]);
    assert.deepEqual(keys(alone), [`host_${host}`]);
    assert.deepEqual(modes.map(({id, checked, enabled}) => [id, checked, enabled]),
      [['auto', false, false], ['locked', true, true], ['route', false, true], ['open', false, true]]);
  }
});

test('with a host its mode is shown', () => {
  const some = view(known({state: {...known().state, modes: ['auto', 'locked']}}));
  assert.deepEqual(some.modes.map(({enabled}) => enabled), [true, true, false], 'the admin left one out');
  assert.deepEqual(view(known()).modes.map(({checked}) => checked), [true, false, false]);
});

test('a mode that an administrator fixed cannot be chosen, and that is said', () => {
  for (const changes of [{settings: {floor: null, mode: /** @type {const} */ ('locked')}},
    {state: /** @type {any} */ (hostState({mode_fixed: true}))}]) {
    const {modes, fixed} = view(known(changes));
    assert.deepEqual([fixed, modes.some(({enabled}) => enabled)], [true, false]);
  }
});

test('a reason that is not known, or lacks its args, is shown in the words of the host', () => {
  const reasons = [{code: 'new_thing', text: 'A new thing.'}, {code: 'toString', text: 'Odd.'},
    {code: 'full_tunnel', text: 'tun0 carries all.', args: {tunnel: null}}];
  const {cause, notes} = view(known({state: /** @type {any} */ (hostState({reasons}))}));
  assert.deepEqual([cause, ...notes], reasons.map(({text}) => ({key: '', text})));
});

test('problems of browsers of the same family are shown', () => {
  const browsers = [{id: 'chrome', problems: ['A site policy is looser.']},
    {id: 'firefox', problems: ['Not for here.']}];
  const notes = view(known({browsers, state: /** @type {any} */ (hostState({reasons: []}))})).notes;
  assert.deepEqual(notes, [{key: '', text: 'chrome: A site policy is looser.'}]);
});

test('a refusal without a message is shown in the words of the host', () => {
  const [note] = view(known({refusal: {code: 'odd', what: 'cannot', object: 'this'}})).notes;
  assert.deepEqual(note, {key: 'error_odd', text: 'cannot: this'});
});

test('alone only levels stay that hold whatever the network does', () => {
  for (const [wish, alone] of /** @type {[Level, Level][]} */ ([['unrestricted', 'force_proxy'],
    ['default_route_only', 'force_proxy'], ['force_proxy', 'force_proxy'], ['disabled', 'disabled']])) {
    assert.equal(wishAlone({...initial('firefox'), wish}), alone);
    assert.equal(wishAlone({...initial('firefox'), wish, hand: 'open'}), 'unrestricted');
    assert.equal(wishAlone({...initial('firefox'), wish, hand: 'route'}), 'default_route_only');
  }
});

test('every message that can be asked for exists', () => {
  const wanted = [
    ...levels.map((level) => `effect_${level}`), ...levels.slice(1).map((level) => `wanted_${level}`),
    ...['unread', 'unknown', 'leaking', 'excepted', 'stale', 'stale_one', 'route_by_hand'].map((at) => `effect_${at}`),
    ...['unread', 'locked', 'route', 'route_alone', 'open', 'alone', 'alone_open', 'leaking', 'stale', 'policy',
      'other', 'excepted', 'locked_but_sites'].map((at) => `tip_${at}`),
    ...hosts.map((host) => `host_${host}`), ...['set', 'declared', 'unreadable'].map((proxy) => `proxy_${proxy}`),
    'held_by_policy', 'held_by_service', 'held_by_other', 'no_such_level', 'private_not_covered',
    ...['below_floor', 'busy', 'not_found', 'not_permitted', 'timeout', 'unavailable'].map((code) => `error_${code}`)];
  for (const file of ['popup.js', 'popup_site.js']) {
    const script = readFileSync(join(extensionDir, file), 'utf8');
    for (const [, key] of script.matchAll(/(?<!byId\(|write\()'((?:site|connections)_\w+)'/g)) wanted.push(key);
  }
  wanted.push(...['call', 'hour', 'always'].map((span) => `site_${span}`), ...['reload', 'close']
    .flatMap((verb) => [`connections_${verb}`, `connections_${verb}_label`]));
  const page = readFileSync(join(extensionDir, 'popup.html'), 'utf8');
  for (const [, key] of page.matchAll(/data-words="(\w+)"/g)) wanted.push(key);
  const manifest = readFileSync(join(extensionDir, 'manifest.json'), 'utf8');
  for (const [, key] of manifest.matchAll(/__MSG_(\w+)__/g)) wanted.push(key);
  const protocol = readFileSync(join(extensionDir, '../docs/protocol.md'), 'utf8');
  const table = protocol.slice(protocol.indexOf('| reason |'), protocol.indexOf('## Codes'));
  const rows = [...table.matchAll(/^\| (`.+?) \| (.*?) \|/gm)];
  assert.ok(rows.length >= 14);
  for (const [, codes, args] of rows) {
    for (const [, code] of codes.matchAll(/`(\w+)`/g)) {
      wanted.push(`reason_${code}`);
      checkReason(code, [...args.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    }
  }
  for (const key of wanted) assert.ok(messages[key]?.message, key);
  // Those of the other pages are looked for in locales.test.mjs.
  const spare = Object.keys(messages).filter((key) => !wanted.includes(key) && key !== 'app_name' &&
    !/^(check|notify|options|page|welcome)_/.test(key));
  assert.deepEqual(spare, []);
});

/** The args of the protocol reach the placeholder of the same name. @param {string} code @param {string[]} names */
function checkReason(code, names) {
  const args = Object.fromEntries(names.map((name) => [name, `<${name}>`]));
  const reasons = [{code, text: 'text', args}];
  const {cause: note} = view(known({state: /** @type {any} */ (hostState({reasons}))}));
  assert.equal(note?.key, `reason_${code}`);
  assert.ok(note);
  for (const [name, {content}] of Object.entries(messages[note.key].placeholders ?? {})) {
    assert.equal(note.args?.[Number(content.slice(1)) - 1], `<${name}>`, `${code}: ${name}`);
  }
}
