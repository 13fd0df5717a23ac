/**
 * Network policy as forwarding knows it: who a pod may be reached by, and whom it may reach. Plain data; control/policies makes
 * it of manifests, policy/policy-table.ts makes it a lookup structure.
 *
 * Pods with the same labels in the same namespace are one identity, and what a peer of a rule selects is a set of identities. So
 * a label that changes is an address that is another identity, and no rule is any other. As with services, what is different is
 * told as PolicyChanges, past the snapshot and in order, each with a generation out of the snapshots' sequence.
 */

/** Nobody known: an address outside of the cluster, or a pod that was not heard of yet. */
export const IDENTITY_UNKNOWN = 0;
/** A node of the cluster: of no set. */
export const IDENTITY_NODE = 1;
/** The first that control gives to pods. */
export const FIRST_IDENTITY = 2;

/** In place of a ruleset: nothing selects the pod in this direction, so all may pass. */
export const OPEN_RULESET = 0;

/** Of a verdict that no policy has decided: nothing selects the pod. */
export const NO_NOTE = 0;
/** Notes are below it: what each has refused is counted. As small as can be. */
export const MOST_NOTES = 1 << 20;

/** allow, deny: that is the verdict · pass: what the tier says is skipped, the next one decides. */
export const POLICY_ACTIONS = ['allow', 'deny', 'pass'] as const;
export type PolicyAction = (typeof POLICY_ACTIONS)[number];

export interface PolicyPorts {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Of the destination, both included. */
  readonly from: number;
  readonly to: number;
}

export interface PolicyBlock {
  /** Of either family. */
  readonly cidr: string;
  readonly except?: readonly string[];
}

/** A packet matches by one of the peers and one of the ports. */
export interface PolicyRuleSpec {
  readonly action: PolicyAction;
  /** Names the rule in verdicts: a number of control's own, above NO_NOTE. Rules of several rulesets may share one. */
  readonly note: number;
  /** The other end: sets and blocks; without it, anybody. Both lists empty: nobody. */
  readonly peers?: { readonly sets: readonly number[]; readonly blocks: readonly PolicyBlock[] };
  /** Without it every port and every protocol, those without ports too. Empty: none. */
  readonly ports?: readonly PolicyPorts[];
}

/** Rules in order: the first that matches decides. */
export interface PolicyTierSpec {
  readonly rules: readonly PolicyRuleSpec[];
  /** Where no rule matches. next: the next tier decides; after the last one, all may pass. */
  readonly otherwise: 'next' | 'allow' | 'deny';
  /** Names `otherwise`; NO_NOTE with next. */
  readonly note: number;
}

/** What holds for a pod in one direction. Pods for which the same holds share it. */
export interface RulesetSpec {
  /** Above OPEN_RULESET, as small as can be. */
  readonly id: number;
  readonly tiers: readonly PolicyTierSpec[];
}

/** Which identities a peer of a rule selects. */
export interface PolicySetSpec {
  /** From 0, as small as can be. */
  readonly id: number;
  readonly identities: readonly number[];
}

/** Which sets an identity is in, all of them. */
export interface PolicyIdentitySpec {
  readonly id: number;
  readonly sets: readonly number[];
}

/** Who is at an address. Ports of this node say it themselves: PolicyPortSpec. */
export interface PolicyAddressSpec {
  readonly address: string;
  /** The domain of a bridged network that spans nodes; without it, the networks that are routed, which are one address space. */
  readonly domain?: number;
  /** IDENTITY_UNKNOWN: nobody any more. */
  readonly identity: number;
}

/** A port of the snapshot that is `policed` stays closed until it was told of here. */
export interface PolicyPortSpec {
  /** Number of the port. */
  readonly port: number;
  readonly identity: number;
  /** Numbers of rulesets: what may come to the pod, and what it may send. */
  readonly ingress: number;
  readonly egress: number;
}

/** Applied in the order of the fields. A number may be removed and given again in one change. */
export interface PolicyChanges {
  /** Higher than that of every snapshot and change before. */
  readonly generation: number;
  /** Addresses in these are pods' or nodes', whether or not they are known; all of them, where they are others. */
  readonly clusterCidrs?: readonly string[];
  /**
   * Connections of policed ports are followed even where nothing selects their pods, as those want who ask what a policy would
   * change; where it is another than before.
   */
  readonly followsAll?: boolean;
  readonly removedRulesets: readonly number[];
  readonly removedSets: readonly number[];
  readonly removedIdentities: readonly number[];
  /** Each in place of that with the number. */
  readonly sets: readonly PolicySetSpec[];
  readonly identities: readonly PolicyIdentitySpec[];
  readonly rulesets: readonly RulesetSpec[];
  readonly addresses: readonly PolicyAddressSpec[];
  readonly ports: readonly PolicyPortSpec[];
}

/** Of which nothing is different. */
export const NO_POLICY_CHANGES: Omit<PolicyChanges, 'generation'> = {
  removedRulesets: [],
  removedSets: [],
  removedIdentities: [],
  sets: [],
  identities: [],
  rulesets: [],
  addresses: [],
  ports: [],
};
