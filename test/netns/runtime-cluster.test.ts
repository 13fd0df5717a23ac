/**
 * Containers that two different runtimes have started on two nodes talk to each other.
 *
 *     podman: web                               containerd: db
 *     ┌──────────┐                              ┌──────────┐
 *     │   eth0   │                              │   eth0   │
 *     └────┬─────┘                              └────┬─────┘
 *          │ TAP                                     │ TAP
 *     ┌────┴─────┐        VXLAN in UDP          ┌────┴─────┐
 *     │ node k1  ├──────────────────────────────┤ node k2  │
 *     └──────────┘ 192.168.77.1    192.168.77.2 └──────────┘
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterNode, TestCluster } from './cluster-support.js';
import { ContainerdHost } from './runtimes/containerd.js';
import { missingForRuntimes } from './runtimes/missing.js';
import { PodmanHost } from './runtimes/podman.js';
import { all, BIG_FILE_DIGEST, bigDigest, httpGet, httpServer, ping, reached } from './runtimes/servers.js';

const missing = missingForRuntimes('podman', 'containerd');
if (missing) console.log(`skipped: containers of two runtimes need ${missing}`);
const MEBIBYTES = 32;
const NETWORK = { name: 'pods' };

describe.skipIf(missing)(`containers of podman and containerd${missing ? ` [${missing}]` : ''}`, () => {
  let cluster: TestCluster;
  let podman: PodmanHost | undefined;
  let containerd: ContainerdHost | undefined;
  beforeAll(async () => {
    cluster = new TestCluster();
    const [k1, k2] = [cluster.host('k1', 1), cluster.host('k2', 2)];
    await k1.start(cluster.server(k1));
    await k2.start(cluster.joining(k1));
    const at = ({ bench }: ClusterNode) => ({ netns: bench.path('host'), socket: bench.socket });
    podman = await PodmanHost.start({ ...at(k1), networks: [NETWORK] });
    containerd = await ContainerdHost.start({ ...at(k2), network: NETWORK });
    expect(await k1.sees('k2')).toBe(true);
    expect(await k2.sees('k1')).toBe(true);
  }, 120_000);
  afterAll(async () => {
    await podman?.cleanup();
    await containerd?.cleanup();
    await cluster?.cleanup();
  }, 120_000);

  it('on two nodes talk through the tunnel: ping, HTTP, a large file each way', {
    timeout: 180_000,
  }, async () => {
    if (!podman || !containerd) throw new Error('not started');
    await podman.run('web', [], ...httpServer('podman on k1', MEBIBYTES));
    const sandbox = await containerd.runSandbox('db');
    const db = await containerd.runContainer(sandbox, 'db', ...httpServer('containerd on k2', MEBIBYTES));
    const web = await podman.addresses('web');
    expect([...web, ...sandbox.ips].map((address) => address.replace(/\d+$/, ''))).toEqual([
      '10.244.0.',
      'fd00:10:244::',
      '10.244.1.',
      'fd00:10:244:1::',
    ]);
    const toDb = all(sandbox.ips.map(ping), sandbox.ips.map(httpGet));
    expect(await podman.exec('web', ...toDb), cluster.log).toMatch(reached(2, 'containerd on k2'));
    const toWeb = all(web.map(ping), web.map(httpGet));
    expect(await containerd.exec(db, ...toWeb), cluster.log).toMatch(reached(2, 'podman on k1'));

    const here = await podman.exec('web', ...BIG_FILE_DIGEST);
    expect(await containerd.exec(db, ...bigDigest(web[0]))).toBe(here);
    const there = await containerd.exec(db, ...BIG_FILE_DIGEST);
    expect(await podman.exec('web', ...bigDigest(sandbox.ips[1]))).toBe(there);
    expect(here).not.toBe(there);
  });
});
