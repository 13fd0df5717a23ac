/** UDP in the probes: a server that echoes and counts, and datagrams of several sizes that must come back. */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import type { DatagramRequest, EchoRequest, EchoResult } from './protocol.js';

const ECHO_TIMEOUT_MS = 1_000;

let heard = 0;

/** Echoes over IPv4 and IPv6 for as long as the probe lives. */
export function serveUdp(): Promise<{ port: number }> {
  const socket = createSocket({ type: 'udp6' });
  socket.on('message', (message, from) => {
    heard++;
    socket.send(message, from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.bind(0, '::', () => resolve({ port: socket.address().port }));
  });
}

/** Datagrams that the server of this probe has heard, from whomever. */
export function udpHeard(): { datagrams: number } {
  return { datagrams: heard };
}

/** Sends one datagram of each size, one after another, as long as they come back unchanged. */
export async function udpEcho(request: EchoRequest): Promise<EchoResult> {
  const socket = createSocket({ type: request.host.includes(':') ? 'udp6' : 'udp4' });
  try {
    await connected(socket, request);
    const echoed: number[] = [];
    for (const size of request.sizes) {
      if (!(await echoOne(socket, size))) break;
      echoed.push(size);
    }
    return { echoed };
  } finally {
    socket.close();
  }
}

/** Sends datagrams from one of this namespace's addresses; whether they arrive is not asked. */
export async function udpSend({
  from,
  host,
  port,
  datagrams,
}: DatagramRequest): Promise<Record<string, never>> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  try {
    await new Promise<void>((resolve) => socket.bind({ address: from, port: 0 }, resolve));
    for (const datagram of datagrams) await sent(socket, Buffer.from(datagram, 'base64'), host, port);
    return {};
  } finally {
    socket.close();
  }
}

function sent(socket: Socket, datagram: Buffer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(datagram, port, host, (error) => (error ? reject(error) : resolve()));
  });
}

function connected(socket: Socket, { host, port }: EchoRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.connect(port, host, () => resolve());
  });
}

function echoOne(socket: Socket, size: number): Promise<boolean> {
  const sent = randomBytes(size);
  return new Promise((resolve) => {
    const onMessage = (message: Buffer) => finish(message.equals(sent));
    const timer = setTimeout(() => finish(false), ECHO_TIMEOUT_MS);
    const finish = (same: boolean) => {
      clearTimeout(timer);
      socket.off('message', onMessage);
      resolve(same);
    };
    socket.on('message', onMessage);
    socket.send(sent, (error) => {
      if (error) finish(false);
    });
  });
}
