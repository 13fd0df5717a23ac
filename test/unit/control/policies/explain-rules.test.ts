/** The item of a rule that matches, why none does, and where that stands in the YAML that people see. */

import { describe, expect, it } from 'vitest';
import { parseDocument, stringify } from 'yaml';
import { parseAdminPolicy } from '../../../../src/control/model/admin-policy.js';
import { parseNetworkPolicy } from '../../../../src/control/model/network-policy.js';
import { PolicyText } from '../../../../src/control/policies/explain-lines.js';
import { misfit, selectorText } from '../../../../src/control/policies/explain-selectors.js';
import { type Walk, walkPolicy } from '../../../../src/control/policies/explain-walk.js';
import type { PolicyPod } from '../../../../src/control/policies/types.js';

const NAMESPACES: Record<string, Record<string, string>> = {
  shop: { 'kubernetes.io/metadata.name': 'shop', team: 'a' },
  ops: { 'kubernetes.io/metadata.name': 'ops', team: 'b' },
};

function pod(namespace: string, name: string, labels: Record<string, string>): PolicyPod {
  const ports = [{ name: 'web', protocol: 'TCP' as const, port: 8080 }];
  return { namespace, name, node: 'k1', labels, ports, interfaces: [] };
}

const WEB = pod('shop', 'web', { app: 'web' });
const SCRAPER = pod('ops', 'scraper', { app: 'scraper', tier: 'infra' });

function walk(from: PolicyPod | string, port: number | undefined, more: Partial<Walk> = {}): Walk {
  const other = typeof from === 'string' ? { address: from } : { address: '10.244.0.9', pod: from };
  return {
    direction: 'ingress',
    other,
    asked: { protocol: 'TCP', port, destination: WEB },
    labelsOf: (name) => NAMESPACES[name] ?? {},
    ...more,
  };
}

const POLICY = parseNetworkPolicy({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [
      {
        from: [
          { podSelector: { matchLabels: { app: 'api' } } },
          {
            namespaceSelector: { matchLabels: { team: 'b' } },
            podSelector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['infra', 'ops'] }] },
          },
        ],
        ports: [{ port: 80 }, { port: 'web' }, { port: 9000, endPort: 9100 }],
      },
      { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.244.0.0/16'] } }] },
      { ports: [{ protocol: 'UDP' }] },
    ],
  },
});

/** `PATH: WHY` of the rules. */
function whys(question: Walk): string[] {
  return walkPolicy(POLICY, question).map(({ path, why }) => `${path}: ${why}`);
}

describe('a walk over rules', () => {
  it('names the items that match, and why the other rules do not', () => {
    const [first, second, third] = walkPolicy(POLICY, walk(SCRAPER, 8080));
    expect(first).toEqual({
      path: 'spec.ingress[0]',
      peer: {
        path: 'spec.ingress[0].from[1]',
        text: 'pods tier in (infra,ops) in namespaces team=b',
      },
      port: { path: 'spec.ingress[0].ports[1]', text: 'TCP web (8080)' },
      why: undefined,
    });
    expect(second.why).toBe('10.244.0.9 is in 10.244.0.0/16, which is excepted');
    expect(third).toMatchObject({ peer: undefined, port: undefined, why: 'TCP 8080 is not UDP, every port' });
  });

  it('says of peers and ports what they lack', () => {
    expect(whys(walk(WEB, 81))).toEqual([
      'spec.ingress[0]: shop/web is not app=api, namespace shop is not team=b; TCP 81 is not TCP 80, TCP web (8080), TCP 9000-9100',
      'spec.ingress[1]: 10.244.0.9 is in 10.244.0.0/16, which is excepted',
      'spec.ingress[2]: TCP 81 is not UDP, every port',
    ]);
    expect(whys(walk('192.0.2.1', 9050))[0]).toBe("spec.ingress[0]: 192.0.2.1 is no pod's");
    expect(whys(walk('192.0.2.1', 9050))[1]).toBe('spec.ingress[1]: 192.0.2.1 is not in 10.0.0.0/8');
    expect(whys(walk('10.1.2.3', 9050))[1]).toBe('spec.ingress[1]: undefined');
  });

  it('takes a question about ICMP or every port for what it is', () => {
    const icmp = { protocol: undefined, port: undefined, destination: WEB };
    expect(whys(walk(SCRAPER, undefined, { asked: icmp }))[0]).toBe(
      'spec.ingress[0]: ICMP is not TCP 80, TCP web (8080), TCP 9000-9100',
    );
    const every = { protocol: 'UDP' as const, port: undefined, destination: WEB };
    expect(walkPolicy(POLICY, walk(SCRAPER, undefined, { asked: every }))[2]).toMatchObject({
      port: { path: 'spec.ingress[2].ports[0]' },
      why: undefined,
    });
  });

  it('does not find a named port that the destination lacks', () => {
    const asked = { protocol: 'TCP' as const, port: 8080, destination: { ...WEB, ports: [] } };
    expect(whys(walk(SCRAPER, 8080, { asked }))[0]).toContain(
      'TCP web (which the destination does not have)',
    );
  });

  it('reads policies of administrators: namespaces, pods, networks, nodes, their ports', () => {
    const policy = parseAdminPolicy({
      apiVersion: 'policy.networking.k8s.io/v1alpha1',
      kind: 'AdminNetworkPolicy',
      metadata: { name: 'ops' },
      spec: {
        priority: 5,
        subject: { namespaces: {} },
        ingress: [
          { action: 'Allow', from: [{ namespaces: { matchLabels: { team: 'b' } } }] },
          {
            action: 'Deny',
            from: [{ pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } } }],
            ports: [
              { portNumber: { protocol: 'TCP', port: 22 } },
              { portRange: { protocol: 'TCP', start: 1, end: 9 } },
            ],
          },
          { action: 'Deny', from: [{ namespaces: {} }], ports: [{ namedPort: 'web' }] },
        ],
        egress: [{ action: 'Deny', to: [{ networks: ['10.0.0.0/8', '192.0.2.0/24'] }] }],
      },
    });
    const rules = walkPolicy(policy, walk(WEB, 8080));
    expect(rules.map(({ why }) => why)).toEqual([
      'namespace shop is not team=b',
      'TCP 8080 is not TCP 22, TCP 1-9',
      undefined,
    ]);
    expect(rules[2]).toMatchObject({
      peer: { path: 'spec.ingress[2].from[0]', text: 'all pods in every namespace' },
      port: { path: 'spec.ingress[2].ports[0]', text: 'web (8080)' },
    });
    const out = walk('198.51.100.1', 443, { direction: 'egress' });
    expect(walkPolicy(policy, out)[0].why).toBe('198.51.100.1 is not in 10.0.0.0/8, 192.0.2.0/24');
    expect(walkPolicy(policy, { ...out, other: { address: '192.0.2.7' } })[0].peer?.path).toBe(
      'spec.egress[0].to[0]',
    );
  });

  it('counts what is too much for a line', () => {
    const ports = [1, 2, 3, 4, 5].map((port) => ({ port }));
    const many = parseNetworkPolicy({ ...POLICY, spec: { podSelector: {}, ingress: [{ ports }] } });
    expect(walkPolicy(many, walk(WEB, 80))[0].why).toBe('TCP 80 is not TCP 1, TCP 2, TCP 3 and 2 more');
  });
});

describe('selectors', () => {
  it('are written as kubectl writes them, and say what does not fit', () => {
    const selector = {
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'NotIn' as const, values: ['a', 'b'] },
        { key: 'new', operator: 'Exists' as const },
        { key: 'old', operator: 'DoesNotExist' as const },
      ],
    };
    expect(selectorText(selector)).toBe('app=web,tier notin (a,b),new,!old');
    expect(selectorText({})).toBeUndefined();
    expect(misfit(selector, { app: 'web', new: '' })).toBeUndefined();
    expect(misfit(selector, { app: 'web', new: '', old: '' })).toBe('!old');
    expect(misfit(selector, { app: 'web', tier: 'b', new: '' })).toBe('tier notin (a,b)');
    expect(misfit(selector, { app: 'web' })).toBe('new');
    expect(misfit({ matchLabels: { constructor: 'x' } }, {})).toBe('constructor=x');
  });
});

describe('lines of a policy', () => {
  const view = { ...POLICY, metadata: { ...POLICY.metadata, resourceVersion: '7', uid: undefined } };
  const lines = stringify(JSON.parse(JSON.stringify(view))).split('\n');
  const text = new PolicyText(view as typeof POLICY);

  it('are those that the command prints', () => {
    expect(lines[text.lineOf('spec.ingress[0]') - 1]).toBe('    - from:');
    expect(lines[text.lineOf('spec.ingress[0].from[1]') - 1]).toMatch(
      /^ {8}- (podSelector|namespaceSelector):$/,
    );
    expect(lines[text.lineOf('spec.ingress[0].ports[1]') - 1]).toBe('        - protocol: TCP');
    expect(lines[text.lineOf('spec.ingress[2]') - 1]).toBe('    - ports:');
    expect(text.lineOf('spec.ingress[3]')).toBe(0);
  });

  it('are shown from the rule to the items, without what is between', () => {
    const shown = text.excerpt('spec.ingress[0]', ['spec.ingress[0].from[1]', 'spec.ingress[0].ports[1]']);
    for (const line of shown) expect(lines[line.number - 1]).toBe(line.text);
    const [list, rule] = shown;
    expect([list.text, rule.text]).toEqual(['  ingress:', '    - from:']);
    expect(shown.some(({ text: one }) => one.includes('app: api'))).toBe(false);
    // What is marked is the two items and nothing else, by the YAML library's word.
    const marked = shown.filter(({ matched }) => matched).map((line) => line.text);
    const split = marked.findIndex((line) => line.includes('protocol'));
    const read = (part: string[]) => parseDocument(part.join('\n')).toJS();
    expect(read(marked.slice(0, split))).toEqual([POLICY.spec.ingress?.[0].from?.[1]]);
    expect(read(marked.slice(split))).toEqual([POLICY.spec.ingress?.[0].ports?.[1]]);
  });

  it('are the whole rule where it names nobody, and not more than a screen of a long item', () => {
    const values = Array.from({ length: 200 }, (_, index) => `v${index}`);
    const long = { matchExpressions: [{ key: 'a', operator: 'In', values }] };
    const policy = parseNetworkPolicy({
      ...POLICY,
      spec: { podSelector: {}, ingress: [{}, { from: [{ podSelector: long }] }] },
    });
    const other = new PolicyText(policy);
    const all = other.excerpt('spec.ingress[0]', []);
    expect(all.map(({ text: one, matched }) => [one, matched])).toEqual([
      ['  ingress:', false],
      ['    - {}', true],
    ]);
    expect(other.excerpt('spec.ingress[1]', ['spec.ingress[1].from[0]']).length).toBeLessThan(50);
  });
});
