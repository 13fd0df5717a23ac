import { beforeEach, describe, expect, it } from 'vitest';
import { PolicyPlan } from '../../../../src/control/policies/policy-plan.js';
import type { PolicyEnd, PolicyVerdict } from '../../../../src/control/policies/types.js';
import { adminPolicy, networkPolicy, policyPod } from '../../../support/policy-plans.js';

const TCP = 6;
const ICMP = 1;
let plan: PolicyPlan;

beforeEach(() => {
  plan = new PolicyPlan();
  plan.setClusterCidrs(['10.0.0.0/16', 'fd00::/64']);
  plan.setNode({ name: 'n1', labels: {}, addresses: ['10.0.1.1', '192.0.2.1'] });
  plan.setNode({ name: 'n2', labels: {}, addresses: ['10.0.2.1'] });
  plan.setPod(policyPod('a/web', { app: 'web' }, { port: 1, ips: ['10.0.1.2', 'fd00::2'] }));
  plan.setPod(policyPod('a/db', { app: 'db' }, { node: 'n2', ips: ['10.0.2.3', 'fd00::3'] }));
  plan.setPod(policyPod('b/web', { app: 'web' }, { node: 'n2', ips: ['10.0.2.4'] }));
  plan.setPolicy(
    networkPolicy('a/db', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'web' } } }],
          ports: [{ protocol: 'TCP', port: 5432 }],
        },
      ],
    }),
  );
});

function ask(from: PolicyEnd, to: PolicyEnd, port?: number, protocol = TCP): [PolicyVerdict, PolicyVerdict] {
  const { egress, ingress } = plan.judge({ from, to, protocol, ...(port !== undefined && { port }) });
  return [egress, ingress];
}

const db = { pod: 'a/db' };
const policies = [{ kind: 'NetworkPolicy', namespace: 'a', name: 'db' }];
const common = { direction: 'ingress', tier: 'policy', policies };
const OPEN = { allowed: true, reason: 'open' };

describe('a question about two pods', () => {
  it('is answered with the rule that decides, of a pod of another node too', () => {
    expect(ask({ pod: 'a/web' }, db, 5432)).toEqual([
      OPEN,
      { allowed: true, reason: 'policy', note: { ...common, action: 'allow', path: 'spec.ingress[0]' } },
    ]);
    const refused = { allowed: false, reason: 'policy', note: { ...common, action: 'deny' } };
    expect(ask({ pod: 'a/web' }, db, 80)).toEqual([OPEN, refused]);
    expect(ask({ pod: 'b/web' }, db, 5432)).toEqual([OPEN, refused]);
    expect(ask({ pod: 'a/web' }, db, undefined, ICMP)).toEqual([OPEN, refused]);
  });

  it('knows them by their addresses, of either family', () => {
    const answer = plan.judge({
      from: { address: 'fd00:0::2' },
      to: { address: 'fd00::3' },
      protocol: TCP,
      port: 5432,
    });
    expect(answer).toMatchObject({
      family: 6,
      from: { address: 'fd00::2', pod: { name: 'web' } },
      to: { pod: { name: 'db' } },
      ingress: { allowed: true, note: { path: 'spec.ingress[0]' } },
    });
  });

  it('leaves what is told as it was', () => {
    plan.changes();
    ask({ pod: 'a/web' }, db, 5432);
    for (const told of Object.values(plan.changes())) expect(told).toEqual([]);
  });
});

describe('before any rule', () => {
  it('a pod and its own node, at whichever address, and a pod and itself', () => {
    const denied = { allowed: false };
    expect(ask({ node: 'n2' }, db, 80)[1]).toEqual({ allowed: true, reason: 'own-node' });
    expect(ask({ node: 'n1' }, db, 80)[1]).toMatchObject(denied);
    expect(ask({ address: '10.0.2.1' }, db, 80)[1]).toMatchObject({ reason: 'own-node' });
    expect(ask(db, db, 80)).toEqual([
      { allowed: true, reason: 'self' },
      { allowed: true, reason: 'self' },
    ]);
    expect(ask({ address: '192.0.2.1' }, { pod: 'a/web' }, 80)).toEqual([
      { allowed: true, reason: 'outside' },
      { allowed: true, reason: 'own-node' },
    ]);
  });
});

describe('addresses of nobody', () => {
  it('in the cluster match what is denied, and outside of it blocks only', () => {
    const subject = { namespaces: {} };
    plan.setPolicy(
      adminPolicy('x', 1, { subject, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] }),
    );
    expect(ask({ address: '10.0.9.9' }, { pod: 'a/web' }, 80)[1]).toMatchObject({
      allowed: false,
      note: { tier: 'admin', path: 'spec.ingress[0]' },
    });
    expect(ask({ address: '198.51.100.1' }, { pod: 'a/web' }, 80)[1]).toEqual({
      allowed: true,
      reason: 'policy',
    });
  });
});

describe('what cannot be answered', () => {
  it('is refused', () => {
    expect(() => ask({ pod: 'a/none' }, db)).toThrow(/no pod a\/none/);
    expect(() => ask({ address: 'fd00::9' }, { pod: 'b/web' })).toThrow(/one family/);
    plan.setPod(policyPod('a/db', {}, { node: 'n3', ips: ['10.0.3.3'] }));
    expect(() => ask({ pod: 'a/web' }, db)).toThrow(/a\/db@NODE/);
    expect(ask({ pod: 'a/web' }, { pod: 'a/db@n3' }, 80)[1]).toEqual(OPEN);
  });
});
