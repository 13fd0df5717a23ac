/** POST /v1/dry-run and GET /v1/state: what would be, and what there is to ask it of. */
import type { PolicyVerdict } from '../policies/types.js';
import type { Resource } from './types.js';

/** One of the two lists, or both. */
export interface DryRunRequest {
  /** Resources as a PUT takes them, in the order in which they would be applied. */
  apply?: unknown[];
  /** What would be deleted, after that. */
  delete?: { kind: string; namespace?: string; name: string }[];
  /**
   * Seconds for which every connection of this node's pods is followed, before they are looked at: those of pods that no policy
   * selects are not known otherwise. Default 0; at most 600.
   */
  observe?: number;
}

export interface DryRunAnswer {
  /** The node that was asked: its pods' connections are those that were looked at. */
  node: string;
  /** What applying and deleting would do, in the order of the request. */
  documents: DryRunDocument[];
  /** Connections that were looked at. */
  flows: number;
  /** Of these: they pass now and would not, or do not pass and would; and those whose pod would be gone. */
  refused: number;
  allowed: number;
  ended: number;
  /** Connections whose verdict would be another, most first; those with the same ends and port are one entry. At most 1000. */
  changes: FlowChange[];
  /** Whether there are more of them. */
  truncated: boolean;
}

export interface DryRunDocument {
  kind: Resource['kind'];
  namespace?: string;
  name: string;
  outcome: 'created' | 'configured' | 'unchanged' | 'deleted';
  /** Whether verdicts of network policies can depend on it. */
  concerns: boolean;
}

export interface FlowEnd {
  address: string;
  /** NAMESPACE/NAME of the pod that has it, and its node. */
  pod?: string;
  node?: string;
}

export interface FlowChange {
  from: FlowEnd;
  /** After service translation. */
  to: FlowEnd;
  /** As in GET /v1/flows. */
  protocol: string;
  /** Of the destination; left out where the protocol has none. */
  port?: number;
  /** How many connections. */
  flows: number;
  now: FlowVerdict;
  after: FlowVerdict;
}

export interface FlowVerdict {
  /** Both directions allow it. */
  allowed: boolean;
  /** Of the pod that opened it, and of the one that it goes to. */
  egress: PolicyVerdict;
  ingress: PolicyVerdict;
}

/** What verdicts depend on, as manifests; `podwire replay --running` reads it. */
export interface StateAnswer {
  apiVersion: 'podwire.dev/v1';
  kind: 'State';
  /** Whose state it is. */
  node: string;
  nodeIPs: string[];
  clusterCIDRs: string[];
  serviceCIDRs: string[];
  /** Networks, nodes, namespaces, policies, services, slices that somebody wrote, and the pods of all nodes with their addresses. */
  items: Resource[];
}
