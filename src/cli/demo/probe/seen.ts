/** Under which address a client is seen: the way to notice network address translation. */
import { connect, createServer } from 'node:net';
import { failOnSilence, listen } from './tcp.js';

/** Of IPv4 clients on a socket for both families (RFC 4291 section 2.5.5.2). */
const MAPPED = '::ffff:';

export function withoutMapping(address: string): string {
  return address.replace(MAPPED, '');
}

let server: Promise<{ port: number }> | undefined;

/** One for as long as the probe lives. */
export function serveSeen(): Promise<{ port: number }> {
  server ??= listen(
    createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(withoutMapping(socket.remoteAddress ?? ''));
    }),
  ).then((port) => ({ port }));
  return server;
}

export function seenAs({ host, port }: { host: string; port: number }): Promise<{ seen: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    failOnSilence(socket, reject);
    let seen = '';
    socket.on('data', (data: Buffer) => {
      seen += data.toString('utf8');
    });
    socket.on('end', () => resolve({ seen }));
  });
}
