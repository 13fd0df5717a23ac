/** What a PolicyPlan says, read without the data plane: changes put one on another, and what they mean for each port. */

import type { PlannedPolicies, PolicyPlan } from '../../src/control/policies/policy-plan.js';
import type { AnyPolicy, NetworkPolicy, PolicyPod } from '../../src/control/policies/types.js';
import { IDENTITY_UNKNOWN, OPEN_RULESET, type PolicyTierSpec } from '../../src/dataplane/policy-spec.js';

/** A table as forwarding keeps it, of nothing but maps. */
export class PolicyMirror {
  readonly rulesets = new Map<number, readonly PolicyTierSpec[]>();
  readonly members = new Map<number, Set<number>>();
  readonly identities = new Set<number>();
  readonly addresses = new Map<string, number>();
  readonly ports = new Map<number, { identity: number; ingress: number; egress: number }>();
  cidrs: readonly string[] = [];

  change(changes: PlannedPolicies): void {
    this.cidrs = changes.clusterCidrs ?? this.cidrs;
    for (const id of changes.removedRulesets) this.rulesets.delete(id);
    for (const id of changes.removedSets) this.members.delete(id);
    for (const id of changes.removedIdentities) this.forget(id);
    for (const { id, identities } of changes.sets) this.members.set(id, new Set(identities));
    for (const { id, sets } of changes.identities) this.identify(id, new Set(sets));
    for (const { id, tiers } of changes.rulesets) this.rulesets.set(id, tiers);
    for (const { address, domain, identity } of changes.addresses) {
      const key = `${domain ?? ''} ${address}`;
      if (identity === IDENTITY_UNKNOWN) this.addresses.delete(key);
      else this.addresses.set(key, identity);
    }
    for (const { port, ...spec } of changes.ports) this.ports.set(port, spec);
  }

  forgetPort(port: number): void {
    this.ports.delete(port);
  }

  private forget(id: number): void {
    this.identities.delete(id);
    for (const set of this.members.values()) set.delete(id);
  }

  private identify(id: number, sets: ReadonlySet<number>): void {
    this.identities.add(id);
    for (const [set, members] of this.members) {
      if (sets.has(set)) members.add(id);
      else members.delete(id);
    }
  }

  /** The same for tables that say the same, whatever their numbers. */
  meaning(plan: PolicyPlan): unknown {
    const holders = [
      ...[...this.addresses].map(([key, identity]) => [key, identity] as const),
      ...[...this.ports].map(([port, { identity }]) => [`port ${port}`, identity] as const),
    ];
    const whoIs = (set: number): string[] =>
      holders.flatMap(([name, identity]) => (this.members.get(set)?.has(identity) ? [name] : [])).sort();
    const ruleset = (id: number): unknown =>
      id === OPEN_RULESET
        ? 'open'
        : (this.rulesets.get(id) ?? []).map(({ rules, otherwise, note }) => ({
            otherwise,
            note: plan.noteOf(note),
            rules: rules.map(({ peers, ports, ...rule }) => ({
              action: rule.action,
              note: plan.noteOf(rule.note),
              ports,
              blocks: peers?.blocks,
              sets: peers?.sets.map(whoIs).sort(),
            })),
          }));
    return {
      cidrs: this.cidrs,
      addresses: holders.map(([name]) => name).sort(),
      ports: [...this.ports]
        .sort(([a], [b]) => a - b)
        .map(([port, { ingress, egress }]) => [port, ruleset(ingress), ruleset(egress)]),
    };
  }
}

export function mirrorOf(plan: PolicyPlan): PolicyMirror {
  const mirror = new PolicyMirror();
  mirror.change(plan.whole());
  return mirror;
}

/** `a/web` with its labels, at an address; on this node where it has a port. */
export function policyPod(
  key: string,
  labels: Record<string, string>,
  place: {
    ips?: string[];
    port?: number;
    node?: string;
    network?: string;
    ports?: PolicyPod['ports'];
  } = {},
): PolicyPod {
  const [namespace, name] = key.split('/');
  const { ips = [], port, node = 'n1', network = 'default', ports = [] } = place;
  return {
    namespace,
    name,
    node,
    labels,
    ports,
    interfaces: [{ network, ips, ...(port !== undefined && { port }) }],
  };
}

export function networkPolicy(
  key: string,
  spec: Partial<NetworkPolicy['spec']> & Pick<NetworkPolicy['spec'], 'podSelector'>,
): NetworkPolicy {
  const [namespace, name] = key.split('/');
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name },
    spec: { policyTypes: spec.egress ? ['Ingress', 'Egress'] : ['Ingress'], ...spec },
  };
}

export function adminPolicy(
  name: string,
  priority: number | undefined,
  spec: Omit<Extract<AnyPolicy, { kind: 'BaselineAdminNetworkPolicy' }>['spec'], never>,
): AnyPolicy {
  const apiVersion = 'policy.networking.k8s.io/v1alpha1';
  if (priority === undefined)
    return { apiVersion, kind: 'BaselineAdminNetworkPolicy', metadata: { name }, spec };
  return { apiVersion, kind: 'AdminNetworkPolicy', metadata: { name }, spec: { priority, ...spec } };
}
