/**
 * Nodes that join a cluster, in namespaces on a bridge (cluster-support.ts has the picture). Daemons start once for several tests, each
 * of which leaves the cluster as the next one finds it: what comes last takes away most.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AttachAnswer, Node } from '../../src/control/api/types.js';
import { type ClusterNode, TestCluster } from './cluster-support.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon();

const K3: Node = {
  apiVersion: 'podwire.dev/v1',
  kind: 'Node',
  metadata: { name: 'k3' },
  spec: {
    podCIDRs: ['10.244.9.0/24'],
    underlay: { address: '192.168.77.9', port: 4789 },
    vtepMAC: '02:00:00:00:09:00',
  },
};

/** Of the subnets of a node, and of its underlay address, as `peerRoutes` has them. */
function routesTo({ name, address }: ClusterNode, ...subnets: string[]): string[] {
  return [...subnets, `${address}/32`].map((prefix) => `${prefix} node/${name}`).sort();
}

describe.skipIf(missing)(`a cluster of daemons${missing ? ` (needs ${missing})` : ''}`, () => {
  let cluster: TestCluster;
  let k1: ClusterNode;
  let k2: ClusterNode;
  let k4: ClusterNode;
  let web: AttachAnswer;
  let db: AttachAnswer;
  beforeAll(async () => {
    cluster = new TestCluster();
    k1 = cluster.host('k1', 1);
    k2 = cluster.host('k2', 2);
    await k1.start(cluster.server(k1));
    await k2.start(cluster.joining(k1));
    web = await k1.pod('web');
    db = await k2.pod('db');
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log);
  });
  afterAll(() => cluster?.cleanup());

  it('leases subnets, routes to peers, and carries what pods send', async () => {
    expect(await k1.sees('k2')).toBe(true);
    expect(await k2.sees('k1')).toBe(true);
    expect(await k2.peerRoutes()).toEqual(routesTo(k1, '10.244.0.0/24', 'fd00:10:244::/64'));
    expect(await k1.status()).toMatchObject({
      podCIDRs: ['10.244.0.0/24', 'fd00:10:244::/64'],
      peers: [{ name: 'k2', address: '192.168.77.2', state: 'up' }],
      store: { kind: 'embedded', connected: true },
    });
    expect((await k2.status()).store).toMatchObject({ kind: 'remote', connected: true });
    expect(web.mtu).toBe(1450);
    expect(db.ips).toEqual(['10.244.1.3', 'fd00:10:244:1::3']);
    for (const address of db.ips) expect(await k1.bench.ping('web', address)).toBe(true);
    for (const address of web.ips) expect(await k2.bench.ping('db', address)).toBe(true);
    expect(await k1.bench.ping('host', db.ips[0])).toBe(true);
    for (const address of ['10.244.1.2', k2.address]) expect(await k1.bench.ping('web', address)).toBe(true);
    expect(await k2.nodes()).toMatchObject([
      { metadata: { name: 'k1' }, status: { state: 'up', mtu: 1450, managed: 'daemon' } },
      { metadata: { name: 'k2' }, status: { state: 'self' } },
    ]);
  });

  it('takes routes away from a node that dies, and makes them again', async () => {
    expect(await k1.sees('k2')).toBe(true);
    await k2.kill();
    expect(await k1.sees()).toBe(true);
    expect((await k1.node('k2'))?.status).toMatchObject({ state: 'down', lastSeen: expect.any(String) });
    expect(k1.bench.logged('peer down: it does not answer its probe')).toHaveLength(1);
    await k2.start(cluster.joining(k1));
    expect(await k1.sees('k2')).toBe(true);
    expect(await k1.bench.ping('web', db.ips[0])).toBe(true);
    expect(await k2.bench.ping('db', web.ips[1])).toBe(true);
  });

  it('goes on forwarding, and starts, while the server is away', async () => {
    k4 = cluster.host('k4', 4);
    await k4.start(cluster.joining(k1));
    const b = await k4.pod('b');
    expect(await k2.sees('k1', 'k4')).toBe(true);
    await k1.kill();
    expect(await k2.sees('k4')).toBe(true);
    expect(await until(async () => !(await k2.status()).store.connected)).toBe(true);
    expect(await k2.bench.ping('db', b.ips[0])).toBe(true);
    expect((await k2.bench.call<object>('GET', '/readyz')).body).toMatchObject({
      ok: true,
      degraded: expect.stringContaining('store'),
    });
    expect(outcome(await k2.bench.call('PUT', '/v1/nodes/k3', K3))).toBe('503 STORE_UNREACHABLE');

    await k4.kill();
    await k4.start(cluster.joining(k1));
    expect((await k4.status()).podCIDRs).toEqual(['10.244.2.0/24', 'fd00:10:244:2::/64']);
    expect(await k4.sees('k2')).toBe(true);
    expect(await k2.bench.ping('db', b.ips[1])).toBe(true);
    const c = await k4.pod('c');
    expect(await k2.bench.ping('db', c.ips[0])).toBe(true);

    await k1.start(cluster.server(k1));
    expect(await until(async () => (await k2.status()).store.connected)).toBe(true);
    for (const node of [k1, k2, k4]) {
      expect(await node.sees(...['k1', 'k2', 'k4'].filter((name) => name !== node.name))).toBe(true);
    }
    expect(k2.bench.logged('store lost: forwarding goes on with what is known')).toHaveLength(1);
    expect(k2.bench.logged('store answers again')).toHaveLength(1);
    expect((await k4.status()).podCIDRs).toEqual(['10.244.2.0/24', 'fd00:10:244:2::/64']);
  });

  it('makes no route for a subnet that a node announces and does not own', async () => {
    // What a faulty daemon would write, through the API that nodes share their state by.
    const rogue = {
      metadata: { name: 'rogue', uid: 'rogue' },
      spec: { ...K3.spec, podCIDRs: ['10.244.1.0/24', '10.244.50.0/24'] },
      managed: 'daemon',
    };
    const key = `/v1/store/entries/${encodeURIComponent('cluster/nodes/rogue')}`;
    expect((await k1.bench.call('PUT', key, { value: rogue })).status).toBe(200);
    const message =
      'announces 10.244.1.0/24, which belongs to node k2 and 10.244.50.0/24, which nobody owns: no route is made for it';
    expect(await until(async () => (await k1.node('rogue'))?.status?.message === message)).toBe(true);
    const routes = [
      ...routesTo(k2, '10.244.1.0/24', 'fd00:10:244:1::/64'),
      ...routesTo(k4, '10.244.2.0/24', 'fd00:10:244:2::/64'),
    ];
    expect(await k1.peerRoutes()).toEqual(routes.sort());
    const broken = `/v1/store/entries/${encodeURIComponent('cluster/nodes/broken')}`;
    expect((await k1.bench.call('PUT', broken, { value: { spec: 'none' } })).status).toBe(200);
    expect(await until(() => k1.bench.logged('node not used as it asks').length === 2)).toBe(true);
    expect(await k2.bench.ping('db', web.ips[0])).toBe(true);
    for (const name of [key, broken]) expect((await k1.bench.call('DELETE', name)).status).toBe(200);
  });

  it('gives up a subnet that another node has, with its pods, and leases another', async () => {
    expect(await k1.sees('k2', 'k4')).toBe(true);
    const key = `/v1/store/entries/${encodeURIComponent('cluster/subnets/10.244.1.0/24')}`;
    const record = { cidr: '10.244.1.0/24', node: 'thief', uid: 'thief', state: 'held', since: '' };
    expect((await k1.bench.call('PUT', key, { value: record })).status).toBe(200);
    expect(await until(async () => (await k2.status()).podCIDRs[0] === '10.244.3.0/24')).toBe(true);
    expect((await k2.status()).podCIDRs).toEqual(['10.244.3.0/24', 'fd00:10:244:1::/64']);
    const lost = await k2.bench.call('GET', '/v1/pods/default/db');
    expect(lost.body).toMatchObject({ status: { phase: 'Lost', podIP: '10.244.1.3' } });
    expect(k2.bench.link('db')).toBeUndefined();
    expect(k2.bench.logged('pod closed: its subnet is not this node’s any more')).toHaveLength(1);
    expect(await until(async () => (await k1.peerRoutes()).includes('10.244.3.0/24 node/k2'))).toBe(true);
    expect(await k1.peerRoutes()).not.toContain('10.244.1.0/24 node/k2');
    expect((await k2.bench.detach('db')).status).toBe(200);
    expect((await k2.bench.attach('db')).body.ips).toEqual(['10.244.3.3', 'fd00:10:244:1::3']);
    // Its peers ask it anew, at its new address, and take it up when it answers.
    expect(await until(() => k2.bench.ping('db', web.ips[0]))).toBe(true);
    expect(await k2.bench.ping('host', web.ips[0])).toBe(true);
    const addresses = k2.bench.link('host', 'podwire0')?.addr_info.map(({ local }) => local);
    expect(addresses).toContain('10.244.3.2');
    expect(addresses).not.toContain('10.244.1.2');
  });
});

describe.skipIf(missing)(`a node and who would join it${missing ? ` (needs ${missing})` : ''}`, () => {
  let cluster: TestCluster;
  let k1: ClusterNode;
  let k2: ClusterNode;
  beforeAll(async () => {
    cluster = new TestCluster();
    k1 = cluster.host('k1', 1);
    k2 = cluster.host('k2', 2);
    await k1.start(cluster.server(k1));
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log);
  });
  afterAll(() => cluster?.cleanup());

  it('takes nodes applied by hand, and lets none of their subnets be another’s', async () => {
    expect(outcome(await k1.bench.call('PUT', '/v1/nodes/k3', K3))).toBe('201');
    expect(await k1.node('k3')).toMatchObject({
      ...K3,
      metadata: { name: 'k3' },
      status: { managed: 'manual' },
    });
    const same = await k1.bench.call('PUT', '/v1/nodes/k3', K3);
    expect(same.headers['x-podwire-result']).toBe('unchanged');
    const taken = {
      ...K3,
      metadata: { name: 'k4' },
      spec: { ...K3.spec, underlay: { address: '192.168.77.10' } },
    };
    expect(outcome(await k1.bench.call('PUT', '/v1/nodes/k4', taken))).toBe('409 SUBNET_TAKEN');
    const ours = { ...taken, spec: { ...taken.spec, podCIDRs: ['10.244.0.0/24'] } };
    expect(outcome(await k1.bench.call('PUT', '/v1/nodes/k4', ours))).toBe('409 SUBNET_TAKEN');
    const address = { ...taken, spec: { ...K3.spec, podCIDRs: ['10.244.8.0/24'] } };
    expect(outcome(await k1.bench.call('PUT', '/v1/nodes/k4', address))).toBe('400 INVALID');
    expect(outcome(await k1.bench.call('PUT', '/v1/nodes/k1', { ...K3, metadata: { name: 'k1' } }))).toBe(
      '409 PROTECTED',
    );
    expect(outcome(await k1.bench.call('DELETE', '/v1/nodes/k1'))).toBe('409 PROTECTED');
    expect(outcome(await k1.bench.call('DELETE', '/v1/nodes/k3'))).toBe('200');
    expect(await k1.node('k3')).toBeUndefined();
    expect(outcome(await k1.bench.call('DELETE', '/v1/nodes/k3'))).toBe('404 NOT_FOUND');
  });

  it('refuses who does not fit the cluster, naming the option', async () => {
    const flags = (...more: string[]) => ['--name', 'k2', '--underlay', k2.address, ...more];
    const refusal = async (...more: string[]) => {
      const { status, text } = await k2.bench.fail(flags(...cluster.joining(k1), ...more));
      return `${status} ${/error: (\w+: \S+)/.exec(text)?.[1]}`;
    };
    expect(await refusal('--vni', '7')).toBe('1 CLUSTER_MISMATCH: --vni');
    expect(await refusal('--cluster-cidr', '10.9.0.0/16')).toBe('1 CLUSTER_MISMATCH: --cluster-cidr');
    expect(await refusal('--pod-cidr', '10.244.0.0/24')).toMatch(/^1 SUBNET_TAKEN/);
    expect(await refusal('--pod-cidr', '10.9.0.0/24')).toMatch(/^1 INVALID: --pod-cidr/);
  });

  it('claims what a node is told to have', async () => {
    await k2.start([...cluster.joining(k1), '--pod-cidr', '10.244.77.0/24']);
    expect(await k1.sees('k2')).toBe(true);
    expect(await k1.peerRoutes()).toEqual(routesTo(k2, '10.244.77.0/24'));
  });
});

describe.skipIf(missing)(`a cluster without room${missing ? ` (needs ${missing})` : ''}`, () => {
  it('leaves the pods of a lost subnet closed while it can have no other, and opens them when it has it again', async () => {
    const small = new TestCluster();
    try {
      const [first, second] = [small.host('k1', 1), small.host('k2', 2)];
      await first.start([...small.server(first), '--cluster-cidr', '10.244.0.0/23']);
      await second.start(small.joining(first));
      const [web] = [await first.pod('web'), await second.pod('db')];
      expect(await first.sees('k2')).toBe(true);
      const key = `/v1/store/entries/${encodeURIComponent('cluster/subnets/10.244.1.0/24')}`;
      const value = { cidr: '10.244.1.0/24', node: 'thief', uid: 'thief', state: 'held', since: '' };
      expect((await first.bench.call('PUT', key, { value })).status).toBe(200);
      const isClosed = () => second.bench.link('db') === undefined;
      expect(await until(isClosed)).toBe(true);
      // Longer than two rounds, each of which would make the interface again.
      expect(await until(() => !isClosed(), 5000), small.log).toBe(false);
      expect(second.bench.logged('no new subnets yet')).not.toHaveLength(0);
      expect(outcome(await second.bench.attach('db', { ips: ['10.244.1.77'] }))).toBe('409 ALREADY_ATTACHED');
      second.bench.namespace('late');
      expect(outcome(await second.bench.attach('late'))).toBe('409 SUBNET_TAKEN');
      expect((await first.bench.call('DELETE', key)).status).toBe(200);
      expect(await until(() => !isClosed()), small.log).toBe(true);
      expect(await until(() => second.bench.ping('db', web.ips[0])), small.log).toBe(true);
    } finally {
      await small.cleanup();
    }
  });
});
