/**
 * A probe's process: started by the demo inside a namespace, answers requests over the IPC channel, and ends
 * when the channel closes, however the demo ended.
 */
import { hop, ping, tooBig } from './icmp.js';
import { describeInterface, inject } from './interface.js';
import type { Operation, ProbeAnswer, ProbeCall, Request, Result } from './protocol.js';
import { seenAs, serveSeen } from './seen.js';
import { callMany, lookUp, serveNamed } from './service.js';
import { exchange, offer, open, receive, serveEcho } from './tcp.js';
import { serveUdp, udpEcho, udpHeard, udpSend } from './udp.js';

type Handlers = {
  [O in Operation]: (
    request: Request<O>,
    onProgress: (value: number) => void,
  ) => Result<O> | Promise<Result<O>>;
};

const HANDLERS: Handlers = {
  ping,
  hop,
  tooBig,
  tcpSend: ({ octets }) => offer(octets),
  tcpReceive: receive,
  tcpEcho: serveEcho,
  connect: ({ host, port }) => open(host, port),
  exchange: ({ timeoutMs }) => exchange(timeoutMs),
  udpServe: serveUdp,
  udpHeard,
  udpEcho,
  udpSend,
  seenServe: serveSeen,
  seenAs,
  serveNamed,
  callMany,
  lookUp,
  inject,
  interface: ({ ifname }) => describeInterface(ifname),
};

async function answer(call: ProbeCall): Promise<void> {
  const { id } = call;
  try {
    const handle = HANDLERS[call.operation] as (
      request: unknown,
      onProgress: (value: number) => void,
    ) => unknown;
    const result = await handle(call.request, (progress) => send({ id, progress }));
    send({ id, result });
  } catch (error) {
    send({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

/** The demo may be gone: then the process is about to end anyway. */
function send(message: ProbeAnswer): void {
  if (process.connected) process.send?.(message);
}

process.on('disconnect', () => process.exit(0));
process.on('message', (call: ProbeCall) => void answer(call));
