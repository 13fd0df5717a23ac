/**
 * Ten million packets of every kind through the engine, in a process of their own: the old generation of the
 * heap is never collected, since nothing gets there, and the heap does not grow.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadGolden } from '../../support/golden-case.js';
import type { Result, Workload } from '../../support/no-allocation-run.js';
import { FLAGS, macOf, packet } from '../../support/service-packets.js';
import { strangerFrame } from '../../support/shared-engines.js';
import { networks } from '../../support/snapshots.js';
import { STRANGER as ARP_STRANGER } from './elements/packets/arp-responder.js';
import { STRANGER as ND_STRANGER } from './elements/packets/nd-responder.js';
import { NODE, NODE_FRONTENDS, service, WORLD } from './translation/world.js';

type Tail = Parameters<typeof packet> extends [string, string, ...infer Rest] ? Rest : never;

const script = fileURLToPath(new URL('../../../dist/test/support/no-allocation-run.js', import.meta.url));
const isBuilt = existsSync(script);
const reason = isBuilt ? '' : ' [skipped: needs dist/, which npm run build makes]';

const MEGABYTE = 1 << 20;

/** Collections of the young generation that the process needs for itself. */
const TOLERATED = 2;

/**
 * Code is compiled where it is needed and not by another thread: on a busy machine that is given its time late, and
 * until then numbers are boxed that no compiled code boxes.
 */
const COMPILE_AT_ONCE = ['--no-concurrent-recompilation'];

async function workload(golden: string, packets: number, leak = false): Promise<Workload> {
  const { snapshot, offloads, steps } = await loadGolden(golden);
  const inputs = steps.flatMap(({ inputs }) =>
    [...inputs].flatMap(([port, packets]) =>
      packets.map(({ bytes, facts, remote }) => ({
        port,
        bytes: Buffer.from(bytes).toString('hex'),
        facts,
        remote,
      })),
    ),
  );
  return { packets, warmUp: 500_000, snapshot, offloads, inputs, leak };
}

/** Strangers that are new, known, or move with every packet, and neighbours of both families. */
function strangers(): Workload {
  const hello = (port: number, stranger: number) => ({ port, frame: strangerFrame(stranger) });
  const heard = [
    ...Array.from({ length: 40 }, (_, stranger) => hello(0, stranger)),
    ...Array.from({ length: 40 }, (_, stranger) => hello(1, stranger + 30)),
    ...[ARP_STRANGER, ND_STRANGER].flatMap((frame) => [0, 1].map((port) => ({ port, frame }))),
  ];
  const facts = { flags: 0, gsoType: 0, gsoSize: 0, checksumStart: 0, checksumOffset: 0 };
  const inputs = heard.map(({ port, frame }) => ({ port, bytes: Buffer.from(frame).toString('hex'), facts }));
  const snapshot = networks({ ports: [3], guard: false, learning: true });
  return { packets: 3_000_000, warmUp: 500_000, snapshot, offloads: {}, inputs, leak: false, shares: true };
}

/**
 * Clients of services and what answers them, opened and closed all the time, by the short way and the long one; refusals; as many
 * flows as expire.
 */
function serviceClients(): Workload {
  const frames: [number, Uint8Array][] = [];
  const add = (port: number, to: string, ...rest: Tail) => {
    frames.push([port, packet(to, macOf(port), ...rest)]);
  };
  for (let source = 4000; source < 4032; source++) {
    for (const flags of [FLAGS.syn, FLAGS.ack, FLAGS.finAck]) {
      add(0, '02700000ff00', '10.0.0.10', '10.96.0.1', 6, source, 80, flags, 4);
      add(3, '02700000ff01', '10.0.1.13', '10.0.0.10', 6, 80, source, flags | FLAGS.ack, 4);
    }
    add(0, '02700000ff00', '10.0.0.10', '10.96.0.1', 17, source, 80, 0, 4);
    add(3, '02700000ff01', '10.0.1.13', '10.0.0.10', 17, 80, source, 0, 4);
    add(0, '02700000ff00', '10.0.0.10', '10.96.0.2', source % 2 === 0 ? 6 : 17, source, 80, FLAGS.syn, 4);
    add(NODE, '02700000ff00', '203.0.113.9', NODE_FRONTENDS, 17, source, 80, 0, 4);
  }
  const facts = { flags: 0, gsoType: 0, gsoSize: 0, checksumStart: 0, checksumOffset: 0 };
  const inputs = frames.map(([port, bytes]) => ({ port, bytes: Buffer.from(bytes).toString('hex'), facts }));
  const frontends = (address: string) => [{ address, port: 80, scope: 'cluster' as const }];
  const services = [
    service(1, {}, '10.0.1.13:80'),
    service(2, {}),
    service(3, { protocol: 'UDP', frontends: frontends('10.96.0.1') }, '10.0.1.13:80'),
    service(4, { protocol: 'UDP', frontends: frontends('10.96.0.2') }),
    service(5, { protocol: 'UDP', frontends: frontends('node'), affinitySeconds: 5 }, '10.21.0.5:80'),
  ];
  return {
    packets: 3_000_000,
    warmUp: 500_000,
    snapshot: WORLD,
    offloads: {},
    inputs,
    leak: false,
    services,
  };
}

/** All pods are followed; a third of them may be sent to, and another may send, by some rules only. */
function policed(work: Workload): Workload {
  const pods = work.snapshot.ports.filter(
    ({ id, attachment }) => attachment.kind !== 'tunnel' && id !== work.snapshot.translation?.nodePort,
  );
  const ids = pods.map(({ id }) => id);
  const rules = [
    { action: 'allow', note: 2, peers: { sets: [0], blocks: [{ cidr: '203.0.113.0/24' }] } },
    { action: 'allow', note: 3, ports: [{ protocol: 'UDP', from: 1, to: 60_000 }] },
  ] as const;
  const policies = {
    ...{ removedRulesets: [], removedSets: [], removedIdentities: [], identities: [], addresses: [] },
    followsAll: true,
    sets: [{ id: 0, identities: ids.map((id) => 10 + id).filter((identity) => identity % 2 === 0) }],
    rulesets: [{ id: 1, tiers: [{ rules, otherwise: 'deny' as const, note: 1 }] }],
    ports: ids.map((port) => ({
      ...{ port, identity: 10 + port },
      ...{ ingress: port % 3 === 0 ? 1 : 0, egress: port % 3 === 1 ? 1 : 0 },
    })),
  };
  const ports = work.snapshot.ports.map((port) => (pods.includes(port) ? { ...port, policed: true } : port));
  return { ...work, snapshot: { ...work.snapshot, ports }, policies };
}

function run(work: Workload): Result {
  const args = ['--expose-gc', ...COMPILE_AT_ONCE, script];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    input: JSON.stringify(work),
    encoding: 'utf8',
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return JSON.parse(stdout) as Result;
}

describe.skipIf(!isBuilt)(`no allocation${reason}`, () => {
  it('would be seen', async () => {
    const { collections, heapGrowth } = run(await workload('mixed', 2_000_000, true));
    expect(heapGrowth).toBeGreaterThan(MEGABYTE);
    expect(Object.keys(collections).length).toBeGreaterThan(0);
  });

  it.each([
    ['ten million packets', 'mixed', 10_000_000],
    ['errors and fragments', 'mixed-rare', 1_000_000],
    ['a tunnel, both ways', 'mixed-tunnel', 3_000_000],
  ])(
    'for %s',
    async (_, golden, count) => {
      const { packets, milliseconds, collections, heapGrowth, sent } = run(await workload(golden, count));
      const rate = (packets / milliseconds / 1000).toFixed(2);
      console.log(
        `${golden}: ${packets} packets, ${rate} Mpps, heap ${heapGrowth} bytes, ${JSON.stringify(collections)}`,
      );
      expect(packets).toBeGreaterThanOrEqual(count);
      expect(sent).toBeGreaterThan(count / 2);
      expect(Object.keys(collections).filter((type) => type !== 'Scavenge')).toEqual([]);
      expect(collections.Scavenge ?? 0).toBeLessThanOrEqual(TOLERATED);
      expect(heapGrowth).toBeLessThan(MEGABYTE);
    },
    180_000,
  );

  it('for packets that have to wait', async () => {
    const work = await workload('mixed', 2_000_000);
    const rate = { bitsPerSecond: 100_000_000_000, burstBytes: 0 };
    const impairments = (['from-port', 'to-port'] as const).map((direction) => ({
      ...{ direction, prefixes: ['0.0.0.0/0', '::/0'] },
      ...{ delayMs: 1, jitterMs: 0.5, loss: 0.01, rate },
    }));
    const ports = work.snapshot.ports.map((port) =>
      port.attachment.kind === 'tunnel'
        ? port
        : { ...port, rates: { fromPort: rate, toPort: rate }, impairments },
    );
    const { sent, packets, collections, heapGrowth } = run({
      ...work,
      snapshot: { ...work.snapshot, ports },
    });
    console.log(
      `waiting: ${sent} of ${packets} sent, heap ${heapGrowth} bytes, ${JSON.stringify(collections)}`,
    );
    expect(sent).toBeGreaterThan(packets / 10);
    expect(Object.keys(collections).filter((type) => type !== 'Scavenge')).toEqual([]);
    expect(collections.Scavenge ?? 0).toBeLessThanOrEqual(TOLERATED);
    expect(heapGrowth).toBeLessThan(MEGABYTE);
  }, 180_000);

  it('for addresses that another engine is told', () => {
    const { packets, milliseconds, collections, heapGrowth, moved, unshared } = run(strangers());
    const rate = (packets / milliseconds / 1000).toFixed(2);
    console.log(`sharing: ${packets} packets, ${rate} Mpps, ${moved} moves, ${unshared} met a full ring`);
    expect(moved).toBeGreaterThan(packets / 10);
    expect(unshared).toBeGreaterThan(1000);
    expect(Object.keys(collections).filter((type) => type !== 'Scavenge')).toEqual([]);
    expect(collections.Scavenge ?? 0).toBeLessThanOrEqual(TOLERATED);
    expect(heapGrowth).toBeLessThan(MEGABYTE);
  });

  it('for clients of services', () => {
    const { packets, milliseconds, collections, heapGrowth, sent } = run(serviceClients());
    const rate = (packets / milliseconds / 1000).toFixed(2);
    console.log(`services: ${packets} packets, ${rate} Mpps, ${JSON.stringify(collections)}`);
    expect(sent).toBeGreaterThan(packets / 2);
    expect(Object.keys(collections).filter((type) => type !== 'Scavenge')).toEqual([]);
    expect(collections.Scavenge ?? 0).toBeLessThanOrEqual(TOLERATED);
    expect(heapGrowth).toBeLessThan(MEGABYTE);
  }, 180_000);

  it('for pods that policies ask about', async () => {
    for (const work of [await workload('mixed', 2_000_000), serviceClients()]) {
      const { packets, milliseconds, collections, heapGrowth, sent, dropped } = run(policed(work));
      const rate = (packets / milliseconds / 1000).toFixed(2);
      console.log(
        `policies: ${packets} packets, ${rate} Mpps, ${dropped} dropped, ${JSON.stringify(collections)}`,
      );
      expect(sent).toBeGreaterThan(packets / 5);
      expect(dropped).toBeGreaterThan(packets / 20);
      expect(Object.keys(collections).filter((type) => type !== 'Scavenge')).toEqual([]);
      expect(collections.Scavenge ?? 0).toBeLessThanOrEqual(TOLERATED);
      expect(heapGrowth).toBeLessThan(MEGABYTE);
    }
  }, 180_000);
});
