import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyedLock } from '../../../../src/control/keyed-lock.js';
import { parseAdminPolicy, parseBaselinePolicy } from '../../../../src/control/model/admin-policy.js';
import { parseNetworkPolicy } from '../../../../src/control/model/network-policy.js';
import type { NetworkPolicy } from '../../../../src/control/policies/types.js';
import { Resources, type ResourcesParts } from '../../../../src/control/services/resources.js';
import { watchedResource } from '../../../../src/control/services/resources-copy.js';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import { UnsteadyStore } from '../../../support/unsteady-store.js';

let directory: string;
let store: EmbeddedStore;
const open: { close(): Promise<void> }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'podwire-policies-'));
  store = openStore('cluster');
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  rmSync(directory, { recursive: true, force: true });
});

function openStore(name: string): EmbeddedStore {
  const made = EmbeddedStore.open(join(directory, `${name}.mdb`));
  open.push(made);
  return made;
}

async function node(more: Partial<ResourcesParts> = {}): Promise<Resources> {
  const resources = new Resources({
    store,
    local: undefined,
    node: 'a',
    serviceCidrs: ['10.96.0.0/24'],
    lock: new KeyedLock(),
    log: pino({ level: 'silent' }),
    settled: async () => {},
    computedSlices: () => [],
    pods: { list: () => [], delete: async () => {} },
    ...more,
  });
  open.push(resources);
  await resources.start();
  return resources;
}

function policy(name: string, spec: object = {}): NetworkPolicy {
  const given = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name }, spec };
  return parseNetworkPolicy(given);
}

const ADMIN = { apiVersion: 'policy.networking.k8s.io/v1alpha1', metadata: { name: 'default' } };
const SPEC = { subject: { namespaces: {} } };
const admin = () =>
  parseAdminPolicy({ ...ADMIN, kind: 'AdminNetworkPolicy', spec: { ...SPEC, priority: 5 } });
const baseline = () => parseBaselinePolicy({ ...ADMIN, kind: 'BaselineAdminNetworkPolicy', spec: SPEC });

/** What a listener hears, as text. */
function listenTo(resources: Resources): string[] {
  const told: string[] = [];
  resources.listen({
    setPolicy: ({ kind, metadata: { namespace, name } }) => told.push(`${kind} ${namespace ?? ''}/${name}`),
    removePolicy: (kind, key) => told.push(`no ${kind} ${key}`),
  });
  return told;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('policies of a cluster', () => {
  it('are known at every node, and told to listeners, also to those that come late', async () => {
    const [a, b] = [await node(), await node()];
    const told = listenTo(b);
    expect(await a.networkPolicies.put('shop/db', policy('db'))).toBe('created');
    expect(await a.adminPolicies.put('default', admin())).toBe('created');
    expect(await a.baselinePolicies.put('default', baseline())).toBe('created');
    await until(() => told.length === 3);
    const all = [
      'NetworkPolicy shop/db',
      'AdminNetworkPolicy /default',
      'BaselineAdminNetworkPolicy /default',
    ];
    expect(told).toEqual(all);
    expect(listenTo(b)).toEqual(all);
    expect(b.networkPolicies.view('shop/db')).toEqual(a.networkPolicies.view('shop/db'));
    expect(b.networkPolicies.list('shop')).toHaveLength(1);
    expect(b.networkPolicies.list('other')).toEqual([]);
    await b.networkPolicies.delete('shop/db');
    await b.adminPolicies.delete('default');
    await b.baselinePolicies.delete('default');
    const gone = [
      'no NetworkPolicy shop/db',
      'no AdminNetworkPolicy default',
      'no BaselineAdminNetworkPolicy default',
    ];
    expect(told.slice(3)).toEqual(gone);
  });

  it('are in force when the call returns, unchanged where nothing is other, and guarded by their version', async () => {
    let settled = 0;
    const a = await node({ settled: async () => void settled++ });
    const told = listenTo(a);
    await a.networkPolicies.put('shop/db', policy('db'));
    expect({ told: told.length, settled }).toEqual({ told: 1, settled: 1 });
    expect(await a.networkPolicies.put('shop/db', policy('db'))).toBe('unchanged');
    const { metadata } = a.networkPolicies.view('shop/db');
    const changed = policy('db', { egress: [{}] });
    expect(await a.networkPolicies.put('shop/db', { ...changed, metadata })).toBe('configured');
    await expect(a.networkPolicies.put('shop/db', { ...changed, metadata })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(a.networkPolicies.view('shop/db').metadata.uid).toBe(metadata.uid);
    await a.networkPolicies.delete('shop/db');
    await expect(a.networkPolicies.delete('shop/db')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: "there is no networkpolicy shop/db; 'podwire get networkpolicies' lists them",
    });
  });

  it('stay known while the store is away, and are written again where it has lost them', async () => {
    const shaky = new UnsteadyStore(store);
    const a = await node({ store: shaky });
    await a.networkPolicies.put('shop/db', policy('db'));
    await a.baselinePolicies.put('default', baseline());
    const told = listenTo(a).splice(2);
    shaky.away = true;
    await expect(a.networkPolicies.put('shop/web', policy('web'))).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    expect(a.networkPolicies.list()).toHaveLength(1);
    shaky.away = false;
    const other = openStore('other');
    shaky.replace(other);
    const stored = async (prefix: string) => (await other.list(prefix)).entries.map(({ key }) => key);
    await until(async () => (await stored('cluster/')).length === 2);
    expect(await stored('cluster/networkpolicies/')).toEqual(['cluster/networkpolicies/shop/db']);
    expect(told).toEqual([]);
  });

  it('are read from this node’s own copy where the store is away at the start', async () => {
    const local = openStore('local');
    const first = await node({ local });
    await first.networkPolicies.put('shop/db', policy('db', { ingress: [{}] }));
    await first.adminPolicies.put('default', admin());
    await first.baselinePolicies.put('default', baseline());
    const copied = async () =>
      (await local.list('local/cluster/')).entries.filter(({ key }) => key.includes('policies/'));
    await until(async () => (await copied()).length === 3);
    await first.close();
    const shaky = new UnsteadyStore(store);
    shaky.away = true;
    const again = await node({ local, store: shaky });
    expect(listenTo(again)).toEqual([
      'NetworkPolicy shop/db',
      'AdminNetworkPolicy /default',
      'BaselineAdminNetworkPolicy /default',
    ]);
    expect(again.networkPolicies.view('shop/db').spec.ingress).toEqual([{}]);
    const watched = (await copied()).map(({ key, value, revision }) =>
      watchedResource(false)(key, value, revision),
    );
    expect(watched.map((one) => one?.kind).sort()).toEqual([
      'AdminNetworkPolicy',
      'BaselineAdminNetworkPolicy',
      'NetworkPolicy',
    ]);
  }, 20_000);

  it('of which one cannot be read harm no other', async () => {
    await store.put('cluster/networkpolicies/shop/db', { kind: 'NetworkPolicy', spec: 7 });
    const a = await node();
    await a.networkPolicies.put('shop/web', policy('web'));
    expect(a.networkPolicies.list().map(({ metadata }) => metadata.name)).toEqual(['web']);
    expect(await a.networkPolicies.put('shop/db', policy('db'))).toBe('created');
  });

  it('stay in force where a later version has written what this one cannot read', async () => {
    const a = await node();
    await a.networkPolicies.put('shop/db', policy('db'));
    const told = listenTo(a).splice(1);
    const later = { ...policy('db'), spec: { podSelector: {}, fromLater: [] } };
    const revision = await store.put('cluster/networkpolicies/shop/db', later as never);
    await until(() => a.networkPolicies.view('shop/db').metadata.resourceVersion === String(revision));
    expect(a.networkPolicies.view('shop/db').spec).toEqual(policy('db').spec);
    expect(told).toEqual([]);
    expect(await a.networkPolicies.put('shop/db', policy('db'))).toBe('configured');
    await store.delete('cluster/networkpolicies/shop/db');
    await until(() => a.networkPolicies.list().length === 0);
  });

  it('go with their namespace, after its pods, so that none of these is open before it goes', async () => {
    const order: string[] = [];
    const held = ['shop/a'];
    const a = await node({
      pods: {
        list: (namespace) => (namespace === 'other' ? [] : held),
        delete: async (key) => void order.push(`pod ${key} ${held.splice(0).length}`),
      },
    });
    a.listen({ removePolicy: (_, key) => order.push(`policy ${key}`) });
    for (const key of ['shop/db', 'shop/web', 'other/db']) {
      await a.networkPolicies.put(key, policy(key.split('/')[1]));
    }
    await a.adminPolicies.put('default', admin());
    expect(a.namespaces.list().map(({ metadata }) => metadata.name)).toEqual(['default', 'other', 'shop']);
    expect((await a.namespaces.delete('shop')).status?.deleted).toEqual([
      'pod/shop/a',
      'networkpolicy/shop/db',
      'networkpolicy/shop/web',
    ]);
    expect(order).toEqual(['pod shop/a 1', 'policy shop/db', 'policy shop/web']);
    expect(a.networkPolicies.list()).toHaveLength(1);
    expect(a.adminPolicies.list()).toHaveLength(1);
  });
});
