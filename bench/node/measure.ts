/** Throughput over an open path: TCP streams, and frames from a generator. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { end, finish, run, startUntil } from '../shell.js';
import { INTERFACE, type Path } from './path.js';
import { bounded, type Span, warmUp, watch } from './window.js';

/** A rate, and the processor time of the whole machine that a fixed amount has cost. */
export interface Throughput {
  readonly rate: number;
  readonly cost: number;
}

/** TCP streams from a to b, as the receiver counts them: Gbit/s, and seconds of processor time for 10^9 bytes. */
export async function tcpStreams(path: Path, streams: number, span: Span): Promise<Throughput> {
  const { a, b } = path;
  const server = await startServer(path);
  try {
    const length = ['-t', String(span.seconds), '-O', String(warmUp(span))];
    const client = [
      ...inside(a.namespace, 'iperf3'),
      '-c',
      b.address,
      '-P',
      String(streams),
      ...length,
      '-J',
    ];
    const [text, { processors }] = await both(
      finish('ip', client, bounded(span)),
      watch(span, () => 0),
    );
    const { end: result } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
    const bits = result.sum_received.bits_per_second;
    return { rate: bits / 1e9, cost: processors / (bits / 8 / 1e9) };
  } finally {
    await end(server);
  }
}

/** One stream: Gbit/s. */
export async function tcpThroughput(path: Path, seconds: number, signal?: AbortSignal): Promise<number> {
  return (await tcpStreams(path, 1, { seconds, signal })).rate;
}

/** iperf3's receiver at b, for one test. */
export function startServer({ b }: Path) {
  return startUntil('ip', [...inside(b.namespace, 'iperf3'), '-s', '-1', '--forceflush'], 'listening');
}

export function inside(namespace: string, program: string): string[] {
  return ['netns', 'exec', namespace, program];
}

/** Waits for both even if one fails, so that nothing of a measurement goes on when it is over. */
export async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}

/** Where the generator and, for subjects that can be pinned, the switch run. */
const GENERATOR_CPU = '0';
const SWITCH_CPU = '1';
const ALL_CPUS = `0-${cpus().length - 1}`;

/**
 * 60-byte frames from a generator at a, counted at b's interface: thousands a second, and seconds of processor time
 * for a million of them.
 */
export async function frames(path: Path, span: Span): Promise<Throughput> {
  path.pin(SWITCH_CPU);
  const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
  const config = join(folder, 'frame.cfg');
  writeFileSync(config, frame(path));
  try {
    return await generated(path, config, span);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    path.pin(ALL_CPUS);
  }
}

/** Thousands of frames a second. */
export async function rawPackets(path: Path, seconds: number, signal?: AbortSignal): Promise<number> {
  return (await frames(path, { seconds, signal })).rate;
}

async function generated({ a, b }: Path, config: string, span: Span): Promise<Throughput> {
  // timeout(1) bounds the generator whatever becomes of us, and passes our signal on.
  const bound = ['timeout', String(span.seconds + warmUp(span) + 1)];
  const trafgen = ['trafgen', '--dev', INTERFACE, '--conf', config, '--cpus', '1'];
  const command = [...inside(a.namespace, 'taskset'), '-c', GENERATOR_CPU, ...bound, ...trafgen];
  const generator = await startUntil('ip', command, 'Running!');
  try {
    const { rate, processors } = await watch(span, () => received(b.namespace));
    return { rate: rate / 1000, cost: processors / (rate / 1e6) };
  } finally {
    await end(generator);
  }
}

/**
 * A frame that nobody answers: b's MAC address, but an IP address that b does not have. On a routed path it has
 * b's own, and a port that nobody serves: then b says so once a second (net.ipv4.icmp_ratelimit).
 */
function frame({ a, b, towardsB }: Path): string {
  const { mac, address } = towardsB ?? { mac: b.mac, address: b.address.replace(/\d+$/, '250') };
  return (
    `{ eth(da=${mac}, sa=${a.mac}, type=0x800) ` +
    `ipv4(sa=${a.address}, da=${address}, proto=17, ttl=64) udp(sp=1000, dp=2000) fill(0x41, 18) }\n`
  );
}

function received(namespace: string): number {
  const [link] = JSON.parse(run('ip', ['-n', namespace, '-j', '-s', 'link', 'show', INTERFACE])) as {
    stats64: { rx: { packets: number } };
  }[];
  return link.stats64.rx.packets;
}
