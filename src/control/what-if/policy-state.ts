/**
 * All that verdicts of network policies depend on, at a moment, as plain data; and the same as it would be if documents were
 * applied or deleted. A dry run has two of them, the running one and the candidate, and so has a replay.
 *
 * A candidate costs a copy of the maps, and a plan of its own: some tens of milliseconds for thousands of pods.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Namespace, Pod, Resource } from '../api/types.js';
import { DEFAULT_NAMESPACE } from '../model/kinds.js';
import { namedPorts } from '../model/pod.js';
import { PolicyPlan } from '../policies/policy-plan.js';
import type { AnyPolicy, PolicyPod, PolicyState } from '../policies/types.js';
import { keyOfResource } from './documents.js';

export interface Candidate {
  readonly apply: readonly Resource[];
  readonly delete: readonly ResourceName[];
}

export interface ResourceName {
  readonly kind: Resource['kind'];
  readonly namespace?: string;
  readonly name: string;
}

export function planFor(state: PolicyState): PolicyPlan {
  const plan = new PolicyPlan();
  plan.setClusterCidrs(state.clusterCidrs);
  for (const [network, domain] of state.domains) plan.setDomain(network, domain);
  for (const [name, labels] of state.namespaces) plan.setNamespace({ name, labels });
  for (const node of state.nodes.values()) plan.setNode(node);
  for (const pod of state.pods.values()) plan.setPod(pod);
  for (const policy of state.policies.values()) plan.setPolicy(policy);
  return plan;
}

/** The state with the documents in it, in their order, as if they had been applied, and without those that are deleted. */
export function candidateOf<S extends PolicyState>(state: S, candidate: Candidate): S {
  const draft = {
    policies: new Map(state.policies),
    namespaces: new Map(state.namespaces),
    pods: new Map(state.pods),
  };
  for (const resource of candidate.apply) put(draft, resource);
  for (const name of candidate.delete) remove(draft, name);
  return { ...state, ...draft };
}

type Draft = { [K in 'policies' | 'namespaces' | 'pods']: Map<string, ValueOf<PolicyState[K]>> };
type ValueOf<M> = M extends ReadonlyMap<string, infer V> ? V : never;

function put(draft: Draft, resource: Resource): void {
  if (isPolicy(resource)) draft.policies.set(policyKey(resource.kind, keyOfResource(resource)), resource);
  else if (resource.kind === 'Namespace') draft.namespaces.set(resource.metadata.name, labelsOf(resource));
  else if (resource.kind === 'Pod') relabel(draft.pods, resource);
}

/** Of a pod that runs: labels and names of ports. One that does not run has no connection. */
function relabel(pods: Map<string, PolicyPod>, pod: Pod): void {
  const key = keyOfResource(pod);
  for (const [place, known] of pods) {
    if (place !== `${key}@${known.node}`) continue;
    const ports = pod.spec?.containers === undefined ? known.ports : namedPorts(pod);
    pods.set(place, { ...known, labels: pod.metadata.labels ?? {}, ports });
  }
}

function remove({ policies, namespaces, pods }: Draft, { kind, namespace, name }: ResourceName): void {
  if (kind === 'Pod') {
    removeWhere(pods, (pod) => pod.namespace === namespace && pod.name === name);
  } else if (kind === 'Namespace') {
    namespaces.delete(name);
    removeWhere(pods, (pod) => pod.namespace === name);
    removeWhere(policies, (policy) => policy.kind === 'NetworkPolicy' && namespaceOf(policy) === name);
  } else {
    policies.delete(policyKey(kind, namespace === undefined ? name : `${namespace}/${name}`));
  }
}

function removeWhere<V>(map: Map<string, V>, is: (value: V) => boolean): void {
  for (const [key, value] of map) if (is(value)) map.delete(key);
}

export function isPolicy(resource: Resource): resource is AnyPolicy {
  return POLICY_KINDS.has(resource.kind);
}

const POLICY_KINDS: ReadonlySet<string> = new Set<AnyPolicy['kind']>([
  'NetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
]);

export function policyKey(kind: string, key: string): string {
  return `${kind} ${key}`;
}

function namespaceOf({ metadata }: AnyPolicy): string {
  return metadata.namespace ?? DEFAULT_NAMESPACE;
}

export function labelsOf({ metadata }: Namespace | Pod): Readonly<Record<string, string>> {
  return metadata.labels ?? {};
}

/** Whether applying `after` would change nothing: what the API gives is no part of it. */
export function isSameResource(before: Resource, after: Resource): boolean {
  return isDeepStrictEqual(written(before), written(after));
}

function written(resource: Resource) {
  const { labels = {}, annotations = {} } = resource.metadata;
  return { spec: 'spec' in resource ? (resource.spec ?? {}) : {}, labels, annotations };
}
