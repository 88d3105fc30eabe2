// SPDX-License-Identifier: Apache-2.0
// A tiny web server for the test page: `node origin.mjs FOLDER [--tls CERT KEY] URL...`, or serve().
import {readFileSync} from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const types = {'.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8'};

function answer(folder, request, response) {
  // A connection that was kept through a tunnel is dead after a drop, and a browser would wait for it.
  response.shouldKeepAlive = false;
  if (request.url === '/address') {
    const address = request.socket.remoteAddress.replace(/^::ffff:/, '');
    response.writeHead(200, {'content-type': 'text/plain', 'cache-control': 'no-store'}).end(address);
    return;
  }
  const name = request.url === '/' ? 'index.html' : path.basename(new URL(request.url, 'http://x').pathname);
  try {
    const bytes = readFileSync(path.join(folder, name));
    response.writeHead(200, {'content-type': types[path.extname(name)] ?? 'text/plain'}).end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

/// Listens on each URL; resolves to a function that stops the servers.
export async function serve(folder, urls, tls) {
  const servers = urls.map((text) => {
    const url = new URL(text);
    const handler = (request, response) => answer(folder, request, response);
    const server = url.protocol === 'https:' ? https.createServer(tls, handler) : http.createServer(handler);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(url.port, url.hostname.replace(/[[\]]/g, ''), () => resolve(server));
    });
  });
  const listening = await Promise.all(servers);
  return () => listening.forEach((server) => {
    server.close();
    server.closeAllConnections();
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder, ...rest] = process.argv.slice(2);
  let tls;
  if (rest[0] === '--tls') {
    const [, cert, key] = rest.splice(0, 3);
    tls = {cert: readFileSync(cert), key: readFileSync(key)};
  }
  await serve(folder, rest, tls);
  console.log('ready');
}
