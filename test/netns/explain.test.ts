/**
 * Explanations held against what happens: two nodes (cluster-support.ts has the picture), pods on both, a policy at each end of the
 * tunnel. curl and ping say what is let through, the daemons say why, and what they refused.
 *
 *     k1: web (app=web), other (app=other, may send nothing but to app=db)      k2: db (app=db), near (app=web)
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DropsAnswer, RecentDropsAnswer } from '../../src/control/api/drop-types.js';
import type { ExplainAnswer, ExplainRequest } from '../../src/control/api/explain-types.js';
import type { FlowsAnswer } from '../../src/control/api/flow-types.js';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { type ClusterNode, TestCluster } from './cluster-support.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('curl');
const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));

const labelled = (app: string) => ({ podSelector: { matchLabels: { app } } });

function policy(name: string, spec: object) {
  const metadata = { name, namespace: 'default' };
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec };
}

const POLICIES = [
  policy('db', {
    ...labelled('db'),
    ingress: [{ from: [labelled('api'), labelled('web')], ports: [{ port: 8080 }, { port: 'sql' }] }],
  }),
  policy('other', { ...labelled('other'), policyTypes: ['Egress'], egress: [{ to: [labelled('db')] }] }),
];

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'data', namespace: 'default' },
  spec: { clusterIP: '10.96.0.7', ports: [{ port: 80, targetPort: 8080 }], selector: { app: 'db' } },
};

const SERVER = `for (const port of [8080, 8081]) require('http').createServer((q, r) => r.end('ok')).listen(port, '::')`;

interface Place {
  readonly node: ClusterNode;
  readonly ips: string[];
}

describe.skipIf(missing)(`explanations over two nodes${missing ? ` (needs ${missing})` : ''}`, () => {
  const cluster = new TestCluster();
  const [k1, k2] = [cluster.host('k1', 1), cluster.host('k2', 2)];
  const pods: Record<string, Place> = {};
  const servers: ChildProcess[] = [];

  beforeAll(async () => {
    await k1.start(cluster.server(k1));
    await k2.start(cluster.joining(k1));
    for (const [name, app, node] of [
      ['web', 'web', k1],
      ['other', 'other', k1],
      ['db', 'db', k2],
      ['near', 'web', k2],
    ] as const) {
      const { ips } = await node.bench.pod(name, { labels: { app } });
      pods[name] = { node, ips };
      servers.push(spawnIn(node.bench.name(name), process.execPath, '-e', SERVER));
    }
    for (const from of ['web', 'other', 'near']) {
      for (const to of Object.keys(pods)) expect(await until(() => curls(from, to, 0, 8080)), to).toBe(true);
    }
    expect(outcome(await k1.bench.call('PUT', '/v1/services/default/data', SERVICE))).toMatch(/^20/);
    for (const one of POLICIES) {
      const path = `/v1/networkpolicies/default/${one.metadata.name}`;
      expect(outcome(await k2.bench.call('PUT', path, one))).toMatch(/^20/);
    }
    // The other node hears of it a moment later.
    expect(await until(async () => !(await curls('other', 'web', 0, 8080)))).toBe(true);
  });
  afterAll(async () => {
    for (const child of servers) child.kill('SIGKILL');
    await cluster.cleanup();
  });

  async function curls(from: string, to: string, family: number, port: number): Promise<boolean> {
    const { node } = pods[from];
    const address = pods[to].ips[family];
    const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;
    return (await runIn(node.bench.name(from), 'curl', '-sS', '-g', '--max-time', '2', url)).status === 0;
  }

  async function ask(node: ClusterNode, request: ExplainRequest): Promise<ExplainAnswer> {
    const answer = await node.bench.call<ExplainAnswer>('POST', '/v1/explain', request);
    expect(outcome(answer)).toBe('200');
    return answer.body;
  }

  it('say of every pair, at the node of either end, what curl and ping find', async () => {
    const names = Object.keys(pods);
    const pairs = names.flatMap((from) =>
      names.flatMap((to) => [0, 1].map((family) => ({ from, to, family }))),
    );
    const found = await Promise.all(
      pairs.flatMap(({ from, to, family }) =>
        [8080, 8081, undefined].map(async (port) => {
          const { node, ips } = pods[to];
          const asked: ExplainRequest = {
            from,
            to,
            family: family === 0 ? 'IPv4' : 'IPv6',
            ...(port && { port }),
          };
          const said = (await ask(node, asked)).verdict;
          const alsoSaid = (await ask(pods[from].node, asked)).verdict;
          const isLet =
            port === undefined
              ? await pods[from].node.bench.ping(from, ips[family])
              : await curls(from, to, family, port);
          return { from, to, family, port, said, alsoSaid, isLet };
        }),
      ),
    );
    for (const one of found) {
      const said = one.isLet ? 'allowed' : 'refused';
      expect(one).toMatchObject({ said, alsoSaid: said });
    }
    // Both verdicts were there to be told apart.
    expect(found.filter(({ isLet }) => isLet).length).toBeGreaterThan(20);
    expect(found.filter(({ isLet }) => !isLet).length).toBeGreaterThan(20);
  });

  it('name the items and their lines in what the command prints', async () => {
    const { paths } = await ask(k1, { from: 'web', to: 'db', port: 8080 });
    const [{ way, ingress, egress }] = paths;
    expect(egress.text).toBe('allowed: no policy selects default/web for egress');
    expect(way).toMatchObject({ kind: 'tunnel', peer: { name: 'k2', state: 'up' } });
    expect(ingress).toMatchObject({
      node: 'k2',
      text: 'allowed by NetworkPolicy default/db, spec.ingress[0]',
      rule: { peer: { path: 'spec.ingress[0].from[1]' }, port: { path: 'spec.ingress[0].ports[0]' } },
    });
    const yaml = execFileSync(
      process.execPath,
      [PROGRAM, 'get', 'networkpolicy', 'db', '-o', 'yaml', '--socket', k1.bench.socket],
      { encoding: 'utf8' },
    ).split('\n');
    for (const { number, text } of ingress.rule?.lines ?? []) expect(yaml[number - 1]).toBe(text);
    expect(
      yaml
        .slice((ingress.rule?.peer?.line ?? 0) - 1)
        .slice(0, 3)
        .join(),
    ).toContain('app: web');
  });

  it('know services, what policies say of their backends, and who is outside', async () => {
    const service = await ask(k1, { from: 'other', to: 'svc/data' });
    expect(service).toMatchObject({
      verdict: 'refused',
      service: { name: 'default/data:80', address: '10.96.0.7', port: 80, backends: 1 },
      paths: [{ to: { pod: 'default/db', node: 'k2' }, port: 8080 }],
    });
    expect((await ask(k1, { from: 'web', to: '10.96.0.7', port: 80 })).verdict).toBe('allowed');
    expect((await ask(k1, { from: 'other', to: '192.168.77.254', port: 80 })).text).toBe(
      'refused: egress of default/other',
    );
    const node = await ask(k2, { from: 'node/k2', to: 'db', port: 9 });
    expect(node.paths[0].ingress.text).toBe('allowed, always: a pod and its own node');
  });

  it('agree with the rules that drops and flows name', async () => {
    expect(await curls('near', 'db', 0, 8081)).toBe(false);
    expect(await curls('other', 'near', 0, 8080)).toBe(false);
    const drops = (node: ClusterNode) => node.bench.call<DropsAnswer>('GET', '/v1/drops');
    const rules = async (node: ClusterNode) =>
      (await drops(node)).body.rules.map(({ direction, rule }) => `${direction}: ${rule}`);
    expect(await rules(k2)).toContain('ingress: no rule of NetworkPolicy default/db');
    expect(await rules(k1)).toContain('egress: no rule of NetworkPolicy default/other');
    const recent = async (node: ClusterNode) =>
      (await node.bench.call<RecentDropsAnswer>('GET', '/v1/drops/recent')).body.drops;
    expect(await recent(k2)).toContainEqual(
      expect.objectContaining({
        direction: 'ingress',
        port: 'default/db',
        protocol: 'tcp',
        source: { address: pods.near.ips[0], port: expect.any(Number), pod: 'default/near' },
        destination: { address: pods.db.ips[0], port: 8081, pod: 'default/db' },
        rule: 'no rule of NetworkPolicy default/db',
      }),
    );
    expect(await recent(k1)).toContainEqual(
      expect.objectContaining({
        direction: 'egress',
        source: { address: pods.other.ips[0], port: expect.any(Number), pod: 'default/other' },
        destination: { address: pods.near.ips[0], port: 8080, pod: 'default/near' },
      }),
    );
    // What was refused for a reason of policy is what rules have refused.
    const { body } = await drops(k2);
    const sum = (counts: { count: number }[]) => counts.reduce((total, { count }) => total + count, 0);
    const refused = body.drops.filter(
      ({ reason }) => reason === 'policy-ingress' || reason === 'policy-egress',
    );
    expect(sum(refused)).toBe(sum(body.rules));
    expect(await curls('web', 'db', 1, 8080)).toBe(true);
    const { flows } = (await k2.bench.call<FlowsAnswer>('GET', '/v1/flows?protocol=tcp&pod=default/web'))
      .body;
    expect(flows.find(({ original }) => original.destination === pods.db.ips[1])?.policy).toMatchObject({
      verdict: 'allowed',
      egress: null,
      ingress: { rule: 'NetworkPolicy default/db, spec.ingress[0]', note: { action: 'allow' } },
    });
  });
});
