// SPDX-License-Identifier: Apache-2.0
// Every language has every message, with the same placeholders, in one order; and every message of the pages is
// used, and there.

import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {extensionDir} from '../lib/common.mjs';

const folder = join(extensionDir, '_locales');
/** @param {string} locale @returns {Record<string, {message: string, placeholders?: object}>} */
const read = (locale) => JSON.parse(readFileSync(join(folder, locale, 'messages.json'), 'utf8'));
const english = read('en');
const locales = readdirSync(folder);

test('the languages are there', () => {
  assert.deepEqual(locales.sort(), ['ar', 'de', 'en', 'es', 'fr', 'ja', 'zh_CN']);
});

for (const locale of locales) {
  test(`${locale}: equal keys, sorted, and equal placeholders`, () => {
    const messages = read(locale);
    assert.deepEqual(Object.keys(messages), Object.keys(english).sort());
    for (const [key, {message, placeholders}] of Object.entries(messages)) {
      assert.deepEqual(placeholders, english[key].placeholders, key);
      const used = (/** @type {string} */ text) => [...new Set(text.match(/\$\w+\$/g))].sort();
      assert.deepEqual(used(message), used(english[key].message), key);
      assert.ok(message.trim() === message && message.length > 0, key);
    }
    // What a store and chrome://extensions cut off.
    assert.ok(messages.app_description.message.length <= 132, 'app_description');
  });
}

test('what was not translated is meant to be the same', () => {
  const same = ['app_name', 'connections_of', 'options_site_minutes'];
  for (const locale of locales.filter((one) => one !== 'en')) {
    const messages = read(locale);
    const left = Object.keys(english).filter((key) => messages[key].message === english[key].message);
    const alike = left.filter((key) => !same.includes(key) && english[key].message.split(' ').length > 2);
    assert.deepEqual(alike, [], locale);
  }
});

test('every message of the pages is asked for, and every one that is asked for exists', () => {
  const files = readdirSync(extensionDir).filter((name) => /\.(js|html|json)$/.test(name));
  const text = files.map((name) => readFileSync(join(extensionDir, name), 'utf8')).join('\n');
  const asked = new Set(text.match(/\b(check|notify|options|page|welcome)_\w+/g));
  const made = [/^check_verdict_/, /^check_is_/, /^check_cause_/, /^options_level_/, /^options_import_/];
  const kinds = ['hidden', 'tunnel', 'lan', 'isp', 'egress', 'unsure'];
  const verdicts = ['no_api', 'leak', 'lock_broken', 'unsure', 'silent', 'locked', 'vpn_only', 'plain'];
  const wanted = [...kinds.map((one) => `check_is_${one}`), ...verdicts.map((one) => `check_verdict_${one}`),
    ...['tunnel', 'lan', 'isp', 'egress', 'unsure'].map((one) => `check_is_${one}_on`),
    ...['you', 'network', 'daily'].map((one) => `check_cause_${one}`),
    ...['size', 'json', 'kind', 'name', 'value'].map((one) => `options_import_${one}`),
    ...['unrestricted', 'default_route_only', 'force_proxy', 'disabled'].map((one) => `options_level_${one}`)];
  for (const key of wanted) assert.ok(english[key], key);
  for (const key of text.match(/data-words="(\w+)"/g) ?? []) assert.ok(english[key.slice(12, -1)], key);
  for (const key of text.match(/\bword\('(\w+)'/g) ?? []) assert.ok(english[key.slice(6, -1)], key);
  const spare = Object.keys(english).filter((key) => /^(check|notify|options|page|welcome)_/.test(key) &&
    !asked.has(key) && !wanted.includes(key) && !made.some((one) => one.test(key)));
  assert.deepEqual(spare, []);
});
