/**
 * Policies on real interfaces of two nodes (cluster-support.ts has the picture): in force from the first packet, with changes of
 * labels when they are answered, over restarts, and without the store.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedStore } from '../../src/control/store/embedded.js';
import { type ClusterNode, TestCluster } from './cluster-support.js';
import { type DaemonBench, missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon();

const POLICY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'db', namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
  },
};

async function put(bench: DaemonBench, path: string, body: object): Promise<void> {
  expect(outcome(await bench.call('PUT', path, body))).toMatch(/^20/);
}

function label(bench: DaemonBench, name: string, labels: object): Promise<void> {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels } };
  return put(bench, `/v1/pods/default/${name}`, pod);
}

/** Whether one echo request is answered, within a moment. */
async function answered({ bench }: ClusterNode, from: string, to: string): Promise<boolean> {
  const words = ['netns', 'exec', bench.name(from), 'ping', '-c1', '-W0.5', to];
  const [status] = (await once(spawn('ip', words, { stdio: 'ignore' }), 'close')) as [number];
  return status === 0;
}

/** A ping that goes on; `end` says how many of its requests were answered. */
class Pinging {
  private output = '';
  private readonly child: ChildProcess;

  constructor({ bench }: ClusterNode, from: string, to: string) {
    const words = ['netns', 'exec', bench.name(from), 'ping', '-n', '-i0.02', to];
    this.child = spawn('ip', words, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
  }

  get answers(): number {
    return this.output.split('bytes from').length - 1;
  }

  async end(): Promise<number> {
    const closed = once(this.child, 'close');
    this.child.kill('SIGINT');
    await closed;
    return this.answers;
  }
}

describe.skipIf(missing)(`policies over two nodes${missing ? ` (needs ${missing})` : ''}`, () => {
  let cluster: TestCluster;
  let k1: ClusterNode;
  let k2: ClusterNode;
  beforeEach(async () => {
    cluster = new TestCluster();
    k1 = cluster.host('k1', 1);
    k2 = cluster.host('k2', 2);
    await k1.start(cluster.server(k1));
    await k2.start(cluster.joining(k1));
    await put(k2.bench, '/v1/networkpolicies/default/db', POLICY);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log);
    await cluster.cleanup();
  });

  it('hold for pods of either node and of the same, as labels say when they are changed', async () => {
    const [db] = (await k2.bench.pod('db', { labels: { app: 'db' } })).ips;
    await k1.bench.pod('web', { labels: { app: 'web' } });
    await k1.bench.pod('far');
    await k2.bench.pod('near');
    expect(await until(() => answered(k1, 'web', db))).toBe(true);
    expect(await answered(k1, 'far', db)).toBe(false);
    expect(await answered(k1, 'host', db)).toBe(false);
    // A pod's own node may always.
    expect(await answered(k2, 'host', db)).toBe(true);
    for (const round of [1, 2]) {
      expect([round, await answered(k2, 'near', db)]).toEqual([round, false]);
      await label(k2.bench, 'near', { app: 'web' });
      expect([round, await answered(k2, 'near', db)]).toEqual([round, true]);
      await label(k2.bench, 'near', {});
    }
    await label(k1.bench, 'far', { app: 'web' });
    expect(await until(() => answered(k1, 'far', db))).toBe(true);
    const everybody = [{ from: [{ namespaceSelector: { matchLabels: { team: 'red' } } }] }];
    const spec = { ...POLICY.spec, ingress: everybody };
    await put(k2.bench, '/v1/networkpolicies/default/db', { ...POLICY, spec });
    expect(await answered(k2, 'near', db)).toBe(false);
    const labels = { team: 'red' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', labels } };
    await put(k2.bench, '/v1/namespaces/default', namespace);
    expect(await answered(k2, 'near', db)).toBe(true);
  });

  it('hold in overlays', async () => {
    const spec = { mode: 'overlay', cidrs: ['10.77.0.0/24'] };
    const network = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name: 'blue' }, spec };
    await put(k1.bench, '/v1/networks/blue', network);
    const body = { network: 'blue', labels: { app: 'db' } };
    k2.bench.namespace('db');
    // As soon as the node has heard of the network.
    expect(await until(async () => (await k2.bench.attach('db', body)).status === 200)).toBe(true);
    const [db] = (await k2.bench.attach('db', body)).body.ips;
    await k1.bench.pod('web', { network: 'blue', labels: { app: 'web' } });
    await k1.bench.pod('far', { network: 'blue' });
    await k2.bench.pod('near', { network: 'blue' });
    expect(await until(() => answered(k1, 'web', db))).toBe(true);
    expect(await answered(k1, 'far', db)).toBe(false);
    expect(await answered(k2, 'near', db)).toBe(false);
    await label(k1.bench, 'far', { app: 'web' });
    expect(await until(() => answered(k1, 'far', db))).toBe(true);
  });

  it('leave no window while a daemon starts again, with the store or a copy of it, and without both stay closed', async () => {
    const [db] = (await k2.bench.pod('db', { labels: { app: 'db' } })).ips;
    await k1.bench.pod('web', { labels: { app: 'web' } });
    await k1.bench.pod('far');
    await k2.bench.pod('near');
    await k2.bench.pod('friend', { labels: { app: 'web' } });
    expect(await until(() => answered(k1, 'web', db))).toBe(true);
    const refused = [new Pinging(k1, 'far', db), new Pinging(k2, 'near', db)];
    const allowed = new Pinging(k1, 'web', db);

    await k2.kill();
    await k2.start(cluster.joining(k1));
    const before = allowed.answers;
    expect(await until(() => allowed.answers > before)).toBe(true);

    await k1.kill();
    await k2.kill();
    await k2.start(cluster.joining(k1));
    expect(await until(() => answered(k2, 'friend', db))).toBe(true);
    expect(k2.bench.logged(CLOSED)).toEqual([]);

    await k2.kill();
    const store = EmbeddedStore.open(join(k2.bench.data, 'state.mdb'));
    await store.delete('local/cluster/whole');
    await store.close();
    const third = new Pinging(k2, 'friend', db);
    await k2.start(cluster.joining(k1));
    expect(k2.bench.logged(CLOSED)).toHaveLength(1);
    expect((await k2.bench.call<{ degraded: string }>('GET', '/readyz')).body.degraded).toContain('closed');
    expect(third.answers).toBe(0);

    await k1.start(cluster.server(k1));
    expect(await until(() => third.answers > 0)).toBe(true);
    await Promise.all([allowed.end(), third.end()]);
    expect(await Promise.all(refused.map((ping) => ping.end()))).toEqual([0, 0]);
  });
});

const CLOSED =
  'ports of pods stay closed until policies are known: the cluster store does not answer, and this node has no copy of what it holds';
