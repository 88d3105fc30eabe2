// SPDX-License-Identifier: Apache-2.0
// A STUN server on loopback (RFC 8489) that tells everybody the address that the test wants told.

import {createSocket} from 'node:dgram';

const cookie = 0x2112a442;
const bindingRequest = 0x0001;

/** @param {string} seen the IPv4 address that is told
 * @returns {Promise<{server: string, asked: () => number, close: () => void}>} */
export async function createStun(seen) {
  const socket = createSocket('udp4');
  let asked = 0;
  socket.on('message', (message, from) => {
    if (message.length < 20 || message.readUInt16BE(0) !== bindingRequest) return;
    asked += 1;
    const reply = Buffer.alloc(32);
    reply.writeUInt16BE(0x0101, 0);
    reply.writeUInt16BE(12, 2);
    message.copy(reply, 4, 4, 20);
    reply.writeUInt16BE(0x0020, 20);  // XOR-MAPPED-ADDRESS
    reply.writeUInt16BE(8, 22);
    reply[25] = 1;
    reply.writeUInt16BE(from.port ^ (cookie >>> 16), 26);
    seen.split('.').forEach((byte, at) => { reply[28 + at] = Number(byte) ^ (message[4 + at]); });
    socket.send(reply, from.port, from.address);
  });
  await new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(null)));
  return {server: `stun:127.0.0.1:${socket.address().port}`, asked: () => asked, close: () => socket.close()};
}
