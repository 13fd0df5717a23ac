/** What becomes of policies, and that what is told step by step is what is there. */
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { PolicyPlan } from '../../../../src/control/policies/policy-plan.js';
import type {
  AdminPolicyPeer,
  AnyPolicy,
  LabelSelector,
  NetworkPolicyPeer,
  PolicyPod,
} from '../../../../src/control/policies/types.js';
import {
  adminPolicy,
  mirrorOf,
  networkPolicy,
  PolicyMirror,
  policyPod,
} from '../../../support/policy-plans.js';

let plan: PolicyPlan;

beforeEach(() => {
  plan = new PolicyPlan();
});

const app = (value: string): LabelSelector => ({ matchLabels: { app: value } });

/** Who is in the n-th set of the first ruleset, by address or port. */
function peersOf(rule = 0): unknown {
  const { ports } = mirrorOf(plan).meaning(plan) as {
    ports: [number, { rules: { sets: string[][] }[] }[], { rules: { sets: string[][] }[] }[]][];
  };
  const [, ingress, egress] = ports[0];
  const tiers = Array.isArray(ingress) ? ingress : egress;
  return tiers[0].rules[rule].sets;
}

describe('who a peer is', () => {
  beforeEach(() => {
    plan.setNamespace({ name: 'a', labels: { team: 'red' } });
    plan.setPod(policyPod('a/web', { app: 'web' }, { port: 1 }));
    plan.setPod(policyPod('a/db', { app: 'db' }, { ips: ['10.0.0.2'], node: 'n2' }));
    plan.setPod(policyPod('b/db', { app: 'db' }, { ips: ['10.0.0.3'], node: 'n2' }));
  });

  const from = (peer: object): void => {
    plan.setPolicy(networkPolicy('a/p', { podSelector: app('web'), ingress: [{ from: [peer] }] }));
  };

  it('without a namespaceSelector: pods of the policy’s namespace', () => {
    from({ podSelector: app('db') });
    expect(peersOf()).toEqual([[' 10.0.0.2']]);
  });

  it('with an empty podSelector: all pods of the namespace', () => {
    from({ podSelector: {} });
    expect(peersOf()).toEqual([[' 10.0.0.2', 'port 1']]);
  });

  it('with an empty namespaceSelector: of all namespaces', () => {
    from({ podSelector: app('db'), namespaceSelector: {} });
    expect(peersOf()).toEqual([[' 10.0.0.2', ' 10.0.0.3']]);
  });

  it('by labels of namespaces, also after these have changed', () => {
    from({ namespaceSelector: { matchLabels: { team: 'red' } } });
    expect(peersOf()).toEqual([[' 10.0.0.2', 'port 1']]);
    plan.setNamespace({ name: 'b', labels: { team: 'red' } });
    expect(peersOf()).toEqual([[' 10.0.0.2', ' 10.0.0.3', 'port 1']]);
    plan.removeNamespace('a');
    expect(peersOf()).toEqual([[' 10.0.0.3']]);
  });

  it('by the name of a namespace that is no resource', () => {
    from({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'b' } } });
    expect(peersOf()).toEqual([[' 10.0.0.3']]);
  });

  it('follows the labels of a pod', () => {
    from({ podSelector: app('db') });
    plan.setPod(policyPod('a/db', { app: 'old' }, { ips: ['10.0.0.2'], node: 'n2' }));
    expect(peersOf()).toEqual([[]]);
  });
});

describe('ports with names', () => {
  const http = (port: number): PolicyPod['ports'] => [{ name: 'http', protocol: 'TCP', port }];

  it('are the subject’s for what comes to it', () => {
    plan.setPod(policyPod('a/web', { app: 'web' }, { port: 1, ports: http(8080) }));
    plan.setPod(policyPod('a/web2', { app: 'web' }, { port: 2, ports: http(9090) }));
    plan.setPod(policyPod('a/web3', { app: 'web' }, { port: 3 }));
    plan.setPolicy(
      networkPolicy('a/p', {
        podSelector: app('web'),
        ingress: [
          {
            ports: [
              { protocol: 'TCP', port: 'http' },
              { protocol: 'UDP', port: 53 },
            ],
          },
        ],
      }),
    );
    const { rulesets, ports } = plan.whole();
    const told = (port: number): unknown =>
      rulesets.find(({ id }) => id === ports.find((spec) => spec.port === port)?.ingress)?.tiers[0].rules[0]
        .ports;
    const dns = { protocol: 'UDP', from: 53, to: 53 };
    expect(told(1)).toEqual([dns, { protocol: 'TCP', from: 8080, to: 8080 }]);
    expect(told(2)).toEqual([dns, { protocol: 'TCP', from: 9090, to: 9090 }]);
    expect(told(3)).toEqual([dns]);
  });

  const egress = (rule: object): void => {
    plan.setPolicy(
      networkPolicy('a/p', { podSelector: app('client'), policyTypes: ['Egress'], egress: [rule] }),
    );
  };
  const egressRules = (): unknown => {
    const [[, , tiers]] = (
      mirrorOf(plan).meaning(plan) as { ports: [number, unknown, { rules: object[] }[]][] }
    ).ports;
    return tiers[0].rules.map((rule) => ({ ...rule, note: undefined }));
  };
  const named = [{ protocol: 'TCP' as const, port: 'http' }];

  beforeEach(() => {
    plan.setPod(policyPod('a/client', { app: 'client' }, { port: 1 }));
    plan.setPod(policyPod('a/s1', { app: 'web' }, { ips: ['10.0.0.1'], ports: http(80) }));
    plan.setPod(policyPod('a/s2', { app: 'web' }, { ips: ['10.0.0.2'], ports: http(8080) }));
    plan.setPod(policyPod('b/s3', { app: 'web' }, { ips: ['10.0.0.3'], ports: http(80) }));
  });

  it('are each peer’s own for what is sent', () => {
    egress({ to: [{ podSelector: app('web') }], ports: named });
    expect(egressRules()).toMatchObject([
      { sets: [[' 10.0.0.1']], ports: [{ from: 80 }] },
      { sets: [[' 10.0.0.2']], ports: [{ from: 8080 }] },
    ]);
  });

  it('of anybody are those of pods', () => {
    egress({ ports: named });
    expect(egressRules()).toMatchObject([
      { sets: [[' 10.0.0.1', ' 10.0.0.3']], ports: [{ from: 80 }] },
      { sets: [[' 10.0.0.2']], ports: [{ from: 8080 }] },
    ]);
  });

  it('of a block are those of pods in it', () => {
    egress({ to: [{ ipBlock: { cidr: '10.0.0.0/24', except: ['10.0.0.3/32'] } }], ports: named });
    expect(egressRules()).toMatchObject([
      { blocks: [{ cidr: '10.0.0.1/32' }], ports: [{ from: 80 }] },
      { blocks: [{ cidr: '10.0.0.2/32' }], ports: [{ from: 8080 }] },
    ]);
    plan.setPod(policyPod('a/s2', { app: 'web' }, { ips: ['10.0.0.9'], ports: http(80) }));
    expect(egressRules()).toMatchObject([
      { blocks: [{ cidr: '10.0.0.1/32' }, { cidr: '10.0.0.9/32' }], ports: [{ from: 80 }] },
    ]);
  });

  it('that nobody has match nothing', () => {
    egress({ ports: [{ protocol: 'TCP', port: 'ftp' }] });
    expect(egressRules()).toEqual([]);
  });
});

describe('tiers', () => {
  it('come in order, admin policies by priority and then by name', () => {
    plan.setPod(policyPod('a/web', { app: 'web' }, { port: 1 }));
    const all = { namespaces: {} };
    const rule = { action: 'Deny' as const, from: [{ namespaces: {} }] };
    plan.setPolicy(adminPolicy('z', 5, { subject: all, ingress: [rule] }));
    plan.setPolicy(adminPolicy('y', 7, { subject: all, ingress: [rule] }));
    plan.setPolicy(adminPolicy('b', 7, { subject: all, ingress: [{ ...rule, action: 'Pass' }] }));
    plan.setPolicy(adminPolicy('default', undefined, { subject: all, ingress: [rule] }));
    const names = (): unknown =>
      plan
        .whole()
        .rulesets[0].tiers.map(({ rules, otherwise }) => [
          ...rules.map(({ note, action }) => `${plan.noteOf(note)?.policies[0].name} ${action}`),
          otherwise,
        ]);
    expect(names()).toEqual([
      ['z deny', 'b pass', 'y deny', 'next'],
      ['default deny', 'next'],
    ]);
    plan.setPolicy(networkPolicy('a/p', { podSelector: {} }));
    expect(names()).toEqual([['z deny', 'b pass', 'y deny', 'next'], ['deny']]);
  });

  it('name what decided', () => {
    plan.setPod(policyPod('a/web', { app: 'web' }, { port: 1 }));
    plan.setPolicy(networkPolicy('a/q', { podSelector: {} }));
    plan.setPolicy(networkPolicy('a/p', { podSelector: {}, ingress: [{}, { from: [{ podSelector: {} }] }] }));
    const [{ tiers }] = plan.whole().rulesets;
    const name = (of: string) => ({ kind: 'NetworkPolicy', namespace: 'a', name: of });
    const common = { direction: 'ingress', tier: 'policy' };
    expect(plan.noteOf(tiers[0].note)).toEqual({
      ...common,
      action: 'deny',
      policies: [name('p'), name('q')],
    });
    expect(plan.noteOf(tiers[0].rules[1].note)).toEqual({
      ...common,
      action: 'allow',
      policies: [name('p')],
      path: 'spec.ingress[1]',
    });
  });
});

describe('what is told', () => {
  it('is nothing of policies that select no pod of this node', () => {
    plan.setPod(policyPod('a/web', { app: 'web' }, { ips: ['10.0.0.1'] }));
    plan.setPod(policyPod('a/db', { app: 'db' }, { port: 4 }));
    plan.setPolicy(
      networkPolicy('a/p', { podSelector: app('web'), ingress: [{ from: [{ podSelector: {} }] }] }),
    );
    const { rulesets, sets, ports } = plan.changes();
    expect({ rulesets, sets }).toEqual({ rulesets: [], sets: [] });
    expect(ports).toMatchObject([{ port: 4, ingress: 0, egress: 0 }]);
  });

  it('is one identity and a port where one label has changed', () => {
    for (const [index, name] of ['w1', 'w2', 'w3'].entries()) {
      plan.setPod(policyPod(`a/${name}`, { app: 'web' }, { port: index }));
    }
    plan.setPolicy(
      networkPolicy('a/p', { podSelector: app('web'), ingress: [{ from: [{ podSelector: {} }] }] }),
    );
    plan.changes();
    plan.setPod(policyPod('a/w2', { app: 'web', more: 'x' }, { port: 1 }));
    const changes = plan.changes();
    expect(changes.identities).toHaveLength(1);
    expect(changes).toMatchObject({ ports: [{ port: 1 }], sets: [], rulesets: [], addresses: [] });
  });

  it('is nothing where nothing has changed', () => {
    const pod = policyPod('a/web', { app: 'web' }, { port: 1 });
    const policy = networkPolicy('a/p', { podSelector: {} });
    plan.setPod(pod);
    plan.setPolicy(policy);
    plan.changes();
    plan.setPod({ ...pod });
    plan.setPolicy({ ...policy, metadata: { ...policy.metadata, resourceVersion: '7' } });
    plan.setNamespace({ name: 'a', labels: {} });
    for (const [name, told] of Object.entries(plan.changes())) expect([name, told]).toEqual([name, []]);
  });

  it('names an address for as long as somebody has it, the last word first', () => {
    plan.setPod(policyPod('a/one', {}, { ips: ['10.0.0.1'], node: 'n2' }));
    plan.changes();
    plan.setPod(policyPod('a/two', { x: '1' }, { ips: ['10.0.0.1'], node: 'n3' }));
    const [moved] = plan.changes().addresses;
    plan.removePod('a/two@n3');
    const [back] = plan.changes().addresses;
    plan.removePod('a/one@n2');
    expect(moved.identity).not.toBe(back.identity);
    expect(plan.changes().addresses).toEqual([{ address: '10.0.0.1', identity: 0 }]);
  });

  it('puts overlays into their domains', () => {
    plan.setDomain('blue', 7);
    plan.setPod(policyPod('a/one', {}, { ips: ['10.9.0.1'], network: 'blue', node: 'n2' }));
    expect(plan.changes().addresses).toMatchObject([{ address: '10.9.0.1', domain: 7 }]);
    plan.setDomain('blue', 8);
    expect(plan.changes().addresses).toMatchObject([
      { domain: 7, identity: 0 },
      { domain: 8, identity: 2 },
    ]);
  });

  it('has nodes as nodes, and where an admin policy names them, their addresses', () => {
    plan.setPod(policyPod('a/web', {}, { port: 1 }));
    plan.setPolicy(
      adminPolicy('p', 1, {
        subject: { namespaces: {} },
        egress: [{ action: 'Deny', to: [{ nodes: { matchLabels: { zone: 'x' } } }] }],
      }),
    );
    plan.setNode({ name: 'n2', labels: { zone: 'x' }, addresses: ['10.0.2.1', 'fd00::2'] });
    const { addresses, rulesets } = plan.changes();
    expect(addresses.map(({ identity }) => identity)).toEqual([1, 1]);
    expect(rulesets[0].tiers[0].rules[0].peers?.blocks).toEqual([
      { cidr: '10.0.2.1/32' },
      { cidr: 'fd00::2/128' },
    ]);
  });
});

const key = fc.constantFrom('app', 'tier');
const value = fc.constantFrom('x', 'y');
const labels = fc.dictionary(key, value, { maxKeys: 2 });
const selector: fc.Arbitrary<LabelSelector> = fc.oneof(
  fc.record({ matchLabels: labels }),
  fc.record({
    matchExpressions: fc.array(
      fc.oneof(
        fc.record({
          key,
          operator: fc.constantFrom('In' as const, 'NotIn' as const),
          values: fc.uniqueArray(value, { minLength: 1 }),
        }),
        fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
      ),
      { maxLength: 2 },
    ),
  }),
);
const port = fc.oneof(
  fc.record({ protocol: fc.constant('TCP' as const), port: fc.constantFrom(80, 'http', 'dns') }),
  fc.record({ protocol: fc.constantFrom('TCP' as const, 'UDP' as const) }),
);
const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.constant<NetworkPolicyPeer>({ ipBlock: { cidr: '10.0.0.0/29', except: ['10.0.0.4/31'] } }),
);
const namespace = fc.constantFrom('a', 'b');
const list = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { maxLength: 2 });
const network: fc.Arbitrary<AnyPolicy> = fc
  .record({
    name: fc.constantFrom('p', 'q', 'r'),
    namespace,
    podSelector: selector,
    ingress: list(fc.record({ from: list(peer), ports: list(port) })),
    egress: list(fc.record({ to: list(peer), ports: list(port) })),
  })
  .map(({ name, namespace: of, ...spec }) => networkPolicy(`${of}/${name}`, spec));
const subject = fc.record({ pods: fc.record({ namespaceSelector: selector, podSelector: selector }) });
const adminPeer = fc.oneof(
  subject,
  fc.record({ namespaces: selector }),
  fc.constant<AdminPolicyPeer>({ networks: ['10.0.0.0/30'] }),
  fc.record({ nodes: selector }),
);
const admin: fc.Arbitrary<AnyPolicy> = fc
  .record({
    name: fc.constantFrom('p', 'q'),
    priority: fc.option(fc.nat(2), { nil: undefined }),
    subject,
    rules: list(
      fc.record({
        action: fc.constantFrom('Allow' as const, 'Deny' as const, 'Pass' as const),
        to: fc.array(adminPeer, { minLength: 1, maxLength: 2 }),
        ports: list(
          fc.constantFrom({ namedPort: 'http' }, { portNumber: { protocol: 'TCP' as const, port: 80 } }),
        ),
      }),
    ),
  })
  .map(({ name, priority, rules, subject: of }) =>
    adminPolicy(name, priority, { subject: of, egress: rules }),
  );
const pod: fc.Arbitrary<PolicyPod> = fc
  .record({
    index: fc.nat(5),
    labels,
    isLocal: fc.boolean(),
    network: fc.constantFrom('default', 'blue'),
    ports: list(
      fc.record({
        name: fc.constantFrom('http', 'dns'),
        protocol: fc.constantFrom('TCP' as const, 'UDP' as const),
        port: fc.constantFrom(80, 53),
      }),
    ),
  })
  .map(({ index, labels: of, isLocal, network: net, ports }) =>
    policyPod(`${index % 2 ? 'a' : 'b'}/pod${index}`, of, {
      ips: [`10.0.0.${index}`],
      network: net,
      ports,
      ...(isLocal && { port: index }),
    }),
  );

type Step = (plan: PolicyPlan, mirror: PolicyMirror) => void;
const removePod = (to: PolicyPlan, mirror: PolicyMirror, index: number): void => {
  to.removePod(`${index % 2 ? 'a' : 'b'}/pod${index}@n1`);
  mirror.forgetPort(index);
};
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: pod.map((one) => (to: PolicyPlan, mirror: PolicyMirror) => {
      if (one.interfaces[0].port === undefined) mirror.forgetPort(Number(one.name.slice(3)));
      to.setPod(one);
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .nat(5)
      .map((index) => (to: PolicyPlan, mirror: PolicyMirror) => removePod(to, mirror, index)),
  },
  {
    weight: 3,
    arbitrary: fc.oneof(network, admin).map((policy) => (to: PolicyPlan) => to.setPolicy(policy)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(namespace, fc.constantFrom('p', 'q', 'r')).map(
      ([of, name]) =>
        (to: PolicyPlan) =>
          to.removePolicy('NetworkPolicy', `${of}/${name}`),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('p', 'q')
      .map((name) => (to: PolicyPlan) => to.removePolicy('AdminNetworkPolicy', name)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(namespace, labels).map(
      ([name, of]) =>
        (to: PolicyPlan) =>
          to.setNamespace({ name, labels: of }),
    ),
  },
  { weight: 1, arbitrary: namespace.map((name) => (to: PolicyPlan) => to.removeNamespace(name)) },
  {
    weight: 1,
    arbitrary: labels.map(
      (of) => (to: PolicyPlan) => to.setNode({ name: 'n2', labels: of, addresses: ['10.0.0.7'] }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .option(fc.nat(3), { nil: undefined })
      .map((domain) => (to: PolicyPlan) => to.setDomain('blue', domain)),
  },
);

describe('step by step', () => {
  it('is told what there is', () => {
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 3 }), { maxLength: 12 }), (rounds) => {
        const living = new PolicyPlan();
        const mirror = new PolicyMirror();
        for (const steps of rounds) {
          for (const one of steps) one(living, mirror);
          mirror.change(living.changes());
          const whole = mirrorOf(living);
          expect(mirror.meaning(living)).toEqual(whole.meaning(living));
          expect([...mirror.rulesets.keys()].sort()).toEqual([...whole.rulesets.keys()].sort());
          expect([...mirror.members.keys()].sort()).toEqual([...whole.members.keys()].sort());
          expect([...mirror.identities].sort()).toEqual([...whole.identities].sort());
        }
        // And the same as if it had all been known at once, and only what is left.
        const fresh = new PolicyPlan();
        const ignored = new PolicyMirror();
        for (const one of rounds.flat().reverse().concat(rounds.flat())) one(fresh, ignored);
        expect(mirror.meaning(living)).toEqual(mirrorOf(fresh).meaning(fresh));
      }),
      { numRuns: 300 },
    );
  });
});
