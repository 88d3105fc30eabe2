// SPDX-License-Identifier: Apache-2.0
// A client for Marionette, Firefox's own remote protocol (Firefox source, remote/marionette): messages are
// "<length>:<json>", a request is [0, id, command, parameters], a reply [1, id, error, result].
import net from 'node:net';

export class Marionette {
  /// Rejects when nothing listens on the port.
  static connect(port) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.once('error', reject);
      const client = new Marionette(socket, () => resolve(client));
    });
  }

  constructor(socket, on_hello) {
    this.socket = socket;
    this.next_id = 1;
    this.waiting = new Map();
    this.buffer = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      this.buffer = Buffer.concat([this.buffer, bytes]);
      for (let message = this.take(); message; message = this.take()) {
        if (Array.isArray(message)) this.settle(message);
        else on_hello();
      }
    });
    socket.on('close', () => {
      for (const {reject} of this.waiting.values()) reject(new Error('Firefox closed the connection'));
      this.waiting.clear();
    });
  }

  take() {
    const colon = this.buffer.indexOf(':');
    if (colon < 0) return null;
    const end = colon + 1 + Number(this.buffer.subarray(0, colon).toString());
    if (this.buffer.length < end) return null;
    const message = JSON.parse(this.buffer.subarray(colon + 1, end).toString());
    this.buffer = this.buffer.subarray(end);
    return message;
  }

  settle([, id, error, result]) {
    const {resolve, reject} = this.waiting.get(id) ?? {};
    this.waiting.delete(id);
    if (error) reject?.(new Error(`${error.error}: ${error.message}`));
    else resolve?.(result);
  }

  command(name, parameters = {}) {
    const id = this.next_id++;
    const text = JSON.stringify([0, id, name, parameters]);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, {resolve, reject});
      this.socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
  }

  async context(value) {
    await this.command('Marionette:SetContext', {value});
  }

  /// Runs the text of a function body; a promise that it returns is awaited.
  async run(script, args = []) {
    const {value} = await this.command('WebDriver:ExecuteScript', {script, args, sandbox: null});
    return value;
  }

  close() {
    this.socket.destroy();
  }
}
