/** The API of a built daemon: resources, what is refused, the watch, and that answers keep to their schemas. */

import { readdirSync, statSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  AttachAnswer,
  DropsAnswer,
  FdbAnswer,
  NeighborsAnswer,
  Pod,
  ResourceList,
  RoutesAnswer,
  WatchEvent,
} from '../../src/control/api/types.js';
import {
  DaemonBench,
  missingForDaemon,
  outcome,
  type RunningDaemon,
  residentBytes,
  sleep,
  until,
} from './daemon-support.js';
import { openWebSocket } from './websocket-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: the daemon's tests need ${missing}`);

const POD = { apiVersion: 'v1', kind: 'Pod' };
const SLOW = {
  apiVersion: 'podwire.dev/v1',
  kind: 'Impairment',
  metadata: { name: 'slow' },
  spec: { from: { pod: 'default/schema' }, to: { cidr: '10.9.0.0/16' }, delay: '5ms', rate: '10M' },
};
const NETWORK = { apiVersion: 'podwire.dev/v1', kind: 'Network' };

describe.skipIf(missing)('API', () => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start();
  });
  afterAll(() => bench.cleanup());

  it('is on a socket that only its owner may use', () => {
    expect(statSync(bench.socket).mode & 0o777).toBe(0o600);
    expect(statSync(bench.data).mode & 0o777).toBe(0o700);
  });

  it('keeps a pod that was applied, attached or not', async () => {
    const manifest = {
      ...POD,
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'nginx', ports: [{ containerPort: 80 }] }] },
    };
    const path = '/v1/pods/default/web';
    const created = await bench.call<Pod>('PUT', path, manifest);
    expect([created.status, created.headers['x-podwire-result']]).toEqual([201, 'created']);
    expect(created.body).toMatchObject({ ...manifest, status: { phase: 'Pending' } });
    const same = await bench.call<Pod>('PUT', path, created.body);
    expect([same.status, same.headers['x-podwire-result']]).toEqual([200, 'unchanged']);

    bench.namespace('web');
    expect(outcome(await bench.attach('web', { labels: { tier: 'front' } }))).toBe('200');
    const attached = await bench.call<Pod>('GET', path);
    expect(attached.body).toMatchObject({
      metadata: { labels: { app: 'web', tier: 'front' }, uid: created.body.metadata.uid },
      spec: manifest.spec,
      status: {
        phase: 'Running',
        podIP: '10.244.0.3',
        podIPs: [{ ip: '10.244.0.3' }, { ip: 'fd00:10:244::3' }],
      },
    });
    expect(outcome(await bench.call('PUT', path, { ...created.body, spec: {} }))).toBe('409 CONFLICT');
    expect(outcome(await bench.call('PUT', path, { ...manifest, metadata: { name: 'web' } }))).toBe('200');
    expect(outcome(await bench.detach('web'))).toBe('200');
    expect((await bench.call<Pod>('GET', path)).body.status).toEqual({ phase: 'Pending' });
    expect(outcome(await bench.call('DELETE', path))).toBe('200');
    expect(outcome(await bench.call('GET', path))).toBe('404 NOT_FOUND');
    expect(outcome(await bench.call('DELETE', path))).toBe('404 NOT_FOUND');
  });

  it('attaches a pod at once that names its namespace, and stores nothing where that fails', async () => {
    bench.namespace('now');
    const annotations = { 'podwire.dev/netns': bench.path('now'), 'podwire.dev/ips': '10.244.0.77' };
    const manifest = { ...POD, metadata: { name: 'now', namespace: 'shop', annotations } };
    const applied = await bench.call<Pod>('PUT', '/v1/pods/shop/now', manifest);
    expect(applied.body.status).toMatchObject({ phase: 'Running', podIP: '10.244.0.77' });
    expect(await bench.ping('now', '10.244.0.1')).toBe(true);
    const other = { ...manifest, metadata: { name: 'late', namespace: 'shop', annotations } };
    expect(outcome(await bench.call('PUT', '/v1/pods/shop/late', other))).toBe('409 ADDRESS_IN_USE');
    expect(outcome(await bench.call('GET', '/v1/pods/shop/late'))).toBe('404 NOT_FOUND');
    expect((await bench.call<ResourceList<Pod>>('GET', '/v1/pods?namespace=shop')).body.items).toHaveLength(
      1,
    );
    expect((await bench.call<ResourceList<Pod>>('GET', '/v1/pods?namespace=sho')).body.items).toEqual([]);
    expect(outcome(await bench.call('DELETE', '/v1/pods/shop/now'))).toBe('200');
    expect(bench.link('now')).toBeUndefined();
  });

  it('refuses requests that are wrong, and says what about them', async () => {
    const network = {
      ...NETWORK,
      metadata: { name: 'n' },
      spec: { mode: 'bridge', cidrs: ['10.80.0.0/24'] },
    };
    const at = (cidrs: string[]) => ({ ...network, spec: { mode: 'bridge', cidrs } });
    const cases: [method: string, path: string, body: unknown, expected: string][] = [
      ['GET', '/v1/pods?colour=blue', undefined, '400 INVALID'],
      ['GET', '/v1/nope', undefined, '404 NOT_FOUND'],
      ['GET', '/v1/networkpolicies/default', undefined, '404 NOT_FOUND'],
      ['PATCH', '/v1/pods/default/x', undefined, '405 METHOD_NOT_ALLOWED'],
      ['GET', '/v1/watch', undefined, '400 INVALID'],
      ['PUT', '/v1/pods/default/x', '{"apiVersion":', '400 BODY_INVALID'],
      ['PUT', '/v1/pods/default/x', 'x'.repeat(1024 * 1024 + 1), '413 BODY_TOO_LARGE'],
      ['PUT', '/v1/pods/default/x', { ...POD, metadata: { name: 'y' } }, '400 INVALID'],
      ['PUT', '/v1/pods/default/x', { ...POD, metadata: { name: 'x', namespace: 'z' } }, '400 INVALID'],
      [
        'PUT',
        '/v1/pods/default/x',
        { ...POD, metadata: { name: 'x' }, spec: { containers: [{ ports: [{ hostPort: 80 }] }] } },
        '400 INVALID',
      ],
      ['POST', '/v1/pods/default/x/attach', {}, '400 INVALID'],
      ['POST', '/v1/pods/default/x/detach', undefined, '404 NOT_FOUND'],
      ['PUT', '/v1/networks/n', at(['10.244.9.0/24']), '409 CIDR_OVERLAP'],
      ['PUT', '/v1/networks/n', at(['10.96.9.0/24']), '409 CIDR_OVERLAP'],
      ['PUT', '/v1/networks/default', { ...network, metadata: { name: 'default' } }, '409 PROTECTED'],
      [
        'PUT',
        '/v1/networks/n',
        { ...network, metadata: { name: 'n', resourceVersion: '7' } },
        '409 CONFLICT',
      ],
      ['DELETE', '/v1/networks/n', undefined, '404 NOT_FOUND'],
    ];
    for (const [method, path, body, expected] of cases) {
      expect(outcome(await bench.call(method, path, body)), `${method} ${path}`).toBe(expected);
    }
    expect((await bench.call<ResourceList>('GET', '/v1/networks')).body.items).toHaveLength(1);
  });

  it('reports every change since a revision, in order, with none missing', async () => {
    const { body: list } = await bench.call<ResourceList<Pod>>('GET', '/v1/pods');
    const pod = { ...POD, metadata: { name: 'seen' } };
    await bench.call('PUT', '/v1/pods/default/seen', pod);
    const watch = await openWebSocket(bench.socket, `/v1/watch?revision=${list.revision}`);
    const live = await openWebSocket(bench.socket, '/v1/watch');
    await sleep(50);
    await bench.call('PUT', '/v1/pods/default/seen', {
      ...pod,
      metadata: { name: 'seen', labels: { a: 'b' } },
    });
    await bench.call('PUT', '/v1/networks/n', {
      ...NETWORK,
      metadata: { name: 'n' },
      spec: { mode: 'bridge', cidrs: ['10.82.0.0/24'] },
    });
    await bench.call('DELETE', '/v1/networks/n');
    await bench.call('DELETE', '/v1/pods/default/seen');
    await bench.call('PUT', '/v1/impairments/slow', SLOW);
    await bench.call('DELETE', '/v1/impairments/slow');
    expect(await until(() => watch.messages.length >= 7)).toBe(true);
    const seen = (watch.messages as WatchEvent[]).map(({ type, revision, object }) => [
      type,
      revision - list.revision,
      `${object.kind} ${object.metadata.name}`,
    ]);
    expect(seen).toEqual([
      ['ADDED', 1, 'Pod seen'],
      ['MODIFIED', 2, 'Pod seen'],
      ['ADDED', 3, 'Network n'],
      ['DELETED', 4, 'Network n'],
      ['DELETED', 5, 'Pod seen'],
      ['ADDED', 6, 'Impairment slow'],
      ['DELETED', 7, 'Impairment slow'],
    ]);
    expect(live.messages).toEqual(watch.messages.slice(1));
    watch.end();
    live.end();
    const future = await openWebSocket(bench.socket, '/v1/watch?revision=999999');
    expect(await until(() => future.closed !== undefined)).toBe(true);
    expect(future.closed).toContain('1013 INVALID: revision: 999999 is in the future');
    await expect(openWebSocket(bench.socket, '/v1/watch?revision=soon')).rejects.toThrow('status 400');
  });

  it('shows what is in force: routes, FDB, neighbours, drops', async () => {
    const { ips, mac } = await bench.pod('view');
    // Of the cluster, and no node's: it has no way out either.
    await bench.ping('view', '10.244.200.1');
    const { routes } = (await bench.call<RoutesAnswer>('GET', '/v1/routes')).body;
    expect(routes).toContainEqual({
      network: 'default',
      prefix: '10.244.0.2/32',
      kind: 'port',
      via: null,
      dev: 'podwire0',
    });
    const { fdb } = (await bench.call<FdbAnswer>('GET', '/v1/fdb')).body;
    expect(fdb).toContainEqual({
      network: 'default',
      vlan: 0,
      mac,
      port: 'default/view',
      kind: 'static',
      ageMs: null,
    });
    const { neighbors } = (await bench.call<NeighborsAnswer>('GET', '/v1/neighbors')).body;
    const own = neighbors.filter(({ port }) => port === 'default/view');
    expect(own.map(({ address }) => address)).toEqual(ips);
    const { drops, total } = (await bench.call<DropsAnswer>('GET', '/v1/drops')).body;
    const unreachable = drops.find(({ reason, port }) => reason === 'unreachable' && port === 'default/view');
    expect(unreachable?.count).toBeGreaterThanOrEqual(1);
    expect(total).toBeGreaterThanOrEqual(drops.reduce((sum, { count }) => sum + count, 0));
    await bench.detach('view');
  });

  it('answers as its own description says', async () => {
    const { body: document } = await bench.call<{ paths: object; components: object }>(
      'GET',
      '/openapi.json',
    );
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    ajv.addSchema({ $id: 'api', ...document });
    const answers: [name: string, path: string][] = [
      ['Status', '/v1/status'],
      ['NetworkList', '/v1/networks'],
      ['PodList', '/v1/pods'],
      ['ImpairmentList', '/v1/impairments'],
      ['Impairment', '/v1/impairments/slow'],
      ['Routes', '/v1/routes'],
      ['Fdb', '/v1/fdb'],
      ['Neighbors', '/v1/neighbors'],
      ['Stats', '/v1/stats'],
      ['Drops', '/v1/drops'],
      ['Health', '/readyz'],
      ['Health', '/healthz'],
      ['Error', '/v1/nope'],
      ['Pod', '/v1/pods/default/schema'],
      ['Network', '/v1/networks/default'],
    ];
    bench.namespace('schema');
    const limits = { egress: { rate: '1G' } };
    const attached = await bench.attach('schema', { limits });
    await bench.call('PUT', '/v1/impairments/slow', SLOW);
    const check = (name: string, value: unknown): void => {
      const validate = ajv.getSchema(`api#/components/schemas/${name}`);
      expect(validate?.(value), `${name}: ${JSON.stringify(validate?.errors)}`).toBe(true);
    };
    check('AttachAnswer', attached.body);
    for (const [name, path] of answers) check(name, (await bench.call('GET', path)).body);
    check('LimitAnswer', (await bench.call('PUT', '/v1/pods/default/schema/limits', limits)).body);
    check('DetachAnswer', (await bench.detach('schema')).body);
  });

  it('attaches and detaches a hundred times without growing descriptors', async () => {
    bench.namespace('churn');
    const descriptors = () => readdirSync(`/proc/${daemon.pid}/fd`).length;
    const cycle = async (times: number): Promise<void> => {
      for (let index = 0; index < times; index++) {
        expect(outcome(await bench.attach('churn'))).toBe('200');
        expect(outcome(await bench.detach('churn'))).toBe('200');
      }
    };
    await cycle(10);
    const before = descriptors();
    await cycle(90);
    // One more or less: a connection of the API may not have been closed yet.
    expect(descriptors()).toBeLessThanOrEqual(before + 1);
    expect(residentBytes(daemon.pid)).toBeLessThan(300e6);
    expect((await bench.attach('churn')).body).toMatchObject({
      ips: ['10.244.0.3', 'fd00:10:244::3'],
    } satisfies Partial<AttachAnswer>);
  });
});
