/** Which routes keep networks apart, and the notes that they are refused under. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/control/compile.js';
import { apartNetworks, MOST_APART } from '../../../src/control/compile-apart.js';
import type { Plan, PlannedNetwork } from '../../../src/control/plan.js';
import { PolicyPlan } from '../../../src/control/policies/policy-plan.js';
import { compileTables } from '../../../src/dataplane/tables.js';

let table = 0;
function network(name: string, cidrs: string[], more: Partial<PlannedNetwork> = {}): PlannedNetwork {
  const domains = [{ id: ++table, cidrs, gateways: cidrs.map((cidr) => cidr.replace(/0?\/.*/, '1')) }];
  return { name, mode: 'bridge', sourceGuard: true, routeTable: table, domains, ...more };
}

const HOME = network('default', ['10.244.0.0/24', 'fd00::/64'], { mode: 'routed' });
const FRONT = network('front', ['10.80.0.0/24', 'fd00:80::/64']);
const BLUE = network('blue', ['10.70.0.0/24'], { mode: 'overlay' });
const CLOSED = network('closed', ['10.90.0.0/24']);
const INTERNAL = { ...CLOSED, domains: CLOSED.domains.map((domain) => ({ ...domain, gateways: [] })) };
const NETWORKS = [HOME, FRONT, BLUE, INTERNAL];
const CLUSTER = { clusterCidrs: ['10.244.0.0/16', 'fd00::/56'] };

/** `PREFIX KIND`, with the networks that the note names. */
function routesOf(of: PlannedNetwork, networks: PlannedNetwork[], more: Partial<Plan> = {}): string[] {
  const policies = new PolicyPlan();
  const notes = policies.keepApart(apartNetworks(networks));
  const apart = { ...CLUSTER, notes };
  const snapshot = compile({ generation: 1, networks, node: undefined, pods: [], apart, ...more });
  compileTables(snapshot);
  return snapshot.routes
    .filter((route) => route.table === of.routeTable && /apart|unreachable|port/.test(route.kind))
    .map((route) => {
      const note = route.kind === 'apart' ? policies.noteOf(route.note) : undefined;
      return `${route.prefix} ${route.kind}${note ? ` ${note.networks?.join(' ')}` : ''}`;
    })
    .sort();
}

describe('networks that are kept apart', () => {
  it('have a route to each other’s prefixes that says so, and to the cluster’s', () => {
    expect(routesOf(FRONT, NETWORKS)).toEqual([
      '10.244.0.0/16 apart front default',
      '10.244.0.0/24 apart front default',
      '10.70.0.0/24 apart front blue',
      'fd00::/56 apart front default',
      'fd00::/64 apart front default',
    ]);
    expect(routesOf(HOME, NETWORKS)).toEqual([
      '10.70.0.0/24 apart default blue',
      '10.80.0.0/24 apart default front',
      'fd00:80::/64 apart default front',
    ]);
    expect(routesOf(INTERNAL, NETWORKS)).toEqual([]);
  });

  it('have the same with a way out, and no route there to what has no router or is no node’s', () => {
    const node = {
      ...{ id: 1, name: 'podwire0', network: 'default', domain: 0, mac: '02:70:0a:f4:00:02', mtu: 1500 },
      ...{ ips: ['10.244.0.2'], otherAddresses: [] },
    };
    const networks = NETWORKS.map((one) => ({ ...one, egress: true }));
    const isOut = (route: string) => /^(0\.0\.0\.0|::)\/0/.test(route) || route.startsWith('10.244.0.2/32');
    const found = routesOf(HOME, networks, { node, egress: CLUSTER }).filter((route) => !isOut(route));
    expect(found).toEqual([
      '10.244.0.0/16 unreachable',
      '10.70.0.0/24 apart default blue',
      '10.80.0.0/24 apart default front',
      '10.90.0.0/24 unreachable',
      'fd00:80::/64 apart default front',
      'fd00::/56 unreachable',
    ]);
  });

  it('are not told so where they are many', () => {
    const many = Array.from({ length: MOST_APART }, (_, i) => network(`n${i}`, [`10.${i}.0.0/24`]));
    expect(routesOf(many[1], many)).toHaveLength(MOST_APART - 1);
    expect(routesOf(FRONT, [...many, FRONT])).toEqual([]);
  });
});

describe('their notes', () => {
  it('stay while the networks are there, and are known for a while after', () => {
    const plan = new PolicyPlan();
    const before = plan.keepApart(['a', 'b']);
    expect(plan.keepApart(['a', 'b'])).toBe(before);
    const after = plan.keepApart(['a', 'b', 'c']);
    expect(after.get('a b')).toBe(before.get('a b'));
    expect(new Set(after.values()).size).toBe(6);
    plan.keepApart([]);
    expect(plan.noteOf(after.get('c a') ?? 0)).toEqual({
      ...{ direction: 'egress', tier: 'network', action: 'deny', policies: [] },
      networks: ['c', 'a'],
    });
    expect(plan.keepApart(['b', 'c']).get('b c')).toBe(after.get('b c'));
  });
});
