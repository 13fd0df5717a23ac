/**
 * The plan of policies: from policies, namespaces, nodes and pods to what forwarding is told of them, kept as they change.
 * Pure; live-policies.ts feeds it.
 *
 *     plan.setPolicy(policy) · removePolicy(kind, key)     key: NAMESPACE/NAME, or NAME
 *     plan.setNamespace({ name, labels }) · removeNamespace(name)
 *     plan.setPod(pod) · removePod(key)                    of any node; key: podKeyOf(pod), NAMESPACE/NAME@NODE
 *     plan.setNode(node) · removeNode(name)
 *     plan.setDomain(network, domain | undefined)          an overlay, by its domain on this node; others are routed
 *     plan.setClusterCidrs(cidrs) · setFollowsAll(whether)
 *     plan.changes()   what is different since the last call
 *     plan.whole()     all there is, to a table that has nothing; changes() is as if it had not been called
 *     plan.noteOf(n)   what a verdict's number stands for
 *     plan.judge(question)
 *
 * The pods of this node are those whose interfaces have a port.
 */
import type { PolicyChanges } from '../../dataplane/policy-spec.js';
import type { AnyPolicy, PolicyAnswer, PolicyNode, PolicyNote, PolicyPod, PolicyQuestion } from './types.js';

/** The publisher gives it its number. */
export type PlannedPolicies = Omit<PolicyChanges, 'generation'>;

/** What LivePolicies, tests and dry runs may rely on. */
export interface PolicyPlanner {
  setPolicy(policy: AnyPolicy): void;
  removePolicy(kind: AnyPolicy['kind'], key: string): void;
  setNamespace(namespace: { readonly name: string; readonly labels: Readonly<Record<string, string>> }): void;
  removeNamespace(name: string): void;
  setPod(pod: PolicyPod): void;
  removePod(key: string): void;
  setNode(node: PolicyNode): void;
  removeNode(name: string): void;
  setDomain(network: string, domain: number | undefined): void;
  setClusterCidrs(cidrs: readonly string[]): void;
  setFollowsAll(followsAll: boolean): void;
  changes(): PlannedPolicies;
  whole(): PlannedPolicies;
  noteOf(note: number): PolicyNote | undefined;
  judge(question: PolicyQuestion): PolicyAnswer;
}
