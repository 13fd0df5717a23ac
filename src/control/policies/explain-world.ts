/** What an explanation is made of: the cluster as this daemon knows it at the moment. Nothing is kept. */
import type { ServiceSpec } from '../../dataplane/service-spec.js';
import type { Snapshot } from '../../dataplane/snapshot.js';
import type { NodeState, StatusAnswer } from '../api/types.js';
import type { PlannedNetwork } from '../plan.js';
import type { EndpointSlice, Service } from '../services/types.js';
import type { AnyPolicy, PolicyAnswer, PolicyName, PolicyNote, PolicyPod, PolicyQuestion } from './types.js';

export interface KnownNode {
  readonly name: string;
  readonly state: NodeState;
  readonly labels: Readonly<Record<string, string>>;
  /** Its own, the first is that to ask for it by. */
  readonly addresses: readonly string[];
  readonly podCidrs: readonly string[];
}

/** A pod that uses its node's interfaces: to policies it is the node. */
export interface HostPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
}

export interface ExplainWorld {
  /** This node. */
  readonly node: string;
  /** In force. */
  readonly snapshot: Snapshot;
  readonly networks: readonly PlannedNetwork[];
  /** Of pods and of services. */
  readonly clusterCidrs: readonly string[];
  readonly nodes: readonly KnownNode[];
  readonly peers: StatusAnswer['peers'];
  /** Of all nodes. */
  readonly pods: Iterable<PolicyPod>;
  /** Of this node. */
  readonly hostPods: Iterable<HostPod>;
  /** As the data plane has them. */
  readonly services: Iterable<ServiceSpec>;
  /** @param key NAMESPACE/NAME */
  service(key: string): Service | undefined;
  endpointSlices(key: string): readonly EndpointSlice[];
  namespaceLabels(name: string): Readonly<Record<string, string>>;
  /** As the API answers it. */
  policy(name: PolicyName): AnyPolicy | undefined;
  /** What a route that keeps networks apart refuses under. */
  noteOf(note: number): PolicyNote | undefined;
  /** Those that may select pods, in any order: all. */
  judge(question: PolicyQuestion): PolicyAnswer;
}
