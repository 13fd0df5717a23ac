/** The oracle that policies are fuzzed against, itself held against what people expect of policies that they know. */
import { describe, expect, it } from 'vitest';
import type { OracleCluster } from '../support/policy-manifests.js';
import { judge } from '../support/policy-oracle.js';
import { admin, CASES, clusterWith, PODS, policy, WEB, WORLD } from '../support/policy-recipes.js';

const addressOf = (name: string, family = 0): string =>
  PODS.find((one) => one.name === name)?.interfaces[0].ips[family] ?? name;

function isOpen(cluster: OracleCluster, from: string, to: string, ask: string): boolean {
  const [protocol, port] = ask.split(' ');
  const number = port === undefined ? undefined : Number(port);
  const verdicts = [0, 1].map((family) => {
    const ends = { from: addressOf(from, family), to: addressOf(to, family) };
    if (ends.from.includes(':') !== ends.to.includes(':')) return undefined;
    const { egress, ingress } = judge(cluster, { ...ends, protocol, port: number });
    return egress.allowed && ingress.allowed;
  });
  return verdicts.find((verdict) => verdict !== undefined) ?? false;
}

function reach(cluster: OracleCluster, [side, name, ...ask]: readonly string[]): string {
  const others = [...PODS.map((one) => one.name), WORLD].filter((other) => other !== name);
  return others
    .filter((other) =>
      isOpen(
        cluster,
        ...((side === 'to' ? [other, name] : [name, other]) as [string, string]),
        ask.join(' '),
      ),
    )
    .join(' ');
}

describe('the oracle of policies', () => {
  it.each(CASES)('%s', (_, manifests, expected) => {
    const cluster = clusterWith(manifests);
    const found = Object.fromEntries(
      Object.keys(expected).map((ask) => [ask, reach(cluster, ask.split(' '))]),
    );
    expect(found).toEqual(expected);
  });

  it('lets a pod reach itself and its own node, whatever the policies', () => {
    const cluster = clusterWith(
      policy('{ podSelector: {}, policyTypes: [Ingress, Egress] }') +
        admin(0, 'subject: { namespaces: {} }, egress: [{ action: Deny, to: [{ networks: [0.0.0.0/0] }] }]'),
    );
    const asked = ['web', '10.0.1.1', '10.0.2.1'].map((to) => isOpen(cluster, 'web', to, 'TCP 80'));
    expect(asked).toEqual([true, true, false]);
    expect(isOpen(cluster, '10.0.1.1', 'web', 'TCP 80')).toBe(true);
    expect(isOpen(cluster, '10.0.2.1', 'web', 'TCP 80')).toBe(false);
  });

  it('takes an address of the cluster that is nobody known for whom rules refuse', () => {
    const rules = (action: string) =>
      admin(
        0,
        `subject: { namespaces: {} }, ingress: [{ action: ${action}, from: [{ namespaces: { matchLabels: { no: one } } }] }]`,
      );
    const asked = (cidrs: string[], action: string) =>
      isOpen(clusterWith(rules(action) + policy(`{ ${WEB} }`), cidrs), '10.0.2.99', 'shop', 'TCP 80');
    expect([asked([], 'Deny'), asked(['10.0.0.0/16'], 'Deny'), asked(['10.0.0.0/16'], 'Allow')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});
