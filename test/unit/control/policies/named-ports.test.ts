/**
 * An egress rule with a block and the name of a port, where an overlay gives one pod the address that another has in the networks
 * that are routed: the name is looked for in the network that is asked from.
 */
import { describe, expect, it } from 'vitest';
import { parseNetworkPolicy } from '../../../../src/control/model/network-policy.js';
import { PolicyPlan } from '../../../../src/control/policies/policy-plan.js';
import type { PolicyPod } from '../../../../src/control/policies/types.js';
import { ASK, PolicyTable } from '../../../../src/dataplane/policy/policy-table.js';
import { parseIpv4 } from '../../../../src/wire/address.js';

const SHARED = '10.0.1.2';

function pod(name: string, interfaces: PolicyPod['interfaces'], port?: number): PolicyPod {
  const ports = port === undefined ? [] : [{ name: 'http', protocol: 'TCP' as const, port }];
  return { namespace: 'default', name, node: 'n1', labels: { name }, ports, interfaces };
}

const CLIENT = pod('client', [
  { network: 'default', ips: ['10.0.2.2'], port: 1 },
  { network: 'blue', ips: ['10.0.9.2'], port: 2 },
]);
const ROUTED = pod('routed', [{ network: 'default', ips: [SHARED] }], 80);
const OVERLAID = pod('overlaid', [{ network: 'blue', ips: [SHARED] }], 8080);

const POLICY = parseNetworkPolicy({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'named' },
  spec: {
    podSelector: { matchLabels: { name: 'client' } },
    policyTypes: ['Egress'],
    egress: [{ to: [{ ipBlock: { cidr: '10.0.1.0/24' } }], ports: [{ port: 'http' }] }],
  },
});

describe('a named port in a block', () => {
  it.each(['before', 'after'])('is that of the network, if it is an overlay %s the policy', (when) => {
    const plan = new PolicyPlan();
    const table = new PolicyTable(1, 1024);
    if (when === 'before') plan.setDomain('blue', 3);
    for (const one of [CLIENT, ROUTED, OVERLAID]) plan.setPod(one);
    plan.setPolicy(POLICY);
    table.change({ ...plan.changes(), generation: 1 });
    plan.setDomain('blue', 3);
    table.change({ ...plan.changes(), generation: 2 });
    const address = Int32Array.of(0, 0, 0, parseIpv4(SHARED));
    const asks = (port: number, number: number): boolean =>
      table.allows(ASK.EGRESS, port, table.find4(port === 2 ? 4 : 0, address[3]), address, false, 6, number);
    const answers = [1, 2].map((port) => [80, 8080].map((number) => asks(port, number)));
    expect(answers).toEqual([
      [true, false],
      [false, true],
    ]);
  });
});
