/**
 * The world of services (../translation/world.ts) with policies: the pods at ports 0 to 4 are identities 10 to 14, the peer's pod
 * 10.21.0.5 (fd00:21::5) is identity 20.
 */
import { shareConnections } from '../../../../src/dataplane/connections.js';
import { FlowReader } from '../../../../src/dataplane/flows/flow-reader.js';
import { DenialReader } from '../../../../src/dataplane/policy/denial-reader.js';
import {
  NO_POLICY_CHANGES,
  type PolicyChanges,
  type PolicyRuleSpec,
  type RulesetSpec,
} from '../../../../src/dataplane/policy-spec.js';
import type { HarnessOptions } from '../../../support/engine-harness.js';
import type { ScapyProcess } from '../../../support/scapy-process.js';
import { ServiceWorld, WORLD } from '../translation/world.js';

export const POLICED = {
  ...WORLD,
  ports: WORLD.ports.map((port) => (port.id < 5 ? { ...port, policed: true } : port)),
};

export const PEER_POD = '10.21.0.5';
/** Which ruleset a pod has in each direction; without one all may pass. */
export interface Isolation {
  readonly ingress?: number;
  readonly egress?: number;
}

/** Allows what one of the rules says, and nothing else. */
export function ruleset(id: number, ...rules: Partial<PolicyRuleSpec>[]): RulesetSpec {
  const numbered = rules.map((rule, i) => ({ action: 'allow' as const, note: 100 * id + 1 + i, ...rule }));
  return { id, tiers: [{ rules: numbered, otherwise: 'deny', note: 100 * id }] };
}

/** Peers of a rule: pods by port number, or 20, the peer's. Sets have the numbers of their one identity. */
export function pods(...ports: number[]): PolicyRuleSpec['peers'] {
  return { sets: ports.map((port) => (port < 5 ? 10 + port : port)), blocks: [] };
}

export class PolicyWorld extends ServiceWorld {
  readonly denials: DenialReader;
  readonly flows: FlowReader;

  constructor(judge: ScapyProcess, options: HarnessOptions = {}) {
    const connections = { ...shareConnections(4096, 1, 7), own: 0, clockStart: 0 };
    super(judge, { ...options, connections }, POLICED);
    this.denials = new DenialReader(connections.denials);
    this.flows = new FlowReader(connections.flows);
  }

  /** All pods are known; those that are named have rulesets. */
  isolate(rulesets: RulesetSpec[], ports: Readonly<Record<number, Isolation>>): void {
    const identities = [10, 11, 12, 13, 14, 20];
    this.tell({
      sets: identities.map((id) => ({ id, identities: [id] })),
      rulesets,
      clusterCidrs: ['10.0.0.0/8', 'fd00::/8'],
      addresses: [PEER_POD, 'fd00:21::5'].map((address) => ({ address, identity: 20 })),
      ports: [0, 1, 2, 3, 4].map((port) => ({
        port,
        identity: 10 + port,
        ingress: ports[port]?.ingress ?? 0,
        egress: ports[port]?.egress ?? 0,
      })),
    });
  }

  tell(changes: Partial<PolicyChanges>): void {
    this.harness.engine.changePolicies({ ...NO_POLICY_CHANGES, ...changes, generation: this.next() });
  }

  /** How many packets the port was given. */
  count(port: number): number {
    return this.harness.take(port).length;
  }
}
