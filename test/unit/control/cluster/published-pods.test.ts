/** Pods of all nodes over a real store, which goes away, loses its data, and lets leases lapse. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLUSTER_PODS } from '../../../../src/control/cluster/pod-records.js';
import { PublishedPods } from '../../../../src/control/cluster/published-pods.js';
import { podKeyOf, type ServicePod } from '../../../../src/control/services/types.js';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import type { Lease, Store } from '../../../../src/control/store/store.js';
import { UnsteadyStore } from '../../../support/unsteady-store.js';
import { VirtualClock } from '../../../support/virtual-clock.js';
import { pod } from '../services/samples.js';

let directory: string;
let store: EmbeddedStore;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'podwire-pods-'));
  store = openStore('state.mdb');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(directory, { recursive: true, force: true });
});

function openStore(name: string): EmbeddedStore {
  const opened = EmbeddedStore.open(join(directory, name));
  cleanups.push(() => opened.close());
  return opened;
}

interface NodeOfTest {
  readonly pods: PublishedPods;
  /** What it was told of the pods of others, by key. */
  readonly told: Map<string, ServicePod>;
  readonly lease: { now: Lease | undefined };
  readonly clock: VirtualClock;
}

async function node(name: string, over: Store = store): Promise<NodeOfTest> {
  const told = new Map<string, ServicePod>();
  const lease = { now: (await over.grant(60_000)) as Lease | undefined };
  const clock = new VirtualClock();
  const pods = new PublishedPods({
    store: over,
    node: name,
    lease: () => lease.now,
    listener: {
      setPod: (one) => void told.set(podKeyOf(one), one),
      removePod: (key) => void told.delete(key),
    },
    log: pino({ enabled: false }),
    clock,
  });
  cleanups.push(() => pods.stop());
  await pods.start();
  return { pods, told, lease, clock };
}

const A = pod('a', '10.244.0.5', { node: 'n1' });
const written = async (over: Store = store) =>
  (await over.list(CLUSTER_PODS)).entries.map(({ key }) => key.slice(CLUSTER_PODS.length));

describe('pods of all nodes', () => {
  it('are told to the others as they are, and as they change', async () => {
    const [n1, n2] = [await node('n1'), await node('n2')];
    const full = pod('a', '10.244.0.5', {
      node: 'n1',
      ips: ['10.244.0.5', 'fd00::5'],
      hostname: 'pet-0',
      subdomain: 'pets',
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    });
    n1.pods.set(full);
    await expect.poll(() => n2.told.get('shop/a@n1')).toEqual(full);
    n1.pods.set({ ...full, ready: false });
    n1.pods.set({ ...full, labels: { app: 'db' } });
    await expect.poll(() => n2.told.get('shop/a@n1')?.labels).toEqual({ app: 'db' });
    expect(n1.told.size).toBe(0);
    n1.pods.remove(full);
    await expect.poll(() => n2.told.size).toBe(0);
  });

  it('may have one name on two nodes', async () => {
    const [n1, n2, n3] = [await node('n1'), await node('n2'), await node('n3')];
    n1.pods.set(A);
    n2.pods.set({ ...A, node: 'n2', ips: ['10.244.1.5'] });
    await expect.poll(() => [...n3.told.keys()].sort()).toEqual(['shop/a@n1', 'shop/a@n2']);
  });

  it('go with the lease of their node, and are written again on its next one', async () => {
    const [n1, n2] = [await node('n1'), await node('n2')];
    n1.pods.set(A);
    await expect.poll(() => n2.told.size).toBe(1);
    const old = n1.lease.now;
    n1.lease.now = undefined;
    await old?.revoke();
    await expect.poll(() => n2.told.size).toBe(0);
    n1.lease.now = await store.grant(60_000);
    n1.pods.leaseChanged();
    await expect.poll(() => n2.told.size).toBe(1);
    await old?.revoke();
    expect(await written()).toEqual(['n1/shop/a']);
  });

  it('of an earlier run go where this one has them no more, and move to its lease where it has', async () => {
    const before = await node('n1');
    before.pods.set(A);
    before.pods.set(pod('b', '10.244.0.6', { node: 'n1' }));
    await expect.poll(written).toEqual(['n1/shop/a', 'n1/shop/b']);
    await before.pods.stop();
    const now = await node('n1');
    now.pods.set(A);
    await expect.poll(written).toEqual(['n1/shop/a']);
    await before.lease.now?.revoke();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect.poll(written).toEqual(['n1/shop/a']);
  });

  it('stay known while the store is away, and what changed meanwhile is told after', async () => {
    const far = new UnsteadyStore(store);
    const [n1, n2] = [await node('n1', far), await node('n2')];
    n1.pods.set(A);
    await expect.poll(() => n2.told.size).toBe(1);
    far.away = true;
    n1.pods.set({ ...A, ready: false });
    n1.pods.set(pod('b', '10.244.0.6', { node: 'n1' }));
    await n1.clock.advance(5000);
    expect(n2.told.size).toBe(1);
    far.away = false;
    await n1.clock.advance(20_000);
    await expect.poll(() => [n2.told.get('shop/a@n1')?.ready, n2.told.size]).toEqual([false, 2]);
  });

  it('outlive the loss of the store’s data, until their node has had time to write them again', async () => {
    const [near, far] = [new UnsteadyStore(store), new UnsteadyStore(store)];
    const [n1, n2] = [await node('n1', near), await node('n2', far)];
    const dead = await node('n3');
    n1.pods.set(A);
    dead.pods.set(pod('c', '10.244.2.5', { node: 'n3' }));
    await expect.poll(() => n2.told.size).toBe(2);
    const other = openStore('other.mdb');
    far.replace(other);
    await n2.clock.advance(20_000);
    expect([...n2.told.keys()].sort()).toEqual(['shop/a@n1', 'shop/c@n3']);
    near.replace(other);
    n1.lease.now = await other.grant(60_000);
    await n1.clock.advance(20_000);
    n1.pods.leaseChanged();
    await expect.poll(() => written(other)).toEqual(['n1/shop/a']);
    await n2.clock.advance(60_000);
    await expect.poll(() => [...n2.told.keys()]).toEqual(['shop/a@n1']);
  });

  it('are left out where a record cannot be read or lies under another’s key, and harm no other', async () => {
    const n2 = await node('n2');
    const good = {
      namespace: 'shop',
      name: 'a',
      labels: {},
      ips: ['10.244.0.5'],
      ready: true,
      terminating: false,
    };
    await store.put(`${CLUSTER_PODS}n1/shop/a`, { ...good, ports: [] });
    await store.put(`${CLUSTER_PODS}n1/shop/b`, { ...good, ports: [] });
    await store.put(`${CLUSTER_PODS}n1/shop/c`, { ...good, name: 'c', ips: ['10.244.0.05'], ports: [] });
    await store.put(`${CLUSTER_PODS}n1/shop/d`, 'noise');
    await store.put(`${CLUSTER_PODS}n1/shop/e`, { ...good, name: 'e', labels: { '': 'x' }, ports: [] });
    await store.put(`${CLUSTER_PODS}n1/shop/f`, { ...good, name: 'f', ports: [] });
    await expect.poll(() => [...n2.told.keys()]).toEqual(['shop/a@n1', 'shop/f@n1']);
    await store.put(`${CLUSTER_PODS}n1/shop/a`, { ...good, ports: 'none' });
    await expect.poll(() => [...n2.told.keys()]).toEqual(['shop/f@n1']);
  });
});
