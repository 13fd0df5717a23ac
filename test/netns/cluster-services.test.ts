/**
 * A service whose pods are on two nodes (cluster-support.ts has the picture), asked with curl by pods and by the nodes: who
 * its endpoints are follows what pods, nodes and manifests say, on the node where they are and on the other.
 */
import type { ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EndpointSlice } from '../../src/control/services/types.js';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { type ClusterNode, TestCluster } from './cluster-support.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('curl');

const ADDRESS = '10.96.0.7';
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { clusterIP: ADDRESS, ports: [{ port: 80, targetPort: 8080 }], selector: { app: 'web' } },
};

/** curl: connection refused. */
const REFUSED = 7;

/** Answers each connection with its own name and the address that it sees its client under. */
const server = (name: string) =>
  `require('http').createServer((q, r) => r.end('${name} ' + q.socket.remoteAddress)).listen(8080, '0.0.0.0')`;

const servers: ChildProcess[] = [];

async function serve({ bench }: ClusterNode, name: string): Promise<string> {
  const { ips } = await bench.pod(name, { labels: { app: 'web' } });
  servers.push(spawnIn(bench.name(name), process.execPath, '-e', server(name)));
  expect(await until(async () => (await ask(bench.name(name), ips[0], 8080)).status === 0)).toBe(true);
  return ips[0];
}

function ask(namespace: string, address: string, port = 80) {
  return runIn(namespace, 'curl', '-sS', '--max-time', '10', `http://${address}:${port}/`);
}

/** Who answers, of a dozen connections, and under which addresses they see the client; a refusal is one of the answers. */
async function answers({ bench }: ClusterNode, from: string): Promise<{ names: string[]; seen: string[] }> {
  const all = await Promise.all(Array.from({ length: 12 }, () => ask(bench.name(from), ADDRESS)));
  const words = all.map(({ status, text }) => (status === 0 ? text.split(' ') : [`status ${status}`]));
  return {
    names: [...new Set(words.map(([name]) => name))].sort(),
    seen: [...new Set(words.flatMap(([, address]) => address ?? []))],
  };
}

function reaches(node: ClusterNode, from: string, ...names: string[]): Promise<boolean> {
  return until(async () => (await answers(node, from)).names.join() === names.join());
}

/** What the pod says of itself. */
async function say({ bench }: ClusterNode, name: string, labels: object, annotations: object = {}) {
  const metadata = { name, namespace: 'default', labels, annotations };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata };
  expect(outcome(await bench.call('PUT', `/v1/pods/default/${name}`, pod))).toBe('200');
}

describe.skipIf(missing)(`a service over two nodes${missing ? ` (needs ${missing})` : ''}`, () => {
  let cluster: TestCluster;
  let k1: ClusterNode;
  let k2: ClusterNode;
  beforeEach(async () => {
    cluster = new TestCluster();
    k1 = cluster.host('k1', 1);
    k2 = cluster.host('k2', 2);
    await k1.start([...cluster.server(k1), '--zone', 'a']);
    await k2.start([...cluster.joining(k1), '--zone', 'b']);
    await Promise.all([serve(k1, 'web1'), serve(k2, 'web2')]);
    expect(outcome(await k2.bench.call('PUT', '/v1/services/default/web', SERVICE))).toMatch(/^20/);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log);
    for (const child of servers.splice(0)) child.kill('SIGKILL');
    await cluster.cleanup();
  });

  it('has the pods of both, under the client’s own address, for as long as they and their nodes say so', async () => {
    const { ips } = await k1.pod('client');
    expect(await reaches(k1, 'client', 'web1', 'web2')).toBe(true);
    expect(await reaches(k2, 'host', 'web1', 'web2')).toBe(true);
    expect((await answers(k1, 'client')).seen).toEqual([ips[0]]);
    const { body } = await k1.bench.call<{ items: EndpointSlice[] }>('GET', '/v1/endpointslices');
    const zones = body.items.flatMap(({ endpoints }) =>
      endpoints.map(({ nodeName, zone }) => [nodeName, zone]),
    );
    expect(zones.filter(([node]) => node !== undefined)).toEqual(
      expect.arrayContaining([
        ['k1', 'a'],
        ['k2', 'b'],
      ]),
    );
    await say(k2, 'web2', { app: 'db' });
    expect(await reaches(k1, 'client', 'web1')).toBe(true);
    await say(k2, 'web2', { app: 'web' }, { 'podwire.dev/ready': 'false' });
    await say(k1, 'web1', { app: 'db' });
    expect(await reaches(k1, 'client', `status ${REFUSED}`)).toBe(true);
    await say(k2, 'web2', { app: 'web' }, { 'podwire.dev/ready': 'true' });
    expect(await reaches(k1, 'client', 'web2')).toBe(true);
    await say(k1, 'web1', { app: 'web' });
    expect(await reaches(k1, 'client', 'web1', 'web2')).toBe(true);
    await k2.kill();
    expect(await reaches(k1, 'client', 'web1')).toBe(true);
    await k2.start([...cluster.joining(k1), '--zone', 'b']);
    expect(await reaches(k1, 'client', 'web1', 'web2')).toBe(true);
  });

  it('stays near where it is to, and goes on as it was known without the store', async () => {
    await k1.pod('client');
    await k2.pod('other');
    const near = { ...SERVICE, spec: { ...SERVICE.spec, trafficDistribution: 'PreferSameZone' } };
    expect(outcome(await k1.bench.call('PUT', '/v1/services/default/web', near))).toBe('200');
    expect(await reaches(k1, 'client', 'web1')).toBe(true);
    expect(await reaches(k2, 'other', 'web2')).toBe(true);
    await say(k2, 'web2', { app: 'db' });
    expect(await reaches(k2, 'other', 'web1')).toBe(true);
    await k1.kill();
    expect(await reaches(k2, 'other', `status ${REFUSED}`)).toBe(true);
    await say(k2, 'web2', { app: 'web' });
    expect(await reaches(k2, 'other', 'web2')).toBe(true);
    await k1.start([...cluster.server(k1), '--zone', 'b']);
    expect(await reaches(k2, 'other', 'web1', 'web2')).toBe(true);
    const labels = (await k2.node('k1'))?.metadata.labels;
    expect(labels).toEqual({ 'topology.kubernetes.io/zone': 'b' });
  });
});
