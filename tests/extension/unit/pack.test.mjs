// SPDX-License-Identifier: Apache-2.0
// The packages: the same bytes each time, nothing in them that is not wanted, small, and a .crx that verifies.

import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {createPublicKey, createVerify} from 'node:crypto';
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {filesFor, idOf, zip} from '../../../installer/pack-extension.mjs';
import {extensionDir} from '../lib/common.mjs';

const script = fileURLToPath(new URL('../../../installer/pack-extension.mjs', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'icelock-pack-'));
after(() => rmSync(scratch, {recursive: true, force: true}));
const key = join(scratch, 'key.pem');

/** @param {string} out @param {string[]} args */
function pack(out, ...args) {
  const words = execFileSync(process.execPath, [script, '--out', join(scratch, out), ...args],
    {encoding: 'utf8', stdio: 'pipe'});
  const names = readdirSync(join(scratch, out)).sort();
  return {words, files: new Map(names.map((name) => [name, readFileSync(join(scratch, out, name))]))};
}

test('two runs give the same bytes, each below 200 KB', () => {
  const one = pack('one', '--generate-key', key);
  const two = pack('two', '--key', key);
  assert.equal(statSync(key).mode & 0o777, 0o600);
  assert.deepEqual([...one.files.keys()].map((name) => name.replace(/-?\d+(\.\d+)+/, '')),
    ['icelock-chromium.zip', 'icelock-firefox.xpi', 'icelock.crx']);
  for (const [name, bytes] of one.files) {
    assert.ok(bytes.equals(/** @type {Buffer} */ (two.files.get(name))), name);
    assert.ok(bytes.length <= 200 * 1024, `${name}: ${bytes.length}`);
    assert.ok(bytes.length > 10_000, name);
  }
});

test('other tools can read them', () => {
  const script_ = 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; ' +
    'print("\\n".join(z.namelist()))';
  for (const name of readdirSync(join(scratch, 'one'))) {
    const words = execFileSync('python3', ['-c', script_, join(scratch, 'one', name)], {encoding: 'utf8'});
    const list = words.trim().split('\n');
    assert.ok(list.includes('manifest.json') && list.includes('_locales/ar/messages.json'), name);
    assert.deepEqual(list, [...list].sort(), name);
  }
});

test('each family gets the manifest that its store takes', () => {
  const read = (/** @type {any} */ family) => JSON.parse(String(filesFor(extensionDir, family).get('manifest.json')));
  const chromium = read('chromium');
  const firefox = read('firefox');
  assert.deepEqual([chromium.key, chromium.browser_specific_settings, chromium.background.scripts],
    [undefined, undefined, undefined]);
  assert.deepEqual([firefox.key, firefox.storage, firefox.minimum_chrome_version, firefox.background.service_worker],
    [undefined, undefined, undefined, undefined]);
  assert.deepEqual(['proxy', 'webRequestBlocking'].map((one) => [chromium, firefox].map(({optional_permissions: all}) =>
    all.includes(one))), [[false, true], [false, true]]);
  assert.deepEqual(firefox.permissions, chromium.permissions);
});

test('the .crx holds the id, the key and a signature that verifies (CRX3)', () => {
  const {words, files} = pack('one', '--key', key);
  const bytes = /** @type {Buffer} */ ([...files].find(([name]) => name.endsWith('.crx'))?.[1]);
  assert.equal(bytes.toString('latin1', 0, 4), 'Cr24');
  assert.equal(bytes.readUInt32LE(4), 3);
  const headerEnd = 12 + bytes.readUInt32LE(8);
  const der = createPublicKey(readFileSync(key)).export({type: 'spki', format: 'der'});
  const at = bytes.indexOf(der);
  assert.ok(at > 0 && at < headerEnd);
  assert.ok(words.includes(`id ${idOf(der)}`));
  const signature = bytes.subarray(at + der.length + 3, at + der.length + 3 + 256);
  const id = bytes.subarray(headerEnd - 18, headerEnd);
  const size = Buffer.from([18, 0, 0, 0]);
  assert.ok(createVerify('sha256').update('CRX3 SignedData\0').update(size).update(id)
    .update(bytes.subarray(headerEnd)).verify(createPublicKey(readFileSync(key)), signature));
});

test('with a base URL an admin gets all that a server of their own needs', () => {
  const {words, files} = pack('hosted', '--key', key, '--base-url', 'https://files.corp.example/icelock/');
  const {version} = JSON.parse(readFileSync(join(extensionDir, 'manifest.json'), 'utf8'));
  const base = 'https://files.corp.example/icelock';
  const id = /^id ([a-p]{32})$/m.exec(words)?.[1];
  const text = (/** @type {string} */ name) => String(files.get(name));
  assert.deepEqual(JSON.parse(/^policy document: (.*)$/m.exec(words)?.[1] ?? ''), {extension: {
    firefox: {installUrl: `${base}/icelock-${version}-hosted.xpi`}, chromium: {id, updateUrl: `${base}/updates.xml`}}});
  for (const [wanted, found] of [[`appid='${id}'`, 'updates.xml'], [`'${base}/icelock-${version}.crx'`, 'updates.xml'],
    [`version='${version}'`, 'updates.xml']]) assert.ok(text(found).includes(wanted), wanted);
  const [update] = JSON.parse(text('updates.json')).addons['icelock@icelock.extension'].updates;
  assert.deepEqual([update.version, update.update_link], [version, `${base}/icelock-${version}-hosted.xpi`]);
  for (const name of [`icelock-${version}-hosted.xpi`, `icelock-${version}.crx`]) assert.ok(files.has(name), name);
  const hosted = JSON.parse(String(filesFor(extensionDir, 'firefox', undefined, `${base}/updates.json`)
    .get('manifest.json')));
  assert.equal(hosted.browser_specific_settings.gecko.update_url, `${base}/updates.json`);
  assert.equal(JSON.parse(String(filesFor(extensionDir, 'firefox').get('manifest.json')))
    .browser_specific_settings.gecko.update_url, undefined, 'addons.mozilla.org refuses an update_url');
  execFileSync('python3', ['-c', 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])',
    join(scratch, 'hosted', 'updates.xml')]);
});

test('the ids are those that the host speaks to, and a key of another id is said to be one', () => {
  const header = readFileSync(new URL('../../../host/policy/browsers.h', import.meta.url), 'utf8');
  const known = (/** @type {string} */ family) =>
    new RegExp(`\\b${family}_extension_id = "([^"]+)"`).exec(header)?.[1];
  const manifest = JSON.parse(readFileSync(join(extensionDir, 'manifest.json'), 'utf8'));
  assert.equal(idOf(Buffer.from(manifest.key, 'base64')), known('chromium'));
  assert.equal(manifest.browser_specific_settings.gecko.id, known('firefox'));
  const {stderr} = spawnSync(process.execPath, [script, '--out', join(scratch, 'other'), '--key', key],
    {encoding: 'utf8'});
  assert.match(stderr, new RegExp(`^pack-extension: warning: .*${known('chromium')}`));
});

test('a missing key, a key of another kind and a wrong option are told, and nothing is overwritten', () => {
  const fails = (/** @type {string[]} */ ...args) => {
    try {
      pack('bad', ...args);
    } catch (error) {
      return String(/** @type {any} */ (error).stderr);
    }
    return '';
  };
  assert.match(fails('--key', join(scratch, 'none.pem')), /^pack-extension: .*none\.pem/);
  writeFileSync(join(scratch, 'text.pem'), 'no key');
  assert.match(fails('--key', join(scratch, 'text.pem')), /^pack-extension: /);
  assert.match(fails('--generate-key', key), /^pack-extension: .*exist/i);
  assert.match(fails('--nonsense'), /^pack-extension: /);
  for (const url of ['files.example', "https://x.example/'><x", 'https://x.example/?a', 'javascript:1']) {
    assert.match(fails('--base-url', url), /^pack-extension: .*no URL/);
  }
  assert.equal(zip(new Map()).length, 22);
});
