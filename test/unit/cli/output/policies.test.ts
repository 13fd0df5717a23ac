import { describe, expect, it } from 'vitest';
import {
  ADMIN_POLICY_COLUMNS,
  BASELINE_COLUMNS,
  NETWORK_POLICY_COLUMNS,
  selectorText,
} from '../../../../src/cli/output/policies.js';
import { renderTable } from '../../../../src/cli/output/table.js';
import { parseAdminPolicy, parseBaselinePolicy } from '../../../../src/control/model/admin-policy.js';
import { parseNetworkPolicy } from '../../../../src/control/model/network-policy.js';

const metadata = { name: 'p', namespace: 'shop', labels: { team: 'one' } };

/** Blanks as one. */
function lines(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').trim());
}

function networkPolicy(spec: object): string[] {
  const given = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec };
  return lines(renderTable([parseNetworkPolicy(given)], NETWORK_POLICY_COLUMNS, true));
}

const apiVersion = 'policy.networking.k8s.io/v1alpha1';
const rule = { action: 'Allow', from: [{ namespaces: {} }] };

describe('the table of network policies', () => {
  it('has the pods, the types and how many rules there are', () => {
    expect(networkPolicy({ podSelector: { matchLabels: { app: 'db' } }, ingress: [{}, {}] })).toEqual([
      'NAMESPACE NAME POD-SELECTOR TYPES INGRESS EGRESS AGE LABELS',
      'shop p app=db Ingress 2 - - team=one',
    ]);
  });

  it('tells no rules, where nothing may pass, from what it is not about', () => {
    expect(networkPolicy({ policyTypes: ['Egress'], ingress: [{}] })[1]).toBe(
      'shop p <none> Egress - 0 - team=one',
    );
  });
});

describe('the tables of administrators’ policies', () => {
  it('have priority, subject and how many rules there are', () => {
    const pods = { namespaceSelector: {}, podSelector: { matchLabels: { app: 'db' } } };
    const spec = { priority: 5, subject: { pods }, ingress: [rule] };
    const policy = parseAdminPolicy({ apiVersion, kind: 'AdminNetworkPolicy', metadata, spec });
    expect(lines(renderTable([policy], ADMIN_POLICY_COLUMNS))).toEqual([
      'NAME PRIORITY SUBJECT INGRESS EGRESS AGE',
      'p 5 ns:* pods:app=db 1 0 -',
    ]);
  });

  it('have no priority where there is one policy only', () => {
    const spec = { subject: { namespaces: { matchLabels: { team: 'one' } } }, ingress: [rule, rule] };
    const named = { name: 'default' };
    const policy = parseBaselinePolicy({
      apiVersion,
      kind: 'BaselineAdminNetworkPolicy',
      metadata: named,
      spec,
    });
    expect(lines(renderTable([policy], BASELINE_COLUMNS))).toEqual([
      'NAME SUBJECT INGRESS EGRESS AGE',
      'default ns:team=one 2 0 -',
    ]);
  });
});

describe('selectorText', () => {
  it('is as kubectl writes selectors', () => {
    const matchExpressions = [
      { key: 'tier', operator: 'In' as const, values: ['b', 'a'] },
      { key: 'zone', operator: 'NotIn' as const, values: ['x'] },
      { key: 'kept', operator: 'Exists' as const },
      { key: 'gone', operator: 'DoesNotExist' as const },
    ];
    const matchLabels = { role: 'db', app: 'web' };
    expect(selectorText({ matchLabels, matchExpressions })).toBe(
      'app=web,role=db,tier in (a,b),zone notin (x),kept,!gone',
    );
    expect(selectorText({})).toBe('<none>');
  });
});
