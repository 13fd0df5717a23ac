/** The same cluster with its state in etcd, which goes away, comes back, and loses its data. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etcdMissing } from '../support/etcd.js';
import { type ClusterNode, HubEtcd, TestCluster } from './cluster-support.js';
import { missingForDaemon, sleep, until } from './daemon-support.js';

const missing = missingForDaemon() ?? etcdMissing();
if (missing) console.log(`skipped: a cluster with etcd needs ${missing}`);

describe.skipIf(missing)('a cluster of daemons with etcd', () => {
  let cluster: TestCluster;
  let etcd: HubEtcd;
  let k1: ClusterNode;
  let k2: ClusterNode;
  beforeEach(async () => {
    cluster = new TestCluster();
    etcd = new HubEtcd(cluster.hubNamespace, cluster.directory);
    await etcd.start('data');
    k1 = cluster.host('k1', 1);
    k2 = cluster.host('k2', 2);
    await k1.start(['--store', `etcd=${etcd.url}`]);
    await k2.start(['--store', `etcd=${etcd.url}`]);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log);
    await etcd.kill();
    await cluster.cleanup();
  });

  it('carries what pods send, also while etcd is away and after it has lost its data', async () => {
    const web = await k1.pod('web');
    const db = await k2.pod('db');
    expect(await k1.sees('k2')).toBe(true);
    expect(await k2.sees('k1')).toBe(true);
    for (const address of db.ips) expect(await k1.bench.ping('web', address)).toBe(true);

    await etcd.kill();
    expect(await until(async () => !(await k1.status()).store.connected)).toBe(true);
    expect(await k1.bench.ping('web', db.ips[0])).toBe(true);
    const routes = await k1.peerRoutes();

    // A node that knows the cluster starts without it.
    await k2.kill();
    await k2.start(['--store', `etcd=${etcd.url}`]);
    expect(await k2.sees('k1')).toBe(true);
    expect(await k1.sees('k2')).toBe(true);
    expect(await k2.bench.ping('db', web.ips[0])).toBe(true);

    await etcd.start('other-data');
    const stop = Date.now() + 12_000;
    let gaps = 0;
    while (Date.now() < stop) {
      if ((await k1.peerRoutes()).join() !== routes.join()) gaps++;
      await sleep(100);
    }
    expect(gaps).toBe(0);
    for (const node of [k1, k2]) {
      const back = async () => {
        const nodes = await node.nodes();
        return (
          (await node.status()).store.connected &&
          nodes.length === 2 &&
          nodes.every(({ status }) => !status?.message)
        );
      };
      expect(await until(back)).toBe(true);
    }
    expect(await k1.bench.ping('web', db.ips[1])).toBe(true);
    const k3 = cluster.host('k3', 3);
    await k3.start(['--store', `etcd=${etcd.url}`]);
    expect((await k3.status()).podCIDRs).toEqual(['10.244.2.0/24', 'fd00:10:244:2::/64']);
    expect(await k3.sees('k1', 'k2')).toBe(true);
  });
});
