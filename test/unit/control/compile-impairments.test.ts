/** Limits and impairments in the snapshot: at which port, in which direction, and each packet once. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/control/compile.js';
import type { PlannedEnd, PlannedImpairment } from '../../../src/control/compile-impairments.js';
import type { Plan, PlannedNetwork, PlannedPort } from '../../../src/control/plan.js';
import { compileTables } from '../../../src/dataplane/tables.js';

function network(name: string, id: number, ...cidrs: string[]): PlannedNetwork {
  const domains = [{ id, cidrs, gateways: [] }];
  return { name, mode: 'bridge', sourceGuard: true, routeTable: id + 1, domains };
}

function port(
  id: number,
  name: string,
  of: string,
  ips: string[],
  more: Partial<PlannedPort> = {},
): PlannedPort {
  const mac = `02:70:00:00:01:0${id}`;
  return { id, name, network: of, domain: 0, mac, ips, mtu: 1500, ...more };
}

const NETWORKS = [network('default', 0, '10.0.0.0/24', 'fd00::/64'), network('lab', 1, '10.0.0.0/24')];
const PODS = [
  port(1, 'default/a', 'default', ['10.0.0.1', 'fd00::1']),
  port(2, 'default/b', 'default', ['10.0.0.2', 'fd00::2']),
  port(3, 'default/a/eth1', 'lab', ['10.0.0.1']),
  port(4, 'default/b/eth1', 'lab', ['10.0.0.9']),
  port(5, 'default/c', 'default', ['10.0.0.3']),
];
const pod = (name: string): PlannedEnd => ({ kind: 'pod', key: `default/${name}` });
const addresses = (cidr: string): PlannedEnd => ({ kind: 'addresses', cidr });

function impairments(...given: PlannedImpairment[]): Record<string, unknown> {
  const plan: Plan = { generation: 1, networks: NETWORKS, node: undefined, pods: PODS, impairments: given };
  const snapshot = compile(plan);
  expect(compileTables(snapshot).generation).toBe(1);
  return Object.fromEntries(
    snapshot.ports.flatMap((of) => (of.impairments ? [[of.name, of.impairments]] : [])),
  );
}

describe('impairments', () => {
  it('between two pods are done where the sender is, in each network they share', () => {
    const from = 'from-port';
    expect(impairments({ from: pod('a'), to: pod('b'), bidirectional: true, delayMs: 5 })).toEqual({
      'default/a': [{ direction: from, prefixes: ['10.0.0.2/32', 'fd00::2/128'], delayMs: 5 }],
      'default/b': [{ direction: from, prefixes: ['10.0.0.1/32', 'fd00::1/128'], delayMs: 5 }],
      'default/a/eth1': [{ direction: from, prefixes: ['10.0.0.9/32'], delayMs: 5 }],
      'default/b/eth1': [{ direction: from, prefixes: ['10.0.0.1/32'], delayMs: 5 }],
    });
    expect(Object.keys(impairments({ from: pod('a'), to: pod('c'), bidirectional: false, loss: 1 }))).toEqual(
      ['default/a'],
    );
  });

  it('between a pod and addresses are done at the pod, both ways', () => {
    const both = { from: addresses('10.9.0.0/16'), to: pod('c'), bidirectional: true, loss: 0.1 };
    expect(impairments(both)).toEqual({
      'default/c': [
        { direction: 'to-port', prefixes: ['10.9.0.0/16'], loss: 0.1 },
        { direction: 'from-port', prefixes: ['10.9.0.0/16'], loss: 0.1 },
      ],
    });
    expect(impairments({ ...both, bidirectional: false })).toEqual({
      'default/c': [{ direction: 'to-port', prefixes: ['10.9.0.0/16'], loss: 0.1 }],
    });
  });

  it('wait for pods that are not there, and keep their order', () => {
    expect(impairments({ from: pod('a'), to: pod('z'), bidirectional: true, delayMs: 1 })).toEqual({});
    const one = { from: pod('c'), to: addresses('10.9.0.0/16'), bidirectional: false, delayMs: 1 };
    const two = { from: pod('c'), to: addresses('10.8.0.0/16'), bidirectional: false, delayMs: 2 };
    expect(impairments(two, one)).toMatchObject({ 'default/c': [{ delayMs: 2 }, { delayMs: 1 }] });
  });
});

describe('limits', () => {
  it('are turned round: what a pod sends comes from its port', () => {
    const limits = { egress: { rate: 8000, burst: 100 }, ingress: { rate: 9000, burst: 200 } };
    const of = (one: PlannedPort): unknown =>
      compile({ generation: 1, networks: NETWORKS, node: undefined, pods: [one] }).ports[0].rates;
    expect(of({ ...PODS[0], limits })).toEqual({
      fromPort: { bitsPerSecond: 8000, burstBytes: 100 },
      toPort: { bitsPerSecond: 9000, burstBytes: 200 },
    });
    expect(of({ ...PODS[0], limits: { ingress: limits.ingress } })).toEqual({
      toPort: { bitsPerSecond: 9000, burstBytes: 200 },
    });
    expect(of(PODS[0])).toBeUndefined();
  });
});
