/**
 * Datagrams with numbers: does what a flow sends arrive in that order?
 *
 * A sender has a socket for each flow, so that the kernel's 5-tuple tells flows apart, and numbers what it sends. A
 * receiver compares each number with the one before of the same socket. Datagrams may be lost (nothing holds the
 * sender back), but not come late or twice.
 */
import { once } from 'node:events';
import { runIn, spawnIn } from './netns-programs.js';

/**
 * Listens until it is told that all has been sent (SIGTERM) and nothing more has come for a while. Prints how many flows
 * and datagrams came, and how many late.
 */
const LISTENER = `
  const last = new Map();
  const result = { flows: 0, received: 0, late: 0 };
  const socket = require('node:dgram').createSocket({ type: 'udp6', recvBufferSize: 4 << 20 });
  const end = () => { result.flows = last.size; console.log(JSON.stringify(result)); process.exit(0); };
  let timer;
  const settle = () => { clearTimeout(timer); timer = setTimeout(end, 700); };
  process.on('SIGTERM', settle);
  socket.on('message', (octets, { address, port }) => {
    const number = octets.readUInt32BE(0);
    const flow = address + ' ' + port;
    if (number <= (last.get(flow) ?? -1)) result.late++;
    else last.set(flow, number);
    if ((result.received++ & 31) === 0 && timer) settle();
  });
  socket.bind(5002, '::', () => console.error('listening'));`;

/** Sends `count` datagrams by each of `flows` sockets to every address, in turns of all flows. */
const SENDER = `
  const [flows, count, ...addresses] = process.argv.slice(1);
  const { createSocket } = require('node:dgram');
  const open = (address) => new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', () => {});
    socket.connect(5002, address, () => resolve(socket));
  });
  (async () => {
    const wanted = addresses.flatMap((address) => new Array(Number(flows)).fill(address));
    const sockets = await Promise.all(wanted.map(open));
    // The kernel queues what it has no neighbour for, and sends it later from another thread: not our order to keep.
    for (const socket of sockets) socket.send(Buffer.alloc(4));
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (let number = 1; number <= Number(count); number++) {
      const octets = Buffer.alloc(64 + (number * 37) % 900);
      octets.writeUInt32BE(number);
      let left = sockets.length;
      await new Promise((resolve) => {
        const done = () => { if (--left === 0) resolve(); };
        for (const socket of sockets) socket.send(octets, done);
      });
    }
    for (const socket of sockets) socket.close();
  })();`;

export interface Series {
  /** Datagrams of each flow. */
  readonly count: number;
  /** From each sender to each address. */
  readonly flows: number;
}

export interface Arrival {
  readonly flows: number;
  readonly received: number;
  /** Numbers that came after a higher one, or twice. */
  readonly late: number;
}

/** Namespaces that all listen while each sends to the addresses given with it; answers what arrived where. */
export async function exchange(
  senders: Readonly<Record<string, readonly string[]>>,
  { count, flows }: Series,
): Promise<Record<string, Arrival>> {
  const names = Object.keys(senders);
  const arrivals = await Promise.all(names.map(listen));
  const words = ['-e', SENDER, String(flows), String(count)];
  await Promise.all(names.map((name) => runIn(name, process.execPath, ...words, ...senders[name])));
  for (const { settle } of arrivals) settle();
  const results = await Promise.all(arrivals.map(({ result }) => result));
  return Object.fromEntries(names.map((name, index) => [name, results[index]]));
}

/** Resolves when the listener is ready. */
async function listen(namespace: string): Promise<{ result: Promise<Arrival>; settle: () => void }> {
  const child = spawnIn(namespace, process.execPath, '-e', LISTENER);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = once(child, 'close');
  await once(child.stderr!, 'data');
  return { result: ended.then(() => JSON.parse(text) as Arrival), settle: () => void child.kill('SIGTERM') };
}
