/** Services, slices and namespaces of a cluster of daemons (cluster-support.ts has the picture), with the built `podwire`. */
import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Namespace, Service, WatchEvent } from '../../src/control/api/types.js';
import { claimKeys } from '../../src/control/services/service-claims.js';
import { type ClusterNode, TestCluster } from './cluster-support.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';
import { openWebSocket } from './websocket-support.js';

const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));
const missing = missingForDaemon();

const MANIFEST = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: one}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{port: 5432}]
endpoints: [{addresses: [10.244.0.9]}, {addresses: [10.244.0.10]}]
`;

function service(name: string, spec: Record<string, unknown> = {}): Record<string, unknown> {
  const metadata = { name };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }], ...spec } };
}

function put({ bench }: ClusterNode, name: string, spec: Record<string, unknown> = {}) {
  return bench.call<Service>('PUT', `/v1/services/default/${name}`, service(name, spec));
}

async function services({ bench }: ClusterNode): Promise<Service[]> {
  return (await bench.call<{ items: Service[] }>('GET', '/v1/services')).body.items;
}

/** Of the node's own store, from which a watch goes on. */
async function revisionOf({ bench }: ClusterNode): Promise<number> {
  return (await bench.call<{ revision: number }>('GET', '/v1/services')).body.revision;
}

/** Keys of all claims in the store, as the node that keeps it has them. */
async function claims({ bench }: ClusterNode): Promise<string[]> {
  const path = '/v1/store/entries?prefix=cluster%2F';
  const { body } = await bench.call<{ entries: { key: string }[] }>('GET', path);
  return body.entries
    .map(({ key }) => key)
    .filter((key) => /^cluster\/(serviceips|nodeports|serviceports)\//.test(key))
    .sort();
}

async function wanted(node: ClusterNode): Promise<string[]> {
  return (await services(node)).flatMap((one) => [...claimKeys(one).keys()]).sort();
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.join() === b.join();
}

/** What the command line prints at a node. */
function podwire({ bench }: ClusterNode, ...words: string[]): Promise<{ out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...words, '--socket', bench.socket], (_error, out, err) => {
      resolve({ out: out.replace(/ +/g, ' '), err });
    });
  });
}

describe.skipIf(missing)(`services of a cluster${missing ? ` (needs ${missing})` : ''}`, () => {
  let cluster: TestCluster;
  let k1: ClusterNode;
  let k2: ClusterNode;
  beforeEach(async () => {
    cluster = new TestCluster();
    [k1, k2] = [cluster.host('k1', 1), cluster.host('k2', 2)];
    await k1.start(cluster.server(k1));
    await k2.start(cluster.joining(k1));
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log);
    await cluster.cleanup();
  });

  it('are applied at one node and there at the other, until their namespace is deleted', async () => {
    const file = join(cluster.directory, 'shop.yaml');
    writeFileSync(file, MANIFEST);
    const before = await Promise.all([k1, k2].map(revisionOf));
    const applied = await podwire(k2, 'apply', '-f', file);
    expect(applied).toEqual({
      err: '',
      out: [
        'namespace/shop created',
        'service/shop/web created',
        'service/shop/db created',
        'endpointslice/shop/db-1 created',
        '',
      ].join('\n'),
    });
    expect((await podwire(k2, 'apply', '-f', file)).out.match(/unchanged/g)).toHaveLength(4);
    const at = (node: ClusterNode) => node.bench.call<Service>('GET', '/v1/services/shop/web');
    expect(await until(async () => (await at(k1)).status === 200)).toBe(true);
    const web = (await at(k1)).body;
    expect(web).toEqual((await at(k2)).body);
    const { clusterIP, ports } = web.spec;
    const [line] = (await podwire(k1, 'get', 'svc', 'web', '-n', 'shop')).out.split('\n').slice(1);
    expect(line).toMatch(
      new RegExp(`^shop web NodePort ${clusterIP} <none> 80:${ports?.[0]?.nodePort}/TCP \\d+s$`),
    );
    expect(
      await until(async () => /10\.244\.0\.9/.test((await podwire(k1, 'get', 'endpointslices', '-A')).out)),
    ).toBe(true);
    expect((await podwire(k1, 'get', 'endpointslices', '-A')).out).toMatch(
      /shop db-1 IPv4 5432 10\.244\.0\.9,10\.244\.0\.10 \d+s/,
    );
    expect((await podwire(k1, 'get', 'ns', '-o', 'wide')).out).toMatch(
      /shop Active \d+s (team=one,kubernetes.io|kubernetes.io\S+,team=one)/,
    );
    // Another's pod in it, which goes too.
    k1.bench.namespace('web');
    const attach = { netns: k1.bench.path('web'), labels: { app: 'web' } };
    expect(outcome(await k1.bench.call('POST', '/v1/pods/shop/web/attach', attach))).toBe('200');
    const deleted = await podwire(k2, 'delete', 'ns', 'shop');
    expect(deleted.out.split('\n')).toEqual([
      'service/shop/db deleted',
      'service/shop/web deleted',
      'endpointslice/shop/db-1 deleted',
      'namespace/shop deleted',
      '',
    ]);
    const left = async () =>
      (await k1.bench.call<{ items: Namespace[] }>('GET', '/v1/namespaces')).body.items;
    expect(await until(async () => (await left()).length === 1)).toBe(true);
    expect(k1.bench.link('web')).toBeUndefined();
    expect(await claims(k1)).toEqual([]);
    for (const [index, { bench }] of [k1, k2].entries()) {
      const { messages, end } = await openWebSocket(bench.socket, `/v1/watch?revision=${before[index]}`);
      const said = () =>
        (messages as WatchEvent[])
          .filter(({ object }) => object.metadata.name === 'web' && object.kind === 'Service')
          .map(({ type }) => type);
      expect(await until(() => said().length >= 2)).toBe(true);
      expect(said()).toEqual(['ADDED', 'DELETED']);
      end();
    }
  });

  it('never have the same, whichever node chooses, and are refused what another has', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `s${n}`);
    const type = { type: 'NodePort' };
    const both = names.flatMap((name) => [put(k1, `${name}-a`, type), put(k2, `${name}-b`, type)]);
    expect((await Promise.all(both)).map(outcome)).toEqual(Array(40).fill('201'));
    expect(await until(async () => (await services(k2)).length === 40)).toBe(true);
    const all = await wanted(k1);
    expect(new Set(all).size).toBe(80);
    expect(await claims(k1)).toEqual(all);
    const [{ spec }] = await services(k1);
    expect(outcome(await put(k2, 'late', { clusterIP: spec.clusterIP }))).toBe('409 ADDRESS_IN_USE');
    expect(outcome(await put(k2, 'late', { ...type, ports: spec.ports }))).toBe('409 PORT_IN_USE');
    expect(outcome(await put(k1, 'late', { clusterIP: '10.96.0.10' }))).toBe('409 ADDRESS_IN_USE');
    expect(outcome(await put(k1, 'late', { loadBalancerSourceRanges: ['10.0.0.0/8'] }))).toBe(
      '400 UNSUPPORTED',
    );
    expect(await claims(k1)).toEqual(all);
  });

  it('leave nothing of a node that is killed between claim and service', async () => {
    let isHit = false;
    for (let round = 0; round < 8 && !isHit; round++) {
      const burst = Array.from({ length: 60 }, (_, n) => put(k2, `r${round}-${n}`).catch(() => undefined));
      await until(async () => (await claims(k1)).length > 10 + round);
      await k2.kill();
      await Promise.all(burst);
      isHit = !same(await claims(k1), await wanted(k1));
      await k2.start(cluster.joining(k1));
      // Its own it knows at once; nobody else may touch them for a minute.
      expect(await until(async () => same(await claims(k1), await wanted(k1)))).toBe(true);
    }
    expect(isHit).toBe(true);
  });

  it('are known where a node starts while the store is away, and as they are when it is back', async () => {
    for (const name of ['web', 'db']) await put(k1, name);
    const copied = () => services(k2).then(({ length }) => length === 2);
    expect(await until(copied)).toBe(true);
    const before = await services(k1);
    // A moment for the copy, which follows behind.
    const path = join(k2.bench.data, 'state.mdb');
    const has = (name: string) =>
      spawnSync('grep', ['-aq', `local/cluster/services/default/${name}`, path]).status === 0;
    expect(await until(() => has('web') && has('db'))).toBe(true);
    await k1.kill();
    await k2.kill();
    await k2.start(cluster.joining(k1));
    expect(await services(k2)).toEqual(before);
    expect(outcome(await put(k2, 'late'))).toBe('503 STORE_UNREACHABLE');
    await k1.start(cluster.server(k1));
    expect(await services(k1)).toEqual(before);
    expect(outcome(await k1.bench.call('DELETE', '/v1/services/default/web'))).toBe('200');
    expect(await until(async () => (await services(k2)).length === 1)).toBe(true);
    expect(await until(async () => outcome(await put(k2, 'late')) === '201')).toBe(true);
  });
});
