// SPDX-License-Identifier: Apache-2.0
// A web server on loopback with one empty page, under two names: localhost and 127.0.0.1 are two sites.

import {createServer} from 'node:http';

/** @returns {Promise<{site: string, other: string, port: number, close: () => void}>} */
export async function createWeb() {
  const server = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!DOCTYPE html><title>A call</title><p>A call');
  });
  await new Promise((resolve) => server.listen(0, () => resolve(null)));
  const {port} = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {site: `http://localhost:${port}`, other: `http://127.0.0.1:${port}`, port,
    close: () => { server.closeAllConnections(); server.close(); }};
}
