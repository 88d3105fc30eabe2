// SPDX-License-Identifier: Apache-2.0
// The network as a STUN server and a web server see it, without a browser.
import {randomBytes} from 'node:crypto';
import dgram from 'node:dgram';
import http from 'node:http';

const cookie = 0x2112a442;
const xor_mapped_address = 0x0020;

function request() {
  const message = Buffer.alloc(20);
  message.writeUInt16BE(0x0001, 0);
  message.writeUInt32BE(cookie, 4);
  randomBytes(12).copy(message, 8);
  return message;
}

function ipv6_text(bytes) {
  const groups = Array.from({length: 8}, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function mapped_address(reply) {
  for (let at = 20; at + 4 <= reply.length;) {
    const type = reply.readUInt16BE(at);
    const length = reply.readUInt16BE(at + 2);
    if (type === xor_mapped_address) {
      const size = reply[at + 5] === 1 ? 4 : 16;
      const bytes = Buffer.from(reply.subarray(at + 8, at + 8 + size));
      for (let i = 0; i < size; ++i) bytes[i] ^= reply[4 + i];
      return size === 4 ? bytes.join('.') : ipv6_text(bytes);
    }
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  return null;
}

/// The address that the STUN server at `host` sees, or null when it does not answer within `timeout_ms`.
export function seen_by(host, port, timeout_ms = 300) {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const finish = (result) => {
      clearTimeout(timer);
      socket.close();
      resolve(result);
    };
    const timer = setTimeout(() => finish(null), timeout_ms);
    socket.on('message', (reply) => finish(mapped_address(reply)));
    socket.on('error', () => finish(null));
    socket.send(request(), port, host, (error) => error && finish(null));
  });
}

/// The address that the web server of `origin` sees, or null. Each time a connection of its own.
export function seen_by_web(origin, timeout_ms = 1000) {
  return new Promise((resolve) => {
    const request = http.get(`${origin}/address`, {agent: false, timeout: timeout_ms}, (response) => {
      let text = '';
      response.on('data', (bytes) => (text += bytes)).on('end', () => resolve(text));
    });
    request.on('timeout', () => request.destroy()).on('error', () => resolve(null));
  });
}
