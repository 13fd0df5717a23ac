import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyedLock } from '../../../../src/control/keyed-lock.js';
import { parseEndpointSlice } from '../../../../src/control/model/endpoint-slice.js';
import { parseNamespace } from '../../../../src/control/model/namespace.js';
import { parseService } from '../../../../src/control/model/service.js';
import { Resources, type ResourcesParts } from '../../../../src/control/services/resources.js';
import { claimKeys } from '../../../../src/control/services/service-claims.js';
import type { EndpointSlice, Service } from '../../../../src/control/services/types.js';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import { UnsteadyStore } from '../../../support/unsteady-store.js';
import { VirtualClock } from '../../../support/virtual-clock.js';

const CIDRS = ['10.96.0.0/24', 'fd00:10:96::/112'];

let directory: string;
let store: EmbeddedStore;
const open: { close(): Promise<void> }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'podwire-resources-'));
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

async function node(uid: string, more: Partial<ResourcesParts> = {}): Promise<Resources> {
  const resources = new Resources({
    store,
    local: undefined,
    node: uid,
    serviceCidrs: CIDRS,
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

function service(
  name: string,
  spec: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): Service {
  return parseService({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, ...metadata },
    spec: { ports: [{ port: 80 }], ...spec },
  });
}

function slice(name: string, labels: Record<string, string> = {}): EndpointSlice {
  return parseEndpointSlice({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'shop', labels },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.0.9'] }],
    ports: [{ port: 8080 }],
  });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Keys of all claims in the store. */
async function claims(from: EmbeddedStore = store): Promise<string[]> {
  const prefixes = ['cluster/serviceips/', 'cluster/nodeports/', 'cluster/serviceports/'];
  const lists = await Promise.all(prefixes.map((prefix) => from.list(prefix)));
  return lists.flatMap(({ entries }) => entries.map(({ key }) => key)).sort();
}

/** What all services in the store say that they have. */
async function wanted(from: EmbeddedStore = store): Promise<string[]> {
  const { entries } = await from.list('cluster/services/');
  return entries.flatMap(({ value }) => [...claimKeys(parseService(value)).keys()]).sort();
}

describe('services of a cluster', () => {
  it('are known at every node, with what they were given, and told to listeners', async () => {
    const [a, b] = [await node('a'), await node('b')];
    const told: string[] = [];
    b.listen({
      setService: ({ metadata, spec }) =>
        told.push(`${metadata.namespace}/${metadata.name} ${spec.clusterIP}`),
      removeService: (key) => told.push(`no ${key}`),
    });
    expect(await a.services.put('shop/web', service('web'))).toBe('created');
    const { clusterIP } = a.services.view('shop/web').spec;
    expect(clusterIP).toBe('10.96.0.17');
    await until(() => told.length === 1);
    expect(told).toEqual(['shop/web 10.96.0.17']);
    expect(b.services.view('shop/web')).toEqual(a.services.view('shop/web'));
    const late: string[] = [];
    b.listen({ setService: ({ metadata }) => late.push(metadata.name) });
    expect(late).toEqual(['web']);
    await b.services.delete('shop/web');
    expect(told).toEqual(['shop/web 10.96.0.17', 'no shop/web']);
    await until(() => a.services.list().length === 0);
    expect(await claims()).toEqual([]);
  });

  it('never have the same where nodes choose at once', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((uid) => node(uid)));
    const spec = { type: 'NodePort', ipFamilyPolicy: 'PreferDualStack' };
    const puts = nodes.flatMap((one, at) =>
      Array.from({ length: 15 }, (_, n) =>
        one.services.put(`default/s${at}-${n}`, service(`s${at}-${n}`, spec)),
      ),
    );
    await Promise.all(puts);
    const found = await wanted();
    expect(found).toHaveLength(45 * 3);
    expect(new Set(found).size).toBe(found.length);
    expect(await claims()).toEqual(found);
  });

  it('that ask for the same at once: one gets it, and nothing stays of the others', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((uid) => node(uid)));
    const fixed = { clusterIP: '10.96.0.5' };
    const results = await Promise.allSettled(
      nodes.map((one, at) => one.services.put(`default/s${at}`, service(`s${at}`, fixed))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'ADDRESS_IN_USE', field: 'spec.clusterIPs[0]' });
    }
    expect(await claims()).toEqual(['cluster/serviceips/10.96.0.5']);
  });

  it.each([
    [{ clusterIP: '10.96.0.5' }, 'ADDRESS_IN_USE', 'spec.clusterIPs[0]'],
    [{ type: 'NodePort', ports: [{ port: 80, nodePort: 30_001 }] }, 'PORT_IN_USE', 'spec.ports[0].nodePort'],
    [{ externalIPs: ['192.0.2.1'] }, 'PORT_IN_USE', 'spec.externalIPs[0]'],
  ])(
    '%j belongs to one service, also where the other node has not heard of it',
    async (spec, code, field) => {
      const away = new UnsteadyStore(store);
      const [a, b] = [await node('a'), await node('b', { store: away })];
      const deaf: typeof away.watch = async () => ({ close: () => {} });
      const c = await node('c', { store: Object.assign(new UnsteadyStore(store), { watch: deaf }) });
      await a.services.put('default/first', service('first', spec));
      for (const other of [b, c]) {
        await expect(other.services.put('default/second', service('second', spec))).rejects.toMatchObject({
          code,
          field,
        });
      }
      expect(await claims()).toEqual(await wanted());
    },
  );

  it('of one name, made at two nodes at once, are one', async () => {
    const [a, b] = [await node('a'), await node('b')];
    for (let round = 0; round < 10; round++) {
      const name = `s${round}`;
      const puts = await Promise.all([a, b].map((one) => one.services.put(`default/${name}`, service(name))));
      expect(puts.sort()).not.toEqual(['created', 'created']);
      await until(
        () =>
          a.services.view(`default/${name}`).metadata.uid === b.services.view(`default/${name}`).metadata.uid,
      );
    }
    expect(await claims()).toEqual(await wanted());
    expect(await claims()).toHaveLength(10);
  });

  it('do not get what podwire itself has', async () => {
    const a = await node('a');
    const put = (clusterIP: string) => a.services.put('default/web', service('web', { clusterIP }));
    await expect(put('10.96.0.10')).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: 'spec.clusterIPs[0]: 10.96.0.10 belongs to podwire’s DNS server',
    });
    await expect(put('fd00:10:96::a')).rejects.toThrow('DNS server');
    await expect(put('10.96.0.254')).rejects.toThrow('podwire’s node ports');
    await expect(put('fd00:10:96::ffff')).rejects.toThrow('podwire’s node ports');
    expect(await claims()).toEqual([]);
  });

  it('give back what a change takes from them, and keep the rest', async () => {
    const a = await node('a');
    await a.services.put('default/web', service('web', { type: 'NodePort' }));
    const { metadata, spec } = a.services.view('default/web');
    expect(await claims()).toHaveLength(2);
    expect(await a.services.put('default/web', service('web', { type: 'NodePort' }))).toBe('unchanged');
    expect(await a.services.put('default/web', service('web'))).toBe('configured');
    expect(await claims()).toEqual([`cluster/serviceips/${spec.clusterIP}`]);
    const after = a.services.view('default/web');
    expect(after.metadata).toMatchObject({
      uid: metadata.uid,
      creationTimestamp: metadata.creationTimestamp,
    });
    const old = service('web', {}, { resourceVersion: metadata.resourceVersion });
    await expect(a.services.put('default/web', old)).rejects.toMatchObject({ code: 'CONFLICT' });
    const now = service('web', { type: 'NodePort' }, { resourceVersion: after.metadata.resourceVersion });
    expect(await a.services.put('default/web', now)).toBe('configured');
  });

  it('keep the address of their load balancer when a manifest does not say it', async () => {
    const a = await node('a');
    const given = service('web', { type: 'LoadBalancer' });
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } };
    await a.services.put('default/web', { ...given, status });
    await a.services.put('default/web', service('web', { type: 'LoadBalancer', selector: { app: 'web' } }));
    expect(a.services.view('default/web')).toMatchObject({ status, spec: { selector: { app: 'web' } } });
    expect(await claims()).toContain('cluster/serviceports/192.0.2.7/TCP/80');
  });

  it('cannot be read: one record that does not fit harms no other, and can be replaced', async () => {
    await store.put('cluster/services/default/web', { kind: 'Service' });
    const a = await node('a');
    expect(a.services.list()).toEqual([]);
    expect(await a.services.put('default/web', service('web'))).toBe('created');
  });
});

describe('claims that were left behind', () => {
  const claim = (uid: string, by: string) => ({ service: 'default/web', uid, node: by });

  it('by an earlier run of the same daemon are free at once', async () => {
    await store.put('cluster/serviceips/10.96.0.5', claim('dead', 'a'));
    const a = await node('a');
    await until(async () => (await claims()).length === 0);
    await store.put('cluster/serviceips/10.96.0.6', claim('dead', 'a'));
    await a.services.put('default/web', service('web', { clusterIP: '10.96.0.6' }));
    expect(a.services.view('default/web').spec.clusterIP).toBe('10.96.0.6');
  });

  it('by another node are held for a minute, not given out, and then free', async () => {
    await store.put('cluster/serviceips/10.96.0.17', claim('dead', 'gone'));
    const clock = new VirtualClock();
    const a = await node('a', { clock });
    await a.round();
    await a.services.put('default/web', service('web'));
    expect(a.services.view('default/web').spec.clusterIP).toBe('10.96.0.18');
    const asked = () => a.services.put('default/db', service('db', { clusterIP: '10.96.0.17' }));
    await expect(asked()).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: 'spec.clusterIPs[0]: 10.96.0.17 belongs to default/web, which is being written or deleted',
    });
    await clock.advance(91_000);
    await until(async () => !(await claims()).includes('cluster/serviceips/10.96.0.17'));
    await until(() =>
      asked().then(
        () => true,
        () => false,
      ),
    );
    expect(await claims()).toEqual(await wanted());
  });

  it('stay while their service is there, and come back where they were lost', async () => {
    const clock = new VirtualClock();
    const a = await node('a');
    await a.services.put('default/web', service('web', { type: 'NodePort' }));
    const b = await node('b', { clock });
    await clock.advance(200_000);
    await b.round();
    const all = await claims();
    expect(all).toHaveLength(2);
    for (const key of all) await store.delete(key);
    await until(async () => {
      await b.round();
      return (await claims()).length === 2;
    });
    expect(await claims()).toEqual(all);
  });
});

describe('a store that goes away', () => {
  it('takes nothing with it; nothing can be written meanwhile', async () => {
    const shaky = new UnsteadyStore(store);
    const a = await node('a', { store: shaky });
    await a.services.put('default/web', service('web'));
    shaky.away = true;
    expect(a.services.list()).toHaveLength(1);
    await expect(a.services.put('default/db', service('db'))).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    shaky.away = false;
    expect(await a.services.put('default/db', service('db'))).toBe('created');
    expect(await claims()).toEqual(await wanted());
  });

  it('loses its data: services and claims are written again, and stay in force', async () => {
    const shaky = new UnsteadyStore(store);
    const a = await node('a', { store: shaky });
    const told: string[] = [];
    await a.services.put('shop/web', service('web', { type: 'NodePort' }));
    await a.slices.put('shop/web-1', slice('web-1'));
    a.listen({ removeService: (key) => told.push(key), removeSlice: (key) => told.push(key) });
    const before = await wanted();
    const other = openStore('other');
    shaky.replace(other);
    await until(async () => (await wanted(other)).length === 2);
    await until(async () => {
      await a.round();
      return (await claims(other)).length === 2;
    });
    expect(await wanted(other)).toEqual(before);
    expect(await claims(other)).toEqual(before);
    expect((await other.list('cluster/endpointslices/')).entries).toHaveLength(1);
    expect(told).toEqual([]);
    await a.services.delete('shop/web');
    expect(told).toEqual(['shop/web']);
  });

  it('is away at the first start: it is not known what there is, until the store tells', async () => {
    const shaky = new UnsteadyStore(store);
    shaky.away = true;
    let known = 0;
    const resources = await node('b', { local: openStore('local'), store: shaky, known: () => void known++ });
    expect([resources.isKnown, known]).toEqual([false, 0]);
    shaky.away = false;
    await until(() => resources.isKnown && known === 1);
  }, 20_000);

  it('is away at the start: what was last known counts, and what was deleted meanwhile goes', async () => {
    const local = openStore('local');
    const first = await node('b', { local });
    for (const name of ['web', 'db']) await first.services.put(`default/${name}`, service(name));
    await until(async () => (await local.list('local/cluster/services/')).entries.length === 2);
    await until(async () => (await local.get('local/cluster/whole')) !== undefined);
    await first.close();
    const shaky = new UnsteadyStore(store);
    shaky.away = true;
    const again = await node('b', { local, store: shaky });
    expect(again.isKnown).toBe(true);
    expect(again.services.list().map(({ metadata }) => metadata.name)).toEqual(['db', 'web']);
    const a = await node('a');
    await a.services.delete('default/db');
    shaky.away = false;
    await until(() => again.services.list().length === 1);
    await until(async () => (await local.list('local/cluster/services/')).entries.length === 1);
  }, 20_000);
});

describe('endpoint slices', () => {
  it('are those applied and those computed, which nobody can write', async () => {
    const computed = slice('web-0', { 'endpointslice.kubernetes.io/managed-by': 'podwire.dev' });
    const a = await node('a', { computedSlices: () => [computed] });
    await a.slices.put('shop/extra', slice('extra'));
    expect(a.slices.list('shop').map(({ metadata }) => metadata.name)).toEqual(['extra', 'web-0']);
    expect(a.slices.list('default')).toEqual([]);
    expect(a.slices.view('shop/web-0')).toEqual(computed);
    await expect(a.slices.delete('shop/web-0')).rejects.toMatchObject({ code: 'PROTECTED' });
    await expect(a.slices.put('shop/web-0', computed)).rejects.toThrow('computed by podwire');
    await a.slices.delete('shop/extra');
    await expect(a.slices.delete('shop/extra')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('namespaces', () => {
  const names = (of: Resources) => of.namespaces.list().map(({ metadata }) => metadata.name);

  it('are there where something is in them, and have labels where they were applied', async () => {
    const a = await node('a', { pods: { list: () => ['kube-system/dns'], delete: async () => {} } });
    await a.services.put('shop/web', service('web'));
    expect(names(a)).toEqual(['default', 'kube-system', 'shop']);
    expect(a.namespaces.view('shop')).toMatchObject({
      metadata: { name: 'shop', labels: { 'kubernetes.io/metadata.name': 'shop' } },
      status: { phase: 'Active' },
    });
    const labels = { team: 'one' };
    const given = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } };
    expect(await a.namespaces.put('shop', parseNamespace(given))).toBe('created');
    expect(a.namespaces.view('shop').metadata.labels).toMatchObject(labels);
    expect(() => a.namespaces.view('other')).toThrow('no namespace other');
  });

  it('take with them what is in them, on every node, and say so', async () => {
    const pods = (held: string[]): ResourcesParts['pods'] => ({
      list: (namespace) => held.filter((key) => namespace === undefined || key.startsWith(`${namespace}/`)),
      delete: async (key) => void held.splice(held.indexOf(key), 1),
    });
    const [here, there] = [['shop/a', 'default/x'], ['shop/b']];
    const [a, b] = [await node('a', { pods: pods(here) }), await node('b', { pods: pods(there) })];
    await b.services.put('shop/web', service('web'));
    await b.services.put('default/web', service('web'));
    await b.slices.put('shop/web-1', slice('web-1'));
    await until(() => a.slices.list('shop').length === 1);
    expect((await a.namespaces.delete('shop')).status).toEqual({
      phase: 'Terminating',
      deleted: ['service/shop/web', 'endpointslice/shop/web-1', 'pod/shop/a'],
    });
    await until(() => there.length === 0);
    expect(here).toEqual(['default/x']);
    expect(names(a)).toEqual(['default']);
    expect(a.services.list()).toHaveLength(1);
    await expect(a.namespaces.delete('shop')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(a.namespaces.delete('default')).rejects.toMatchObject({ code: 'PROTECTED' });
  });
});
