/** The measurements of `node.*`, each over an open path; one value a call. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantile } from '../figure.js';
import { end, finish, run, sleep, startUntil } from '../shell.js';
import { INTERFACE, type Path } from './path.js';

/** Seconds of load before anything is counted, so that no subject is measured while it warms up. */
const WARM_UP_SECONDS = 2;

/** One TCP stream from a to b, as the receiver counts it: Gbit/s. */
export async function tcpThroughput(path: Path, seconds: number): Promise<number> {
  const { a, b } = path;
  const inB = ['netns', 'exec', b.namespace, 'iperf3'];
  const server = await startUntil('ip', [...inB, '-s', '-1', '--forceflush'], 'listening');
  try {
    const client = [
      'netns',
      'exec',
      a.namespace,
      'iperf3',
      '-c',
      b.address,
      '-t',
      String(seconds),
      '-O',
      String(WARM_UP_SECONDS),
      '-J',
    ];
    const { end: result } = JSON.parse(await finish('ip', client)) as {
      end: { sum_received: { bits_per_second: number } };
    };
    return result.sum_received.bits_per_second / 1e9;
  } finally {
    await end(server);
  }
}

/** Where the generator and, for subjects that can be pinned, the switch run. */
const GENERATOR_CPU = '0';
const SWITCH_CPU = '1';

/** 60-byte frames from a generator at a, counted at b's interface: thousands a second. */
export async function rawPackets(path: Path, seconds: number): Promise<number> {
  const { a, b } = path;
  path.pin(SWITCH_CPU);
  const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
  const config = join(folder, 'frame.cfg');
  writeFileSync(config, frame(path));
  const trafgen = ['trafgen', '--dev', INTERFACE, '--conf', config, '-q', '--cpus', '1'];
  const inA = ['netns', 'exec', a.namespace, 'taskset', '-c', GENERATOR_CPU];
  // timeout(1) bounds the generator whatever becomes of us; 124 is its way of saying that it did its work.
  const load = finish('ip', [...inA, 'timeout', String(seconds + WARM_UP_SECONDS + 1), ...trafgen]).catch(
    () => '',
  );
  try {
    await sleep(WARM_UP_SECONDS * 1000);
    const before = received(b.namespace);
    const start = process.hrtime.bigint();
    await sleep(seconds * 1000);
    const packets = received(b.namespace) - before;
    return (packets * 1e6) / Number(process.hrtime.bigint() - start);
  } finally {
    await load;
    rmSync(folder, { recursive: true, force: true });
    path.pin('0,1');
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

/** Echoes sent at full speed before round trips are timed. */
const WARM_UP = 10_000;

/** Echo round trips from a to b, one at a time: median and 99th percentile, µs. */
export async function roundTrips(path: Path, count: number): Promise<{ p50: number; p99: number }> {
  const { a, b } = path;
  const inA = ['netns', 'exec', a.namespace, 'ping'];
  await finish('ip', [...inA, '-q', '-f', '-c', String(WARM_UP), b.address]);
  const text = await finish('ip', [...inA, '-c', String(count), '-i', '0.002', b.address]);
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000);
  if (times.length < count * 0.99) throw new Error(`only ${times.length} of ${count} echoes came back`);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
