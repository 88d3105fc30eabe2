// SPDX-License-Identifier: Apache-2.0
// Packs the extension for the browsers and their stores. The same sources give the same bytes.

import {createHash, createPrivateKey, createPublicKey, createSign, generateKeyPairSync} from 'node:crypto';
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join, relative, sep} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {deflateRawSync} from 'node:zlib';

const usage = `usage: pack-extension.mjs [--out DIR] [--key FILE | --generate-key FILE] [--base-url URL]

Writes into DIR (default: build/extension/packages)
  icelock-VERSION-chromium.zip   for the Chrome, Edge and Opera stores
  icelock-VERSION-firefox.xpi    for addons.mozilla.org, which signs it
  icelock-VERSION.crx            with a key only: for a company's own update server
and with --base-url, for browsers that policy makes install it from there:
  updates.xml                    with a key: tells the Chromium family where the .crx is
  icelock-VERSION-hosted.xpi     the .xpi that looks for updates there; Mozilla signs it as "unlisted"
  updates.json                   tells Firefox where that .xpi is

  --base-url URL       the folder on the server in which the files will lie; https, or Firefox gets no updates
  --key FILE           sign the .crx with this RSA private key (PEM)
  --generate-key FILE  make such a key there first; the file must not exist
  -h, --help

The key decides the extension's id in a .crx, and icelock-host speaks only to ids that it knows. What is
printed last goes into a policy document (see docs/admin.md), which lets the browsers install the packages and
icelock-host know the id.
`;

/** DOS time of 1980-01-01 00:00, the earliest that a .zip can say. */
const zipTime = 0;
const zipDate = 0x21;

/** @param {string} folder @returns {string[]} every file below, in one order everywhere */
function filesBelow(folder) {
  const names = readdirSync(folder, {recursive: true, withFileTypes: true});
  return names.filter((one) => one.isFile())
    .map((one) => relative(folder, join(one.parentPath ?? one.path, one.name)).split(sep).join('/'))
    .sort((one, two) => (one < two ? -1 : 1));
}

const crcTable = Array.from({length: 256}, (_, n) => {
  for (let bit = 0; bit < 8; ++bit) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

/** @param {Buffer} bytes */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** One entry's fields as both its headers have them (APPNOTE 4.4).
 * @param {Buffer} name @param {Buffer} bytes @param {Buffer} packed */
function entryFields(name, bytes, packed) {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(0x0800, 2);  // the name is UTF-8
  fields.writeUInt16LE(8, 4);
  fields.writeUInt16LE(zipTime, 6);
  fields.writeUInt16LE(zipDate, 8);
  fields.writeUInt32LE(crc32(bytes), 10);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(bytes.length, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}

/** @param {Map<string, Buffer>} files @returns {Buffer} */
export function zip(files) {
  const bodies = [];
  const directory = [];
  let at = 0;
  for (const [path, bytes] of files) {
    const name = Buffer.from(path);
    const packed = deflateRawSync(bytes, {level: 9});
    const fields = entryFields(name, bytes, packed);
    const body = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, name, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, name]));
    bodies.push(body);
    at += body.length;
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.size, 8);
  end.writeUInt16LE(files.size, 10);
  end.writeUInt32LE(directory.reduce((sum, one) => sum + one.length, 0), 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, ...directory, end]);
}

/** A protocol buffer field of wire type 2. @param {number} field @param {Buffer} bytes */
function lengthDelimited(field, bytes) {
  const varint = (/** @type {number} */ n) => {
    const out = [];
    for (; n > 127; n >>>= 7) out.push((n & 127) | 128);
    return Buffer.from([...out, n]);
  };
  return Buffer.concat([varint(field << 3 | 2), varint(bytes.length), bytes]);
}

const little = (/** @type {number} */ n) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
};

/** CRX version 3 (crx3.proto and crx_creator.cc of Chromium): a .zip behind a header that signs it.
 * @param {Buffer} archive @param {import('node:crypto').KeyObject} key @param {Buffer} publicKey DER */
export function crx(archive, key, publicKey) {
  const signedData = lengthDelimited(1, idBytes(publicKey));
  const signature = createSign('sha256')
    .update(Buffer.from('CRX3 SignedData\0')).update(little(signedData.length)).update(signedData).update(archive)
    .sign(key);
  const proof = Buffer.concat([lengthDelimited(1, publicKey), lengthDelimited(2, signature)]);
  const header = Buffer.concat([lengthDelimited(2, proof), lengthDelimited(10000, signedData)]);
  return Buffer.concat([Buffer.from('Cr24'), little(3), little(header.length), header, archive]);
}

/** @param {Buffer} publicKey */
const idBytes = (publicKey) => createHash('sha256').update(publicKey).digest().subarray(0, 16);

/** @param {Buffer} publicKey DER @returns {string} the id by which Chromium knows the extension */
export const idOf = (publicKey) => [...idBytes(publicKey).toString('hex')]
  .map((digit) => String.fromCharCode(97 + parseInt(digit, 16))).join('');

/** Each family gets the manifest without what only the other one knows.
 * @param {any} manifest @param {'chromium' | 'firefox'} family @param {Buffer} [publicKey] of a .crx */
export function manifestFor(manifest, family, publicKey) {
  const {browser_specific_settings: gecko, minimum_chrome_version: minimum, storage, ...rest} = manifest;
  delete rest.key;
  const {service_worker: worker, scripts, type} = manifest.background;
  if (family === 'chromium') {
    // It has no optional `proxy`, and lets no extension block requests that no policy installed.
    rest.optional_permissions = manifest.optional_permissions
      .filter((/** @type {string} */ one) => !['proxy', 'webRequestBlocking'].includes(one));
    return {...rest, minimum_chrome_version: minimum, storage, background: {service_worker: worker, type},
      ...(publicKey && {key: publicKey.toString('base64')})};
  }
  return {...rest, browser_specific_settings: gecko, background: {scripts, type}};
}

/** What a Chromium browser asks for (Chromium docs, "Linux hosting"). @param {Record<string, string>} what */
const updatesXml = ({id, version, minimum, url}) => `<?xml version='1.0' encoding='UTF-8'?>
<gupdate xmlns='http://www.google.com/update2/response' protocol='2.0'>
  <app appid='${id}'>
    <updatecheck codebase='${url}' version='${version}' prodversionmin='${minimum}'/>
  </app>
</gupdate>
`;

/** What Firefox asks for (Extension Workshop, "Updating your extension"). No hash: Mozilla's signing changes the file.
 * @param {any} gecko @param {string} version @param {string} url */
const updatesJson = (gecko, version, url) => `${JSON.stringify({addons: {[gecko.id]: {updates: [{version,
  update_link: url, applications: {gecko: {strict_min_version: gecko.strict_min_version}}}]}}}, null, 2)}\n`;

/** @param {string} text @returns {string} it, without a slash at its end */
function baseUrl(text) {
  if (!/^(https?|file):\/\/[!-~]+$/.test(text) || /['"<>&\\?#]/.test(text)) {
    throw new Error(`${text}: no URL of a folder`);
  }
  return text.replace(/\/+$/, '');
}

/** @param {string} folder the extension's @param {'chromium' | 'firefox'} family @param {Buffer} [publicKey]
 * @param {string} [updateUrl] for a Firefox package that is not from addons.mozilla.org */
export function filesFor(folder, family, publicKey, updateUrl) {
  const files = new Map(filesBelow(folder).map((path) => [path, readFileSync(join(folder, path))]));
  const manifest = manifestFor(JSON.parse(String(files.get('manifest.json'))), family, publicKey);
  if (updateUrl) manifest.browser_specific_settings.gecko.update_url = updateUrl;
  files.set('manifest.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  if (family === 'firefox') files.delete('managed_schema.json');
  return files;
}

/** @param {string[]} args */
function main(args) {
  const here = dirname(fileURLToPath(import.meta.url));
  const {values} = parseArgs({args, options: {out: {type: 'string'}, key: {type: 'string'},
    'generate-key': {type: 'string'}, 'base-url': {type: 'string'}, help: {type: 'boolean', short: 'h'}}});
  if (values.help) return process.stdout.write(usage);
  if (values['generate-key']) {
    const {privateKey} = generateKeyPairSync('rsa', {modulusLength: 2048});
    writeFileSync(values['generate-key'], privateKey.export({type: 'pkcs8', format: 'pem'}), {mode: 0o600, flag: 'wx'});
  }
  const folder = join(here, '../extension');
  const out = values.out ?? join(here, '../build/extension/packages');
  const base = values['base-url'] && baseUrl(values['base-url']);
  const {version, key: known, minimum_chrome_version: minimum, browser_specific_settings: {gecko}} =
    JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const keyFile = values.key ?? values['generate-key'];
  const key = keyFile && createPrivateKey(readFileSync(keyFile));
  if (key && key.asymmetricKeyType !== 'rsa') throw new Error(`${keyFile}: Chromium wants an RSA key`);
  mkdirSync(out, {recursive: true});
  const write = (/** @type {string} */ name, /** @type {Buffer} */ bytes) => {
    const path = join(out, name);
    writeFileSync(path, bytes);
    console.log(`${path}  ${bytes.length} bytes  sha256 ${createHash('sha256').update(bytes).digest('hex')}`);
  };
  write(`icelock-${version}-chromium.zip`, zip(filesFor(folder, 'chromium')));
  write(`icelock-${version}-firefox.xpi`, zip(filesFor(folder, 'firefox')));
  /** @type {Record<string, object>} */
  const extension = {};
  if (base) {
    // Firefox refuses a package that would look for updates anywhere else.
    const updates = base.startsWith('https:') ? `${base}/updates.json` : undefined;
    const hosted = `icelock-${version}-hosted.xpi`;
    write(hosted, zip(filesFor(folder, 'firefox', undefined, updates)));
    if (updates) write('updates.json', Buffer.from(updatesJson(gecko, version, `${base}/${hosted}`)));
    else console.log(`${hosted} looks for no updates: Firefox takes them from https alone`);
    extension.firefox = {installUrl: `${base}/${hosted}`};
  }
  const document = () => base && console.log(`policy document: ${JSON.stringify({extension})}`);
  if (!key) return document();
  const publicKey = createPublicKey(key).export({type: 'spki', format: 'der'});
  write(`icelock-${version}.crx`, crx(zip(filesFor(folder, 'chromium', publicKey)), key, publicKey));
  const id = idOf(publicKey);
  console.log(`id ${id}`);
  if (base) {
    write('updates.xml', Buffer.from(updatesXml({id, version, minimum, url: `${base}/icelock-${version}.crx`})));
    extension.chromium = {id, updateUrl: `${base}/updates.xml`};
  }
  const wanted = idOf(Buffer.from(known, 'base64'));
  if (id !== wanted && !base) {
    console.error(`pack-extension: warning: not icelock's key: icelock-host knows ${wanted}, ` +
      'and another id only from the admin\'s settings (extensions)');
  }
  document();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(`pack-extension: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
