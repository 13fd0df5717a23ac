/** Explanations as a whole: verdicts are those of the plan, items and lines those of the manifests it was told. */

import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { ExplainAnswer, ExplainRequest } from '../../../../src/control/api/explain-types.js';
import { SCHEMAS } from '../../../../src/control/api/schemas.js';
import { parseAdminPolicy } from '../../../../src/control/model/admin-policy.js';
import { parseExplain } from '../../../../src/control/model/explain.js';
import { parseNetworkPolicy } from '../../../../src/control/model/network-policy.js';
import { checker } from '../../../../src/control/model/schema.js';
import { explain } from '../../../../src/control/policies/explain.js';
import type { ExplainWorld } from '../../../../src/control/policies/explain-world.js';
import { PolicyPlan } from '../../../../src/control/policies/policy-plan.js';
import type { AnyPolicy, NetworkPolicy } from '../../../../src/control/policies/types.js';
import { NODE_FRONTEND, type ServiceSpec } from '../../../../src/dataplane/service-spec.js';
import { message, refusal } from '../support.js';
import { WORLD } from './explain-fixture.js';

const check = checker<ExplainAnswer>(SCHEMAS.Explanation);

function networkPolicy(name: string, spec: object, namespace = 'shop'): NetworkPolicy {
  const metadata = { name, namespace };
  return parseNetworkPolicy({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec });
}

const labelled = (app: string) => ({ matchLabels: { app } });

const DB = networkPolicy('db', {
  podSelector: labelled('db'),
  ingress: [
    { from: [{ podSelector: labelled('api') }, { podSelector: labelled('web') }], ports: [{ port: 5432 }] },
    { from: [{ ipBlock: { cidr: '198.51.100.0/24' } }], ports: [{ port: 443 }] },
  ],
});
const NOBODY = networkPolicy('nobody', { podSelector: labelled('db') });
const NO_EGRESS = networkPolicy('no-egress', { podSelector: labelled('back'), policyTypes: ['Egress'] });

function service(
  name: string,
  address: string,
  backends: readonly string[],
  more: Partial<ServiceSpec> = {},
): ServiceSpec {
  return {
    id: 0,
    name,
    family: 'IPv4',
    protocol: 'TCP',
    frontends: [
      { address, port: 80, scope: 'cluster' },
      { address: NODE_FRONTEND, port: 30_080, scope: 'split' },
    ],
    backends: backends.map((one) => ({
      name: `${one}:5432`,
      address: one,
      port: 5432,
      local: one.startsWith('10.244.0'),
      cluster: 'active',
      ...(one.startsWith('10.244.0') && { node: 'active' }),
    })),
    ...more,
  };
}

/** @param policies in force, in order. */
function worldOf(policies: readonly AnyPolicy[], more: Partial<ExplainWorld> = {}): ExplainWorld {
  const plan = new PolicyPlan();
  plan.setClusterCidrs(WORLD.clusterCidrs);
  for (const name of ['shop', 'ops'])
    plan.setNamespace({ name, labels: { 'kubernetes.io/metadata.name': name } });
  for (const { name, labels, addresses } of WORLD.nodes) plan.setNode({ name, labels, addresses });
  plan.setDomain('blue', 3);
  for (const pod of WORLD.pods) plan.setPod(pod);
  for (const policy of policies) plan.setPolicy(policy);
  plan.changes();
  return {
    ...WORLD,
    namespaceLabels: (name) => ({ 'kubernetes.io/metadata.name': name }),
    policy: (name) =>
      policies.find(({ kind, metadata }) => kind === name.kind && metadata.name === name.name),
    judge: (question) => plan.judge(question),
    ...more,
  };
}

function ask(
  world: ExplainWorld,
  from: string,
  to: string,
  more: Partial<ExplainRequest> = {},
): ExplainAnswer {
  const answer = explain(parseExplain({ from, to, namespace: 'shop', ...more }), world);
  return check(JSON.parse(JSON.stringify(answer)));
}

describe('an explanation', () => {
  it('names the networks that are kept apart, in place of a policy', () => {
    const answer = ask(worldOf([]), 'web', 'back', { port: 5432 });
    const text = 'refused: networks default and backend are kept apart';
    expect(answer).toMatchObject({ verdict: 'refused', text });
    const [{ way, egress, ingress }] = answer.paths;
    expect(way).toEqual({
      kind: 'unreachable',
      text: 'networks default and backend are kept apart',
    });
    expect(egress).toEqual({
      ...{ direction: 'egress', pod: 'shop/web', node: 'k1', verdict: 'deny', text },
      note: {
        ...{ direction: 'egress', tier: 'network', action: 'deny', policies: [] },
        networks: ['default', 'backend'],
      },
    });
    expect(ingress.verdict).toBe('allow');
    expect(ask(worldOf([]), 'back', '10.244.4.7').text).toBe(
      'refused: networks backend and default are kept apart',
    );
    expect(ask(worldOf([]), 'shut', 'web')).toMatchObject({
      verdict: 'unreachable',
      text: 'unreachable: network closed has no router: only its own pods are reachable',
    });
    expect(ask(worldOf([]), 'left', 'web').verdict).toBe('unreachable');
  });

  it('says that nothing is in the way', () => {
    const answer = ask(worldOf([]), 'web', 'db', { port: 5432 });
    expect(answer).toMatchObject({
      verdict: 'allowed',
      text: 'allowed',
      protocol: 'tcp',
      port: 5432,
      node: 'k1',
    });
    const [path] = answer.paths;
    expect(path.from).toMatchObject({ pod: 'shop/web', address: '10.244.0.11', labels: { app: 'web' } });
    expect(path.egress.text).toBe('allowed: no policy selects shop/web for egress');
    expect(path.ingress.text).toBe('allowed: no policy selects shop/db for ingress');
  });

  it('names the item and the lines of the rule that allows', () => {
    const answer = ask(worldOf([DB, NOBODY]), 'web', 'db', { port: 5432 });
    expect(answer.verdict).toBe('allowed');
    const { ingress } = answer.paths[0];
    expect(ingress.text).toBe('allowed by NetworkPolicy shop/db, spec.ingress[0]');
    const lines = stringify(DB).split('\n');
    const at = (text: string) => lines.findIndex((line) => line.trim() === text) + 1;
    expect(ingress.rule).toMatchObject({
      policy: { kind: 'NetworkPolicy', namespace: 'shop', name: 'db' },
      path: 'spec.ingress[0]',
      line: at('- from:'),
      peer: {
        path: 'spec.ingress[0].from[1]',
        line: at('app: web') - 2,
        text: 'pods app=web in namespace shop',
      },
      port: { path: 'spec.ingress[0].ports[0]', line: at('port: 5432') - 1, text: 'TCP 5432' },
    });
  });

  it('says of each rule of the policies that isolate a pod why it does not match', () => {
    const answer = ask(worldOf([DB, NOBODY]), 'web', 'db', { port: 80 });
    expect(answer).toMatchObject({ verdict: 'refused', text: 'refused: ingress of shop/db' });
    const { ingress } = answer.paths[0];
    expect(ingress).toMatchObject({ node: 'k1', verdict: 'deny' });
    expect(ingress.rule).toBeUndefined();
    const misses = ingress.misses?.map(({ policy, rules }) => [policy.name, rules.map(({ why }) => why)]);
    expect(misses).toEqual([
      ['db', ['TCP 80 is not TCP 5432', '10.244.0.11 is not in 198.51.100.0/24; TCP 80 is not TCP 443']],
      ['nobody', []],
    ]);
  });

  it('is about ping where nothing else is asked', () => {
    const answer = ask(worldOf([DB]), 'web', 'db');
    expect(answer).toMatchObject({ protocol: 'icmp', port: null, verdict: 'refused' });
    expect(answer.paths[0].ingress.misses?.[0].rules[0].why).toBe('ICMP is not TCP 5432');
  });

  it('knows who comes from outside by the address', () => {
    const world = worldOf([DB]);
    expect(ask(world, '198.51.100.7', 'db', { port: 443 }).paths[0].ingress).toMatchObject({
      verdict: 'allow',
      rule: { peer: { text: 'ipBlock 198.51.100.0/24' } },
    });
    expect(ask(world, '192.0.2.77', 'db', { port: 443 }).text).toBe('refused: ingress of shop/db');
  });

  it('is enforced at the node of the pod, and of pods of other nodes too', () => {
    const far = networkPolicy('far', { podSelector: labelled('far') });
    const answer = ask(worldOf([far]), 'web', 'far', { port: 80 });
    expect(answer.paths[0].way).toMatchObject({ kind: 'tunnel', peer: { name: 'k4' } });
    expect(answer.paths[0].ingress).toMatchObject({ pod: 'shop/far', node: 'k4', verdict: 'deny' });
  });

  it('always lets a pod and its own node through, and itself', () => {
    const world = worldOf([NOBODY]);
    expect(ask(world, 'node/k1', 'db', { port: 80 }).paths[0].ingress.text).toBe(
      'allowed, always: a pod and its own node',
    );
    expect(ask(world, 'db', 'db', { port: 80 }).paths[0].ingress.text).toBe(
      'allowed, always: a pod and itself',
    );
    expect(ask(world, 'node/k4', 'db', { port: 80 }).text).toBe('refused: ingress of shop/db');
  });

  it('refuses before it says that there is no way', () => {
    expect(ask(worldOf([NO_EGRESS]), 'back', 'web', { port: 80 }).verdict).toBe('refused');
    const apart = ask(worldOf([]), 'back', 'web', { port: 80 });
    expect(['unreachable', 'refused']).toContain(apart.verdict);
    expect(apart.paths[0].way.text).toBe('networks backend and default are kept apart');
  });

  it('names rules of administrators', () => {
    const ops = parseAdminPolicy({
      apiVersion: 'policy.networking.k8s.io/v1alpha1',
      kind: 'AdminNetworkPolicy',
      metadata: { name: 'ops' },
      spec: {
        priority: 1,
        subject: { namespaces: {} },
        ingress: [
          { action: 'Allow', from: [{ namespaces: { matchLabels: { team: 'none' } } }] },
          {
            action: 'Deny',
            from: [{ namespaces: {} }],
            ports: [{ portNumber: { protocol: 'TCP', port: 5432 } }],
          },
        ],
      },
    });
    const { ingress } = ask(worldOf([ops, DB]), 'web', 'db', { port: 5432 }).paths[0];
    expect(ingress.text).toBe('refused by AdminNetworkPolicy ops, spec.ingress[1]');
    expect(ingress.rule).toMatchObject({
      peer: { path: 'spec.ingress[1].from[0]' },
      port: { text: 'TCP 5432' },
    });
  });

  it('chooses the family and the network that both have', () => {
    expect(ask(worldOf([]), 'web', 'db', { family: 'IPv6' }).paths[0]).toMatchObject({
      from: { address: 'fd00::11' },
      to: { address: 'fd00::12' },
    });
    expect(ask(worldOf([]), 'web', 'fd00::12').paths[0].from.address).toBe('fd00::11');
    expect(refusal(() => ask(worldOf([]), 'back', 'fd00::12'))).toBe('INVALID to');
  });
});

describe('an explanation of a service', () => {
  const SQL = service('shop/sql:tcp', '10.96.0.9', ['10.244.0.12', '10.244.4.7']);
  const world = (more: Partial<ExplainWorld> = {}) => worldOf([DB], { services: [SQL], ...more });

  it('is about each backend, with its own port', () => {
    const answer = ask(world(), 'web', '10.96.0.9', { port: 80 });
    expect(answer).toMatchObject({
      verdict: 'allowed',
      service: { name: 'shop/sql:tcp', address: '10.96.0.9', port: 80, backends: 2, otherBackends: 0 },
    });
    expect(answer.paths.map(({ to, port }) => [to.pod, port])).toEqual([
      ['shop/db', 5432],
      ['shop/far', 5432],
    ]);
    expect(ask(world(), 'back2@k1', '10.96.0.9').text).toBe(
      'refused: networks backend and default are kept apart',
    );
    const open = ask(worldOf([NOBODY], { services: [SQL] }), 'web', '10.96.0.9');
    expect([open.verdict, open.text]).toEqual(['depends', 'depends on the backend: allowed to 1 of 2']);
  });

  it('is found by its name, its only port, and by ports of nodes', () => {
    const named = {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { name: 'sql', namespace: 'shop' },
      spec: {
        type: 'NodePort',
        sessionAffinity: 'None',
        ports: [{ name: 'tcp', protocol: 'TCP', port: 80, targetPort: 5432 }],
        clusterIP: '10.96.0.9',
        clusterIPs: ['10.96.0.9'],
      },
    } as const;
    const found = world({ service: (key) => (key === 'shop/sql' ? (named as never) : undefined) });
    const byAddress = ask(found, 'web', '10.96.0.9', { port: 80 });
    for (const text of ['svc/sql', 'service/shop/sql', 'sql', 'shop/sql']) {
      expect(ask(found, 'web', text).paths, text).toEqual(byAddress.paths);
    }
    expect(message(() => ask(found, 'web', 'sql', { port: 81 }))).toBe(
      'port: service shop/sql has no port 81; it has 80/TCP',
    );
    expect(message(() => ask(found, 'sql', 'web'))).toContain(
      'from: shop/sql is a service, which sends nothing',
    );
    // Of a client from outside the backends of the node that it came to: scope split.
    const outside = ask(found, '198.51.100.7', '10.244.0.2', { port: 30_080 });
    expect(outside.paths.map(({ to }) => to.pod)).toEqual(['shop/db']);
    expect(outside.service).toMatchObject({ backends: 1, otherBackends: 1 });
  });

  it('is not meant where somebody asks about the gateway or a node without a port', () => {
    const dns = ['TCP', 'UDP'].map((protocol, id) => ({
      ...SQL,
      ...{ id, name: `default/dns:${protocol}`, protocol: protocol as 'TCP' | 'UDP' },
      frontends: ['10.244.0.1', '10.96.0.10'].map((address) => ({
        address,
        port: 53,
        scope: 'cluster' as const,
      })),
    }));
    const found = world({ services: dns });
    expect(ask(found, 'web', '10.244.0.1')).toMatchObject({
      service: null,
      protocol: 'icmp',
      verdict: 'allowed',
    });
    expect(ask(found, 'web', '10.244.0.1', { port: 53 }).service?.name).toBe('default/dns:TCP');
    expect(ask(found, 'web', '10.244.0.1', { port: 53, protocol: 'udp' }).protocol).toBe('udp');
    expect(message(() => ask(found, 'web', '10.96.0.10'))).toBe(
      'port: several services are at 10.96.0.10: say which of 53/TCP, 53/UDP',
    );
    expect(ask(found, 'web', '10.96.0.10', { protocol: 'icmp' }).service).toBeNull();
  });

  it('says where a service has nobody', () => {
    const empty = world({ services: [service('shop/sql:tcp', '10.96.0.9', [])] });
    expect(ask(empty, 'web', '10.96.0.9', { port: 80 })).toMatchObject({
      verdict: 'unreachable',
      text: 'unreachable: service shop/sql:tcp has no endpoint that takes connections',
      paths: [],
    });
  });
});

describe('what is asked', () => {
  it.each([
    [{ to: 'db' }, 'INVALID from'],
    [{ from: 'web', to: 'db', port: 0 }, 'INVALID port'],
    [{ from: 'web', to: 'db', protocol: 'gre' }, 'INVALID protocol'],
    [{ from: 'web', to: 'db', protocol: 'icmp', port: 80 }, 'INVALID port'],
    [{ from: 'web', to: 'db', family: 'IPv5' }, 'INVALID family'],
    [{ from: 'web', to: 'db', sport: 1 }, 'INVALID sport'],
    [{ from: 'web', to: 'nobody' }, 'NOT_FOUND to'],
  ])('%j is refused: %s', (body, expected) => {
    expect(refusal(() => explain(parseExplain({ namespace: 'shop', ...body }), worldOf([])))).toBe(expected);
  });
});
