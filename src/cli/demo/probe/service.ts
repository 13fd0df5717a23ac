/**
 * Services in the probes: a server that says who it is and under which address it sees its client, a client that connects
 * time after time, and one that asks a name server.
 */
import { Resolver } from 'node:dns/promises';
import { connect, createServer, type Server } from 'node:net';
import type { Call, CallsRequest, CallsResult, NamedServer, NameRequest, NameResult } from './protocol.js';
import { withoutMapping } from './seen.js';

const SILENCE_MS = 5_000;
const NAME_TIMEOUT_MS = 2_000;
const NAME_TRIES = 3;

/** For as long as the probe lives, over IPv4 and IPv6. */
export function serveNamed({ name, port }: NamedServer): Promise<Record<string, never>> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`${name} ${withoutMapping(socket.remoteAddress ?? '')}`);
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '::', () => resolve({}));
  });
}

/** Connections one after another; one that fails is a result too. */
export async function callMany({ host, port, count }: CallsRequest): Promise<CallsResult> {
  const calls: Call[] = [];
  while (calls.length < count) calls.push(await callOnce(host, port));
  return { calls };
}

function callOnce(host: string, port: number): Promise<Call> {
  const start = performance.now();
  return new Promise((resolve) => {
    const finish = (what: Pick<Call, 'server' | 'seen' | 'error'>) => {
      const end = performance.now();
      resolve({ ...what, at: performance.timeOrigin + end, millis: end - start });
    };
    const socket = connect({ host, port });
    let text = '';
    socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`)));
    socket.on('data', (data: Buffer) => {
      text += data.toString('utf8');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => finish({ error: error.code ?? error.message }));
    socket.on('end', () => {
      const [server, seen] = text.split(' ');
      finish(server === undefined || seen === undefined ? { error: 'no answer' } : { server, seen });
    });
  });
}

/** A and AAAA at once, as programs in pods do. */
export async function lookUp({ server, name }: NameRequest): Promise<NameResult> {
  const resolver = new Resolver({ timeout: NAME_TIMEOUT_MS, tries: NAME_TRIES });
  resolver.setServers([server]);
  const start = performance.now();
  const addresses = await Promise.all([resolver.resolve4(name), resolver.resolve6(name)]);
  return { addresses: addresses.flat(), millis: performance.now() - start };
}
