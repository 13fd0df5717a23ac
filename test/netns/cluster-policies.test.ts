/** Policies as resources of a cluster of daemons (cluster-support.ts has the picture), with the built `podwire`. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorAnswer, NetworkPolicy, ResourceList, WatchEvent } from '../../src/control/api/types.js';
import { type ClusterNode, TestCluster } from './cluster-support.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';
import { openWebSocket } from './websocket-support.js';

const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));
const missing = missingForDaemon();

const MANIFEST = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
  namespace: shop
spec:
  podSelector: {matchLabels: {role: db}}
  ingress:
  - from:
    - ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}
    - namespaceSelector: {matchLabels: {project: shop}}
    - podSelector: {matchExpressions: [{key: role, operator: In, values: [web, api]}]}
    ports: [{port: 6379}]
  egress: [{}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: monitoring}
spec:
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {name: scrape, action: Allow, from: [{namespaces: {matchLabels: {team: ops}}}], ports: [{namedPort: metrics}]}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {role: db}}}}
  egress:
  - {action: Deny, to: [{networks: [192.0.2.0/24]}]}
`;

const NAMES = [
  'networkpolicy/shop/db',
  'networkpolicy/shop/deny',
  'adminnetworkpolicy/monitoring',
  'baselineadminnetworkpolicy/default',
];
const PATHS = [
  '/v1/networkpolicies/shop/db',
  '/v1/networkpolicies/shop/deny',
  '/v1/adminnetworkpolicies/monitoring',
  '/v1/baselineadminnetworkpolicies/default',
];

/** What the command line prints at a node, blanks as one. */
function podwire({ bench }: ClusterNode, ...words: string[]): Promise<{ out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...words, '--socket', bench.socket], (_error, out, err) => {
      resolve({ out, err });
    });
  });
}

async function table(node: ClusterNode, ...words: string[]): Promise<string[]> {
  const { out } = await podwire(node, 'get', ...words);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').replace(/ \d+s$/, ' 0s'));
}

function lines(text: string): string[] {
  return text.trimEnd().split('\n');
}

describe.skipIf(missing)(`policies of a cluster${missing ? ` (needs ${missing})` : ''}`, () => {
  let cluster: TestCluster;
  let k1: ClusterNode;
  let k2: ClusterNode;
  beforeAll(async () => {
    cluster = new TestCluster();
    [k1, k2] = [cluster.host('k1', 1), cluster.host('k2', 2)];
    await k1.start(cluster.server(k1));
    await k2.start(cluster.joining(k1));
  }, 120_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log);
    for (const path of PATHS) await k1.bench.call('DELETE', path);
  });
  afterAll(() => cluster.cleanup());

  const has = async (node: ClusterNode, path: string) => (await node.bench.call('GET', path)).status === 200;
  const apply = async (node: ClusterNode, name: string, text: string) => {
    const file = join(cluster.directory, name);
    writeFileSync(file, text);
    return podwire(node, 'apply', '-f', file);
  };

  it('are applied at one node and there at the other, from manifest to table and back, until they are deleted', async () => {
    const before = await Promise.all([k1, k2].map(noPolicies));
    expect(await apply(k2, 'policies.yaml', MANIFEST)).toEqual({
      err: '',
      out: NAMES.map((name) => `${name} created\n`).join(''),
    });
    for (const path of PATHS) expect(await until(() => has(k1, path)), path).toBe(true);
    expect(await table(k1, 'netpol', '-n', 'shop')).toEqual([
      'NAMESPACE NAME POD-SELECTOR TYPES INGRESS EGRESS AGE',
      'shop db role=db Ingress,Egress 1 1 0s',
      'shop deny <none> Ingress 0 - 0s',
    ]);
    expect(await table(k1, 'anp')).toEqual([
      'NAME PRIORITY SUBJECT INGRESS EGRESS AGE',
      'monitoring 10 ns:* 1 0 0s',
    ]);
    expect(await table(k1, 'banp', 'default')).toEqual([
      'NAME SUBJECT INGRESS EGRESS AGE',
      'default ns:* pods:role=db 0 1 0s',
    ]);
    // What `get` prints is a manifest, and says the same.
    const printed = await podwire(k1, 'get', 'netpol', 'db', '-n', 'shop', '-o', 'yaml');
    expect(printed.out).toContain('protocol: TCP');
    expect((await apply(k1, 'printed.yaml', printed.out)).out).toBe('networkpolicy/shop/db unchanged\n');
    const all = await podwire(k1, 'get', 'netpol', '-A', '-o', 'yaml');
    expect((await apply(k1, 'all.yaml', all.out)).out.match(/unchanged/g)).toHaveLength(2);
    expect((await apply(k1, 'policies.yaml', MANIFEST)).out.match(/unchanged/g)).toHaveLength(4);
    await answersFitTheirSchemas();
    const deleted = await podwire(k1, 'delete', '-f', join(cluster.directory, 'policies.yaml'));
    expect(lines(deleted.out)).toEqual([...NAMES].reverse().map((name) => `${name} deleted`));
    for (const path of PATHS) expect(await until(async () => !(await has(k2, path))), path).toBe(true);
    // Each node tells its watchers, from its own store.
    for (const [index, { bench }] of [k1, k2].entries()) {
      const { messages, end } = await openWebSocket(bench.socket, `/v1/watch?revision=${before[index]}`);
      const said = () =>
        (messages as WatchEvent[]).flatMap(({ type, object }) =>
          object.kind.endsWith('NetworkPolicy') ? `${type} ${object.kind}` : [],
        );
      expect(await until(() => said().filter((text) => text.startsWith('DELETED')).length >= 4)).toBe(true);
      expect(new Set(said())).toEqual(
        new Set(
          ['NetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'].flatMap((kind) => [
            `ADDED ${kind}`,
            `DELETED ${kind}`,
          ]),
        ),
      );
      end();
    }
  });

  /** @returns the revision of the node's own store */
  async function noPolicies({ bench }: ClusterNode): Promise<number> {
    const { body } = await bench.call<ResourceList<NetworkPolicy>>('GET', '/v1/networkpolicies');
    expect(body).toMatchObject({ kind: 'NetworkPolicyList', items: [] });
    return body.revision;
  }

  async function answersFitTheirSchemas(): Promise<void> {
    const { body } = await k1.bench.call<{ components: { schemas: object } }>('GET', '/openapi.json');
    const ajv = new Ajv({ strict: false }).addSchema(body, 'openapi');
    for (const path of [
      ...PATHS,
      '/v1/networkpolicies',
      '/v1/adminnetworkpolicies',
      '/v1/baselineadminnetworkpolicies',
    ]) {
      const { body: answer } = await k1.bench.call<{ kind: string }>('GET', path);
      const validate = ajv.getSchema(`openapi#/components/schemas/${answer.kind}`);
      expect(validate?.(answer), `${path} ${JSON.stringify(validate?.errors)}`).toBe(true);
    }
  }

  it('are refused with the path of the field, and nothing is kept', async () => {
    const rule = { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }, { podSelector: { matchLabels: { a: '!' } } }] };
    const refused = await k1.bench.call<ErrorAnswer>('PUT', '/v1/networkpolicies/shop/p', {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'p' },
      spec: { podSelector: {}, egress: [{}, rule] },
    });
    expect(outcome(refused)).toBe('400 INVALID');
    expect(refused.body.error.field).toBe('spec.egress[1].to[1].podSelector.matchLabels.a');
    const { err } = await apply(
      k1,
      'domain.yaml',
      MANIFEST.replace('networks: [192.0.2.0/24]', 'domainNames: [a.b]'),
    );
    expect(err).toContain('error: UNSUPPORTED: spec.egress[0].to[0].domainNames: ');
    expect(err).toContain('(baselineadminnetworkpolicy/default)');
    expect(await has(k1, '/v1/networkpolicies/shop/p')).toBe(false);
    expect(await has(k1, '/v1/baselineadminnetworkpolicies/default')).toBe(false);
    expect(await has(k1, '/v1/adminnetworkpolicies/monitoring')).toBe(true);
  });

  it('go with their namespace, and stay through a restart without the store', async () => {
    await apply(k1, 'policies.yaml', MANIFEST);
    for (const path of PATHS) expect(await until(() => has(k2, path)), path).toBe(true);
    await k1.kill();
    await k2.kill();
    await k2.start(cluster.joining(k1));
    for (const path of PATHS) expect(await has(k2, path), path).toBe(true);
    await k1.start(cluster.server(k1));
    expect(
      await until(async () => outcome(await k2.bench.call('DELETE', '/v1/namespaces/shop')) === '200'),
    ).toBe(true);
    expect(await until(async () => !(await has(k1, PATHS[0])) && !(await has(k1, PATHS[1])))).toBe(true);
    expect(await has(k1, PATHS[2])).toBe(true);
    expect(await has(k1, PATHS[3])).toBe(true);
  });
});
