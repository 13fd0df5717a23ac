/**
 * TCP in the probes: one bulk transfer of random data, and one connection that stays open.
 *
 * The side that connects receives, because only a connecting socket can be given the memory to read into:
 * the data lands in one buffer, and is hashed after the clock has stopped.
 */
import { createHash, randomFillSync } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { ExchangeResult, ReceiveRequest, ReceiveResult } from './protocol.js';

const READ_AT_MOST = 1 << 18;
const PROGRESS_EVERY_MS = 40;
const STALL_MS = 5_000;

/** Serves `octets` of random data to the first connection, then stops listening. */
export async function offer(octets: number): Promise<{ port: number; sha256: string }> {
  const data = randomFillSync(Buffer.allocUnsafeSlow(octets));
  const server = createServer((socket) => {
    server.close();
    socket.on('error', () => socket.destroy());
    socket.end(data);
  });
  return { port: await listen(server), sha256: sha256(data) };
}

/** Reads until the other side ends; rejects when it is silent for 5 s. */
export function receive(
  request: ReceiveRequest,
  onProgress: (octets: number) => void,
): Promise<ReceiveResult> {
  const room = Buffer.allocUnsafeSlow(request.octets + READ_AT_MOST);
  let filled = 0;
  let start = performance.now();
  let told = start;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: request.host,
      port: request.port,
      onread: {
        buffer: () => room.subarray(filled, filled + READ_AT_MOST),
        callback: (count) => {
          filled = Math.min(filled + count, request.octets);
          if (performance.now() - told < PROGRESS_EVERY_MS) return true;
          told = performance.now();
          onProgress(filled);
          return true;
        },
      },
    });
    failOnSilence(socket, reject);
    socket.on('connect', () => {
      start = performance.now();
    });
    socket.on('end', () => {
      const millis = performance.now() - start;
      resolve({ octets: filled, sha256: sha256(room.subarray(0, filled)), millis });
    });
  });
}

/** A server that sends back what it gets, for as long as the probe lives. */
export async function serveEcho(): Promise<{ port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  return { port: await listen(server) };
}

let conversation: Socket | undefined;

/** Opens the connection that `exchange` talks over. */
export function open(host: string, port: number): Promise<Record<string, never>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    failOnSilence(socket, reject);
    socket.on('connect', () => {
      socket.setTimeout(0);
      conversation = socket;
      resolve({});
    });
  });
}

/** One message there and back over the open connection. */
export function exchange(timeoutMs: number): Promise<ExchangeResult> {
  const socket = conversation;
  if (socket === undefined) throw new Error('no connection is open');
  const message = `${performance.now()} and a few more words\n`;
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    let heard = '';
    const onData = (data: Buffer) => {
      heard += data.toString('utf8');
      if (heard.length >= message.length) finish(heard === message ? undefined : new Error('wrong echo'));
    };
    const finish = (error?: Error) => {
      clearTimeout(timer);
      socket.off('data', onData).off('error', finish).off('close', onClose);
      if (error) reject(error);
      else resolve({ millis: performance.now() - start });
    };
    const onClose = () => finish(new Error('the connection is closed'));
    socket.on('data', onData).on('error', finish).on('close', onClose);
    socket.write(message);
  });
}

export function failOnSilence(socket: Socket, reject: (error: Error) => void): void {
  socket.setTimeout(STALL_MS, () => socket.destroy(new Error(`silent for ${STALL_MS / 1000} s`)));
  socket.on('error', reject);
}

export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '::', () => resolve((server.address() as AddressInfo).port));
  });
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
