/** Subnets held by compare-and-swap: many nodes over one embedded store, in virtual time. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeSession } from '../../../../src/control/cluster/session.js';
import { blocksOf, choices } from '../../../../src/control/cluster/subnet-records.js';
import {
  ownerOfRecord,
  readSubnet,
  SUBNETS,
  SubnetLeases,
  type SubnetOptions,
} from '../../../../src/control/cluster/subnets.js';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import type { Store } from '../../../../src/control/store/store.js';
import { UnsteadyStore } from '../../../support/unsteady-store.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';

const CIDRS = ['10.244.0.0/16', 'fd00:10:244::/48'];
const GRACE = 60_000;
const QUARANTINE = 600_000;

let directory: string;
let clock: VirtualClock;
let store: EmbeddedStore;
let opened: (() => unknown)[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podwire-subnets-'));
  clock = new VirtualClock();
  store = EmbeddedStore.open(join(directory, 'a.mdb'), { clock });
  opened = [];
});
afterEach(async () => {
  for (const close of opened) close();
  await settle();
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

interface TestNode {
  readonly way: UnsteadyStore;
  readonly subnets: SubnetLeases;
  readonly session: NodeSession;
  readonly lost: string[];
  /** As a crash does. */
  die(): Promise<void>;
}

async function node(
  name: string,
  options: Partial<SubnetOptions> = {},
  over: Store = store,
): Promise<TestNode> {
  const way = new UnsteadyStore(over);
  const uid = options.uid ?? `uid-${name}`;
  const session = await NodeSession.start({ store: way, name, uid, clock });
  const subnets = new SubnetLeases({ store: way, node: name, uid, clusterCidrs: CIDRS, clock, ...options });
  await subnets.start();
  const lost: string[] = [];
  subnets.onLost((cidr, why) => lost.push(`${cidr}: ${why}`));
  const die = async () => {
    subnets.close();
    await session.stop({ leave: false });
  };
  opened.push(() => void die());
  return { way, subnets, session, lost, die };
}

const cidrsOf = (subnets: readonly { readonly cidr: string }[]) => subnets.map(({ cidr }) => cidr);

async function records(of: Store = store): Promise<Record<string, string>> {
  const { entries } = await of.list(SUBNETS);
  return Object.fromEntries(
    entries.map(({ key, value }) => {
      const record = readSubnet(value);
      return [key.slice(SUBNETS.length), `${record?.node} ${record?.state}`];
    }),
  );
}

describe('blocks', () => {
  it('of a claim are all that it covers, or the one it lies in', () => {
    expect(blocksOf('10.244.8.0/22')).toEqual([
      '10.244.8.0/24',
      '10.244.9.0/24',
      '10.244.10.0/24',
      '10.244.11.0/24',
    ]);
    expect(blocksOf('10.244.8.128/26')).toEqual(['10.244.8.0/24']);
    expect(blocksOf('fd00:10:244:4::/63')).toEqual(['fd00:10:244:4::/64', 'fd00:10:244:5::/64']);
    expect(() => blocksOf('10.0.0.0/8')).toThrow(expect.objectContaining({ code: 'INVALID' }));
  });

  it('to choose from are those of the cluster, or all of it where it is smaller', () => {
    expect([...choices('10.244.0.0/22')]).toEqual(blocksOf('10.244.0.0/22'));
    expect([...choices('10.244.0.0/26')]).toEqual(['10.244.0.0/26']);
  });
});

it('gets the lowest free of each family, with a fence, and has the same again', async () => {
  const [first, second] = [await node('k1'), await node('k2')];
  const got = await first.subnets.acquire();
  expect(cidrsOf(got)).toEqual(['10.244.0.0/24', 'fd00:10:244::/64']);
  expect(cidrsOf(await second.subnets.acquire())).toEqual(['10.244.1.0/24', 'fd00:10:244:1::/64']);
  expect(await first.subnets.acquire()).toEqual(got);
  expect(first.subnets.owned).toEqual(got);
  expect(second.subnets.owned[0].fence).toBeGreaterThan(got[0].fence);
});

it('gets what it wants, and says whose it is where it cannot; all or nothing', async () => {
  const [first, second] = [await node('k1'), await node('k2')];
  await first.subnets.acquire(['10.244.8.0/22']);
  const wanted = ['fd00:10:244:7::/64', '10.244.10.64/26'];
  const refused = second.subnets.acquire(wanted);
  await expect(refused).rejects.toMatchObject({
    code: 'SUBNET_TAKEN',
    message: expect.stringContaining('node k1'),
  });
  expect(second.subnets.owned).toEqual([]);
  expect(Object.values(await records())).toEqual(Array(4).fill('k1 held'));
  expect(cidrsOf(await second.subnets.acquire(['10.244.12.0/24']))).toEqual(['10.244.12.0/24']);
});

it('puts what it held before and does not want any more into quarantine', async () => {
  const { subnets } = await node('k1');
  await subnets.acquire(['10.244.8.0/23']);
  await subnets.acquire(['10.244.9.0/24']);
  expect(await records()).toEqual({ '10.244.8.0/24': 'k1 quarantined', '10.244.9.0/24': 'k1 held' });
});

it('has no subnet where all are taken or in quarantine, and leaves none half taken', async () => {
  const small = { clusterCidrs: ['fd00:10:244::/48', '10.244.0.0/23'] };
  const nodes = [await node('k1', small), await node('k2', small), await node('k3', small)];
  await nodes[0].subnets.acquire();
  await nodes[1].subnets.acquire();
  await nodes[1].subnets.release();
  await expect(nodes[2].subnets.acquire()).rejects.toMatchObject({ code: 'SUBNETS_EXHAUSTED' });
  expect(Object.values(await records()).filter((record) => record.startsWith('k3'))).toEqual([]);
  await clock.advance(QUARANTINE * 1.1 + 10_000);
  expect(cidrsOf(await nodes[2].subnets.acquire())).toEqual(['fd00:10:244:1::/64', '10.244.1.0/24']);
});

it('never has two holders of one block, however many start together', async () => {
  const nodes = await Promise.all(Array.from({ length: 60 }, (_, index) => node(`k${index}`)));
  const got = await Promise.all(nodes.map(({ subnets }) => subnets.acquire()));
  for (const family of [0, 1]) expect(new Set(got.map((owned) => owned[family].cidr)).size).toBe(60);
  for (const [index, owned] of got.entries()) {
    for (const { cidr, fence } of owned) {
      const entry = await store.get(SUBNETS + cidr);
      expect(entry?.revision).toBe(fence);
      expect(readSubnet(entry?.value)?.node).toBe(`k${index}`);
    }
  }
});

it('never has two holders where all want the same', async () => {
  const nodes = await Promise.all(Array.from({ length: 20 }, (_, index) => node(`k${index}`)));
  const results = await Promise.allSettled(
    nodes.map(({ subnets }) => subnets.acquire(['10.244.4.0/22', 'fd00:10:244:4::/62'])),
  );
  const won = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [`k${index} held`] : []));
  expect(won.length).toBeLessThanOrEqual(1);
  expect([...new Set(Object.values(await records()))]).toEqual(won);
});

it('gives the subnet of a dead node to others after grace and quarantine, and not before', async () => {
  const small = { clusterCidrs: ['10.244.0.0/24'] };
  const [dead, other, third] = [await node('k1', small), await node('k2', small), await node('k3', small)];
  const [{ fence }] = await dead.subnets.acquire();
  await dead.die();
  await clock.advance(15_000 + GRACE - 6000);
  expect(await records()).toEqual({ '10.244.0.0/24': 'k1 held' });
  await clock.advance(GRACE / 10 + 16_000);
  expect(await records()).toEqual({ '10.244.0.0/24': 'k1 quarantined' });
  await clock.advance(QUARANTINE - 30_000);
  await expect(other.subnets.acquire()).rejects.toMatchObject({ code: 'SUBNETS_EXHAUSTED' });
  const exact = third.subnets.acquire(['10.244.0.0/24']);
  await expect(exact).rejects.toMatchObject({
    code: 'SUBNET_TAKEN',
    message: expect.stringContaining('quarantine'),
  });
  await clock.advance(QUARANTINE / 10 + 60_000);
  expect(await records()).toEqual({});
  const [taken] = await other.subnets.acquire();
  expect(taken.cidr).toBe('10.244.0.0/24');
  expect(taken.fence).toBeGreaterThan(fence);
});

it('gives a node that returns its own again, also out of quarantine', async () => {
  const [first, other] = [await node('k1'), await node('k2')];
  await other.subnets.acquire();
  const before = cidrsOf(await first.subnets.acquire());
  await first.die();
  await clock.advance(15_000 + GRACE * 1.1 + 10_000);
  expect((await records())['10.244.1.0/24']).toBe('k1 quarantined');
  const again = await node('k1');
  expect(cidrsOf(await again.subnets.acquire())).toEqual(before);
  await clock.advance(2 * QUARANTINE);
  expect((await records())['10.244.1.0/24']).toBe('k1 held');
  expect(again.lost).toEqual([]);
});

it('takes a machine that was installed anew for another node, although it has the name', async () => {
  const [first] = [await node('k1'), await node('k2')];
  await first.subnets.acquire();
  await first.die();
  await clock.advance(20_000);
  const anew = await node('k1', { uid: 'other' });
  expect(cidrsOf(await anew.subnets.acquire())).toEqual(['10.244.1.0/24', 'fd00:10:244:1::/64']);
  await clock.advance(GRACE * 1.1 + 20_000);
  expect((await records())['10.244.0.0/24']).toBe('k1 quarantined');
  expect((await records())['10.244.1.0/24']).toBe('k1 held');
});

it('leaves alone what belongs to a node cut off for less than its lease and grace, and to one with its clock set', async () => {
  const [cut] = [await node('k1'), await node('k2')];
  await cut.subnets.acquire();
  const wall = Date.now;
  try {
    Date.now = () => wall() + 365 * 86_400_000;
    cut.way.away = true;
    await clock.advance(GRACE);
    cut.way.away = false;
    await clock.advance(QUARANTINE);
  } finally {
    Date.now = wall;
  }
  expect(Object.values(await records())).toEqual(['k1 held', 'k1 held']);
  expect(cut.lost).toEqual([]);
});

it('takes its own out of quarantine when it was cut off, and loses what another has meanwhile', async () => {
  const small = { clusterCidrs: ['10.244.0.0/24'] };
  const [cut, other] = [await node('k1', small), await node('k2', small)];
  await cut.subnets.acquire();
  cut.way.away = true;
  await clock.advance(15_000 + GRACE * 1.1 + 10_000);
  expect(await records()).toEqual({ '10.244.0.0/24': 'k1 quarantined' });
  cut.way.away = false;
  await clock.advance(10_000);
  expect(await records()).toEqual({ '10.244.0.0/24': 'k1 held' });
  const entry = await store.get(`${SUBNETS}10.244.0.0/24`);
  expect(cut.subnets.owned[0].fence).toBe(entry?.revision);

  cut.way.away = true;
  await clock.advance(15_000 + (GRACE + QUARANTINE) * 1.1 + 20_000);
  await other.subnets.acquire();
  expect(cut.lost).toEqual([]);
  cut.way.away = false;
  await settle();
  expect(cut.lost).toEqual([expect.stringMatching(/^10\.244\.0\.0\/24: .*node k2/)]);
  expect(cut.subnets.owned).toEqual([]);
  await clock.advance(QUARANTINE);
  expect(await records()).toEqual({ '10.244.0.0/24': 'k2 held' });
  expect(cut.lost).toHaveLength(1);
});

it('gives up the whole of a claim when another has a part of it', async () => {
  const [first, other] = [await node('k1'), await node('k2')];
  await first.subnets.acquire(['10.244.4.0/23', 'fd00:10:244:4::/64']);
  first.way.away = true;
  await store.delete(`${SUBNETS}10.244.5.0/24`);
  await other.subnets.acquire(['10.244.5.0/24']);
  first.way.away = false;
  await settle();
  expect(first.lost).toHaveLength(1);
  expect(cidrsOf(first.subnets.owned)).toEqual(['fd00:10:244:4::/64']);
  expect(await records()).toEqual({
    '10.244.4.0/24': 'k1 quarantined',
    '10.244.5.0/24': 'k2 held',
    'fd00:10:244:4::/64': 'k1 held',
  });
});

it('claims again what the store has lost, and gives up what another was faster to get', async () => {
  const nodes = [await node('k1'), await node('k2')];
  await nodes[0].subnets.acquire();
  await nodes[1].subnets.acquire();
  const empty = EmbeddedStore.open(join(directory, 'b.mdb'), { clock });
  opened.push(() => empty.close());
  const resets: string[] = [];
  nodes[1].subnets.onOwners((block, owner, reset) => {
    if (reset && !owner) resets.push(block);
  });
  await settle();
  nodes[0].way.away = true;
  nodes[0].way.replace(empty);
  nodes[1].way.replace(empty);
  const quick = await node('k3', {}, empty);
  await quick.subnets.acquire(['10.244.0.0/24']);
  await clock.advance(2000);
  expect(resets).toContain('fd00:10:244::/64');
  nodes[0].way.away = false;
  await clock.advance(20_000);
  expect(nodes[1].lost).toEqual([]);
  expect(cidrsOf(nodes[1].subnets.owned)).toEqual(['10.244.1.0/24', 'fd00:10:244:1::/64']);
  expect(nodes[0].lost).toEqual([expect.stringMatching(/^10\.244\.0\.0\/24: .*node k3/)]);
  expect(cidrsOf(nodes[0].subnets.owned)).toEqual(['fd00:10:244::/64']);
  expect(await records(empty)).toEqual({
    '10.244.0.0/24': 'k3 held',
    '10.244.1.0/24': 'k2 held',
    'fd00:10:244::/64': 'k1 held',
    'fd00:10:244:1::/64': 'k2 held',
  });
  await clock.advance(QUARANTINE);
  expect(Object.values(await records(empty)).every((record) => record.endsWith('held'))).toBe(true);
});

it('claims again what somebody deleted', async () => {
  const { subnets, lost } = await node('k1');
  await subnets.acquire();
  await store.delete(`${SUBNETS}10.244.0.0/24`);
  await clock.advance(1);
  expect((await records())['10.244.0.0/24']).toBe('k1 held');
  expect(lost).toEqual([]);
});

it('finds nobody condemned when the store comes back after an hour', async () => {
  const nodes = [await node('k1'), await node('k2'), await node('k3')];
  for (const { subnets } of nodes) await subnets.acquire();
  for (const { way } of nodes) way.away = true;
  await clock.advance(3_600_000);
  for (const { way } of nodes) way.away = false;
  await clock.advance(QUARANTINE);
  expect(Object.values(await records()).every((record) => record.endsWith('held'))).toBe(true);
  expect(nodes.flatMap(({ lost }) => lost)).toEqual([]);
});

it('begins to count a node’s absence anew where the store was away in between', async () => {
  const [dead, observer] = [await node('k1'), await node('k2')];
  await dead.subnets.acquire();
  await dead.die();
  await clock.advance(15_000 + GRACE - 10_000);
  observer.way.away = true;
  await clock.advance(600_000);
  observer.way.away = false;
  await clock.advance(GRACE - 10_000);
  expect((await records())['10.244.0.0/24']).toBe('k1 held');
  await clock.advance(30_000);
  expect((await records())['10.244.0.0/24']).toBe('k1 quarantined');
});

it('claims again what was deleted between its claim and its first look at the store', async () => {
  const subnets = new SubnetLeases({ store, node: 'k1', uid: 'u', clusterCidrs: CIDRS, clock });
  opened.push(() => subnets.close());
  await subnets.acquire();
  await store.delete(`${SUBNETS}10.244.0.0/24`);
  await settle();
  await subnets.start();
  await clock.advance(1);
  expect((await records())['10.244.0.0/24']).toBe('k1 held');
});

it('keeps the subnets of a node applied by hand, whose liveness says nothing, until it is removed', async () => {
  const { subnets } = await node('k1');
  await subnets.acquire();
  await subnets.claimFor('kernel', ['10.244.9.0/24', '10.244.10.0/24']);
  await clock.advance(GRACE + 2 * QUARANTINE);
  await subnets.claimFor('kernel', ['10.244.9.0/24']);
  expect(await records()).toMatchObject({
    '10.244.9.0/24': 'kernel held',
    '10.244.10.0/24': 'kernel quarantined',
  });
  const taken = subnets.claimFor('flannel', ['10.244.9.0/24']);
  await expect(taken).rejects.toMatchObject({ code: 'SUBNET_TAKEN' });
  await subnets.releaseFor('kernel');
  expect((await records())['10.244.9.0/24']).toBe('kernel quarantined');
  await clock.advance(QUARANTINE * 1.1 + 10_000);
  expect((await records())['10.244.9.0/24']).toBeUndefined();
  expect((await records())['10.244.0.0/24']).toBe('k1 held');
});

it('shows who has which block, and tells of changes', async () => {
  const [first, other] = [await node('k1'), await node('k2')];
  const told: string[] = [];
  other.subnets.onOwners((block, owner) => told.push(`${block} ${owner?.node} ${owner?.state}`));
  const [{ fence }] = await first.subnets.acquire(['10.244.3.0/24']);
  await settle();
  expect(other.subnets.subnetOwners().get('10.244.3.0/24')).toMatchObject({
    node: 'k1',
    fence,
    state: 'held',
  });
  await first.subnets.release();
  await settle();
  expect(told).toEqual(['10.244.3.0/24 k1 held', '10.244.3.0/24 k1 quarantined']);
  expect(ownerOfRecord(`${SUBNETS}10.244.3.0/24`, undefined)).toEqual({ cidr: '10.244.3.0/24' });
});

it('is harmed by no record that cannot be read', async () => {
  await store.put(`${SUBNETS}10.244.0.0/24`, 'garbage');
  await store.put(`${SUBNETS}10.244.1.0/24`, { cidr: 7 });
  const { subnets } = await node('k1');
  expect(cidrsOf(await subnets.acquire())).toEqual(['10.244.2.0/24', 'fd00:10:244::/64']);
  const wanted = subnets.acquire(['10.244.0.0/24']);
  await expect(wanted).rejects.toMatchObject({ code: 'SUBNET_TAKEN' });
  await clock.advance(2 * QUARANTINE);
  expect([...subnets.subnetOwners().keys()]).toEqual(['10.244.2.0/24', 'fd00:10:244::/64']);
});
