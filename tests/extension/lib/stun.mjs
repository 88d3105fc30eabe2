// SPDX-License-Identifier: Apache-2.0
// STUN servers on loopback (RFC 8489) that tell everybody the address that the test wants told.

import {createSocket} from 'node:dgram';

const cookie = 0x2112a442;
const bindingRequest = 0x0001;
const bindingSuccess = 0x0101;
const xorMappedAddress = 0x0020;

/** @param {string} address @returns {number[]} its bytes; an IPv6 address in full, or with one `::` */
function bytesOf(address) {
  if (!address.includes(':')) return address.split('.').map(Number);
  const [head, tail] = address.split('::').map((half) => half.split(':').filter(Boolean));
  const groups = [...head, ...Array(8 - head.length - (tail?.length ?? 0)).fill('0'), ...(tail ?? [])];
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
}

/** @param {string} seen the address that is told; its family is that of the server
 * @returns {Promise<{server: string, asked: () => number, close: () => void}>} */
export async function createStun(seen) {
  const mapped = bytesOf(seen);
  const six = mapped.length === 16;
  const socket = createSocket(six ? 'udp6' : 'udp4');
  let asked = 0;
  socket.on('message', (message, from) => {
    if (message.length < 20 || message.readUInt16BE(0) !== bindingRequest) return;
    asked += 1;
    const reply = Buffer.alloc(28 + mapped.length);
    reply.writeUInt16BE(bindingSuccess, 0);
    reply.writeUInt16BE(reply.length - 20, 2);
    message.copy(reply, 4, 4, 20);
    reply.writeUInt16BE(xorMappedAddress, 20);
    reply.writeUInt16BE(4 + mapped.length, 22);
    reply[25] = six ? 2 : 1;
    reply.writeUInt16BE(from.port ^ (cookie >>> 16), 26);
    mapped.forEach((byte, at) => { reply[28 + at] = byte ^ message[4 + at]; });
    socket.send(reply, from.port, from.address);
  });
  await new Promise((resolve) => socket.bind(0, six ? '::1' : '127.0.0.1', () => resolve(null)));
  const {port} = socket.address();
  return {server: `${six ? '[::1]' : '127.0.0.1'}:${port}`, asked: () => asked, close: () => socket.close()};
}
