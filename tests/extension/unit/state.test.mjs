// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {levels} from '../../../extension/handling.js';
import {initial, view, wishAlone} from '../../../extension/state.js';
import {extensionDir} from '../lib/common.mjs';
import {hostState} from '../lib/fake_browser.mjs';

/** @typedef {import('../../../extension/handling.js').Level} Level */

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
    assert.deepEqual([got, badge, sentence.key], [icon, '', `sentence_${level}`]);
  }
});

test('icon and sentence follow what was read back, not the wish', () => {
  const {icon, badge, sentence} = view(known({reading: reading('unrestricted')}));
  assert.deepEqual([icon, badge, sentence.key], ['open', '!', 'sentence_unrestricted']);
  assert.ok(keys(known({reading: reading('unrestricted')})).includes('wanted_force_proxy'));
});

test('a value that is no level is not locked', () => {
  const now = known({wish: 'unrestricted', reading: reading(null, ours, 'default_public_and_private_interfaces')});
  const {icon, badge, sentence} = view(now);
  assert.deepEqual([icon, badge, sentence.key], ['open', '!', 'sentence_unknown']);
  assert.deepEqual(sentence.args, ['default_public_and_private_interfaces']);
});

test('who holds the setting is said, with what is in force', () => {
  const policy = known({reading: reading('unrestricted', 'not_controllable')});
  assert.deepEqual([view(policy).icon, view(policy).badge], ['held', '!']);
  assert.deepEqual(keys(policy).slice(0, 2), ['held_by_policy', 'wanted_force_proxy']);
  const strict = known({reading: reading('force_proxy', 'controlled_by_other_extensions')});
  assert.deepEqual([view(strict).icon, view(strict).badge], ['held', '']);
  assert.equal(keys(strict)[0], 'held_by_other');
});

test('a browser that would not say is unknown, never locked', () => {
  const {icon, badge} = view(known({reading: {value: '', control: 'unknown', level: null}}));
  assert.deepEqual([icon, badge], ['unknown', '?']);
});

test('Chromium asked for disabled says that it has no such thing, and is not wrong for it', () => {
  const now = known({wish: 'disabled'});
  assert.equal(view(now).badge, '');
  assert.equal(keys(now)[0], 'no_such_level');
});

test('without a host: badge, reason, no Auto, and the hand is shown', () => {
  for (const host of /** @type {const} */ (['absent', 'lost', 'unusable', 'connecting'])) {
    const now = known({host, detail: 'why', hand: 'locked'});
    const {badge, modes} = view(now);
    assert.equal(badge, '?');
    assert.deepEqual(keys(now), [`host_${host}`]);
    assert.deepEqual(modes.map(({id, checked, enabled}) => [id, checked, enabled]),
      [['auto', false, false], ['locked', true, true], ['open', false, true]]);
  }
});

test('with a host its mode is shown', () => {
  assert.deepEqual(view(known()).modes.map(({checked}) => checked), [true, false, false]);
});

test('a reason that is not known, or lacks its args, is shown in the words of the host', () => {
  const reasons = [{code: 'new_thing', text: 'A new thing.'}, {code: 'toString', text: 'Odd.'},
    {code: 'full_tunnel', text: 'tun0 carries all.', args: {tunnel: null}}];
  const now = known({state: /** @type {any} */ (hostState({reasons}))});
  assert.deepEqual(view(now).notes, reasons.map(({text}) => ({key: '', text})));
});

test('problems of browsers of the same family are shown', () => {
  const browsers = [{id: 'chrome', problems: ['A site policy is looser.']},
    {id: 'firefox', problems: ['Not for here.']}];
  const notes = view(known({state: /** @type {any} */ (hostState({browsers, reasons: []}))})).notes;
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
  }
});

test('every message that can be asked for exists', () => {
  const wanted = [
    ...levels.flatMap((level) => [`sentence_${level}`, `wanted_${level}`]), 'sentence_unknown', 'sentence_unread',
    ...['connecting', 'absent', 'lost', 'unusable'].map((host) => `host_${host}`),
    'held_by_policy', 'held_by_other', 'no_such_level',
    ...['below_floor', 'not_permitted', 'timeout', 'unavailable'].map((code) => `error_${code}`)];
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
  const [note] = view(known({state: /** @type {any} */ (hostState({reasons}))})).notes;
  assert.equal(note.key, `reason_${code}`);
  for (const [name, {content}] of Object.entries(messages[note.key].placeholders ?? {})) {
    assert.equal(note.args?.[Number(content.slice(1)) - 1], `<${name}>`, `${code}: ${name}`);
  }
}
