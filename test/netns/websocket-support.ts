/** A WebSocket client of the few lines that a test needs: text and close frames of a server (RFC 6455). */
import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';

const TEXT = 1;
const CLOSE = 8;

export interface Received {
  readonly messages: unknown[];
  /** Set when the server has closed: '1013 REASON'. */
  closed: string | undefined;
  end(): void;
}

export async function openWebSocket(socketPath: string, path: string): Promise<Received> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const outgoing = request({ socketPath, path, headers, agent: false });
  outgoing.end();
  const [response, socket, head] = (await Promise.race([
    once(outgoing, 'upgrade'),
    once(outgoing, 'response').then(([{ statusCode }]) => Promise.reject(new Error(`status ${statusCode}`))),
  ])) as [{ headers: Record<string, string> }, Socket, Buffer];
  // The answer to that key, from RFC 6455 section 1.3.
  if (response.headers['sec-websocket-accept'] !== 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    throw new Error('no WebSocket');
  const received: Received = { messages: [], closed: undefined, end: () => socket.destroy() };
  let buffer = head;
  const parse = (chunk: Buffer): void => {
    buffer = takeFrames(Buffer.concat([buffer, chunk]), received);
  };
  parse(Buffer.alloc(0));
  socket.on('data', parse);
  return received;
}

/** Takes whole frames off the front and returns the rest. */
function takeFrames(bytes: Buffer, received: Received): Buffer {
  let rest = bytes;
  while (rest.length >= 2) {
    const short = rest[1] & 0x7f;
    const at = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (rest.length < at) break;
    const length =
      short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short;
    if (rest.length < at + length) break;
    const payload = rest.subarray(at, at + length);
    const opcode = rest[0] & 0x0f;
    if (opcode === TEXT) received.messages.push(JSON.parse(payload.toString()));
    if (opcode === CLOSE) received.closed = `${payload.readUInt16BE(0)} ${payload.subarray(2).toString()}`;
    rest = rest.subarray(at + length);
  }
  return rest;
}
