/**
 * A daemon with several forwarding threads. Each port is read by one of them and written by all:
 *
 *      pod a        pod b        pod c        pod d
 *      ┌──┴──┐      ┌──┴──┐      ┌──┴──┐      ┌──┴──┐
 *      │ TAP │      │ TAP │      │ TAP │      │ TAP │
 *      └┬───┬┘      └┬───┬┘      └┬───┬┘      └┬───┬┘
 *  reads│   ╎        ╎   │        │   ╎        ╎   │        ╎ writes
 *  ┌────▼───▼────────▼───┼────────▼───▼────────▼───┼────┐
 *  │ worker 1            │   ◄── learned ──►       │    │  podwire daemon --workers 2 | 4
 *  │ worker 0        ◄───┘                     ◄───┘    ├── tunnel ── another daemon, pods e and f
 *  └────────────────────────────────────────────────────┘
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { FdbAnswer, StatsAnswer } from '../../src/control/api/types.js';
import { openTaps } from '../support/netns-process.js';
import { missingPrograms, runIn, spawnIn, transfer } from '../support/netns-programs.js';
import { type Arrival, exchange, type Series } from '../support/netns-sequence.js';
import { WORKERS } from '../support/netns-workers.js';
import { TestCluster } from './cluster-support.js';
import {
  DaemonBench,
  missingForDaemon,
  outcome,
  type RunningDaemon,
  sleep,
  until,
} from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('taskset');
if (missing) console.log(`skipped: several workers need ${missing}`);

const PODS = ['a', 'b', 'c', 'd'] as const;
/** Longer in the second run of `.ci/run`, where nobody waits for it. */
const SERIES: Series = { count: WORKERS > 1 ? 2000 : 1000, flows: 2 };

/**
 * Of a flood of echo requests those on their way when it ends are not answered: on a busy machine, where an answer takes
 * 100 ms, some dozens.
 */
const ON_THEIR_WAY = 50;

/** How many echo requests were sent and not answered, by ping's own count. */
function unanswered(text: string): number {
  const [, sent, received] = / ?(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
  expect(Number(received), text).toBeGreaterThan(0);
  return Number(sent) - Number(received);
}

/** As fast as they are answered in the second run of `.ci/run`; elsewhere a thousand each second, for a fifth of the processor time. */
const PACE = WORKERS > 1 ? ['-f'] : ['-i', '0.001'];

/** Echo requests without a pause until it is told to end; then it says how many. */
function flood(namespace: string, to: string): () => Promise<string> {
  const child = spawnIn(namespace, 'ping', '-q', ...PACE, '-w', '120', to);
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const closed = once(child, 'close');
  return async () => {
    child.kill('SIGINT');
    await closed;
    return text;
  };
}

/** Every flow arrived, and none of its datagrams after a later one. How many came is for people to read. */
function expectOrder(arrivals: Record<string, Arrival>, senders: number, { count, flows }: Series): void {
  for (const [name, { received, ...rest }] of Object.entries(arrivals)) {
    const sent = senders * flows * count;
    console.log(`${name}: ${received} of ${sent} datagrams`);
    expect({ name, ...rest }).toEqual({ name, flows: senders * flows, late: 0 });
    expect(received).toBeGreaterThan(sent / 100);
  }
}

/** What is open without the connection of a call that the daemon has answered and not yet closed. */
async function leastOf(count: () => number): Promise<number> {
  let least = count();
  for (let look = 0; look < 10; look++) {
    await sleep(50);
    least = Math.min(least, count());
  }
  return least;
}

async function expectRest(bench: DaemonBench): Promise<void> {
  const inFlight = async () => (await bench.call<StatsAnswer>('GET', '/v1/stats')).body.inFlight;
  expect(await until(async () => (await inFlight()) === 0)).toBe(true);
}

/**
 * Keeps each thread on one processor. A thread that moves while it sends can leave packets of a flow in the kernel's
 * queues of two processors (netif_rx, between veth ends), which no switch puts in order again.
 */
function keepInPlace({ pid }: RunningDaemon): void {
  for (const [index, thread] of readdirSync(`/proc/${pid}/task`).entries()) {
    execFileSync('taskset', ['-cp', String(index % availableParallelism()), thread], { stdio: 'ignore' });
  }
}

// Two workers with every run of the tests, four with the second one of `.ci/run`.
const COUNT = WORKERS > 1 ? 2 * WORKERS : 2;
const CASES = (['uring', 'poll'] as const).map((io) => [io, COUNT] as const);

describe.skipIf(missing).each(CASES)('--io %s, --workers %i', (io, workers) => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;
  const flags = ['--io', io, '--workers', String(workers)];

  beforeEach(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start(flags);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(bench.log);
    await bench.cleanup();
  });

  it('keeps every flow in order, and TCP whole, between all pods at once', async () => {
    const addresses: Record<string, string> = {};
    for (const pod of PODS) addresses[pod] = (await bench.pod(pod)).ips[0];
    const senders = Object.fromEntries(
      PODS.map((pod) => [bench.name(pod), PODS.filter((to) => to !== pod).map((to) => addresses[to])]),
    );
    expectOrder(await exchange(senders, SERIES), PODS.length - 1, SERIES);
    const pairs = [
      ['a', 'b'],
      ['c', 'd'],
      ['b', 'c'],
      ['d', 'a'],
    ] as const;
    const moved = pairs.map(([from, to]) =>
      transfer(bench.name(from), bench.name(to), addresses[to], 4 << 20),
    );
    for (const { sent, arrived } of await Promise.all(moved)) {
      expect(sent).toMatch(/^4194304 /);
      expect(arrived).toBe(sent);
    }
    expect((await bench.call<{ workers: number }>('GET', '/v1/status')).body.workers).toBe(workers);
    await expectRest(bench);
  });

  it('tells other workers what one has learned, before the answer to it comes', async () => {
    const manifest = {
      ...{ apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name: 'lab' } },
      spec: { mode: 'bridge', cidrs: ['10.95.0.0/24'], sourceGuard: false },
    };
    expect(outcome(await bench.call('PUT', '/v1/networks/lab', manifest))).toBe('201');
    for (const pod of PODS) {
      // What kernels multicast by themselves would be counted with what is flooded.
      const quiet = 'for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done';
      await runIn(bench.namespace(pod), 'sh', '-c', quiet);
      expect((await bench.attach(pod, { network: 'lab' })).status).toBe(200);
    }
    // Of these addresses the switch knows nothing but what it learns from packets.
    for (const [index, pod] of (['a', 'b', 'c'] as const).entries()) {
      bench.ip(pod, 'link', 'add', 'extra', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
      bench.ip(pod, 'address', 'add', `10.99.0.${index + 1}/24`, 'dev', 'extra');
      bench.ip(pod, 'link', 'set', 'extra', 'up');
    }
    const ping = (from: string, to: string, count: number) =>
      runIn(bench.name(from), 'ping', '-q', '-c', String(count), '-i', '0.02', '-W', '2', to);
    const floodedTo = async (pod: string) => {
      const { ports } = (await bench.call<StatsAnswer>('GET', '/v1/stats')).body;
      return ports.find(({ port }) => port === `default/${pod}`)!.txPackets;
    };
    // a asks by broadcast, b and c answer; d is a bystander and hears what is flooded.
    for (const to of ['10.99.0.2', '10.99.0.3']) expect((await ping('a', to, 1)).status).toBe(0);
    expect((await ping('b', '10.99.0.3', 1)).status).toBe(0);
    const before = await floodedTo('d');
    expect(before).toBeGreaterThan(0);
    const all = [ping('a', '10.99.0.2', 50), ping('b', '10.99.0.3', 50), ping('c', '10.99.0.1', 50)];
    for (const { status, text } of await Promise.all(all)) {
      expect(text).toContain(' 0% packet loss');
      expect(status).toBe(0);
    }
    // None of 300: a pod's kernel may ask again for a neighbour that it has not heard of for a while.
    expect((await floodedTo('d')) - before).toBeLessThan(4);
    const { fdb } = (await bench.call<FdbAnswer>('GET', '/v1/fdb')).body;
    const learned = fdb.filter(({ kind, network }) => kind === 'learned' && network === 'lab');
    for (const pod of ['a', 'b', 'c']) {
      const mac = bench.link(pod, 'extra')!.address;
      expect(learned.filter((entry) => entry.mac === mac)).toMatchObject([{ port: `default/${pod}` }]);
    }
  });

  it('attaches and detaches under traffic, and keeps no descriptor', async () => {
    const [first] = (await bench.pod('a')).ips;
    const [second] = (await bench.pod('b')).ips;
    const descriptors = () => readdirSync(`/proc/${daemon.pid}/fd`).length;
    const before = await leastOf(descriptors);
    const floods = [flood(bench.name('a'), second), flood(bench.name('b'), first)];
    bench.namespace('c');
    for (let round = 0; round < 12; round++) {
      const { status, body } = await bench.attach('c');
      expect(status).toBe(200);
      expect(openTaps(daemon.pid, workers)).toBe(4);
      if (round % 4 === 0) expect(await bench.ping('c', first)).toBe(true);
      expect(body.ips[0]).toMatch(/^10\.244\./);
      expect(outcome(await bench.detach('c'))).toBe('200');
      expect(bench.link('c')).toBeUndefined();
      expect(openTaps(daemon.pid, workers)).toBe(3);
    }
    for (const ended of floods) expect(unanswered(await ended())).toBeLessThan(ON_THEIR_WAY);
    expect(await leastOf(descriptors)).toBe(before);
    await expectRest(bench);
  });
});

describe.skipIf(missing).each(['uring', 'poll'] as const)('two daemons with --io %s, --workers 2', (io) => {
  it('keep every flow in order, and TCP whole, through the tunnel', async ({
    onTestFailed,
    onTestFinished,
  }) => {
    const cluster = new TestCluster();
    onTestFinished(() => cluster.cleanup());
    onTestFailed(() => console.error(cluster.log));
    const flags = ['--io', io, '--workers', '2'];
    const k1 = cluster.host('k1', 1);
    const k2 = cluster.host('k2', 2);
    await k1.start([...cluster.server(k1), ...flags]);
    await k2.start([...cluster.joining(k1), ...flags]);
    expect(await k1.sees('k2')).toBe(true);
    expect(await k2.sees('k1')).toBe(true);
    for (const { running } of [k1, k2]) keepInPlace(running!);
    const pods = [
      { node: k1, name: 'a' },
      { node: k1, name: 'b' },
      { node: k2, name: 'e' },
      { node: k2, name: 'f' },
    ];
    const placed = await Promise.all(
      pods.map(async ({ node, name }) => ({
        node,
        in: node.bench.name(name),
        ip: (await node.pod(name)).ips[0],
      })),
    );
    const farFrom = (one: (typeof placed)[number]) => placed.filter(({ node }) => node !== one.node);
    const senders = Object.fromEntries(placed.map((one) => [one.in, farFrom(one).map(({ ip }) => ip)]));
    expectOrder(await exchange(senders, SERIES), 2, SERIES);
    // Each to its own far pod, both ways.
    const moved = placed.map((one, index) => {
      const to = placed[(index + 2) % placed.length];
      return transfer(one.in, to.in, to.ip, 2 << 20);
    });
    for (const { sent, arrived } of await Promise.all(moved)) {
      expect(sent).toMatch(/^2097152 /);
      expect(arrived).toBe(sent);
    }
    for (const { bench } of [k1, k2]) await expectRest(bench);
  });
});
