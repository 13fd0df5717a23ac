/** What GET /v1/drops and /v1/drops/recent answer. */
import type { DropReasonName } from '../../dataplane/drop-reasons.js';
import type { Direction, PolicyNote } from '../policies/types.js';

export interface DropEntry {
  reason: DropReasonName;
  meaning: string;
  port: string;
  count: number;
}

/** What a rule of a policy has refused, or what holds where no rule matches. */
export interface RuleDrops {
  /** Packets on the wire. */
  count: number;
  direction: Direction | null;
  /** `NetworkPolicy shop/db, spec.ingress[0]`, or `no rule of NetworkPolicy shop/db`. */
  rule: string;
  /** null: it is not known any more. */
  note: PolicyNote | null;
}

/** Only what is not zero, the largest first. */
export interface DropsAnswer {
  total: number;
  drops: DropEntry[];
  /** Those of reasons policy-egress, policy-ingress and network-isolation, by rule. */
  rules: RuleDrops[];
}

export interface DropEnd {
  address: string;
  /** Of TCP, UDP and SCTP. */
  port: number | null;
  /** `NAMESPACE/NAME` whose address it is; null: no pod's that is known. */
  pod: string | null;
}

/** A packet that a policy, or the isolation of networks, has refused. */
export interface RecentDrop {
  /** ISO 8601 */
  time: string;
  direction: Direction;
  /** Of the pod whose policies refused it. */
  port: string;
  /** `tcp`, `udp`, `sctp`, `icmp`, `icmpv6` or the number; null: it is not IP, and has no ends. */
  protocol: string | null;
  source: DropEnd | null;
  /** After the translation of services. */
  destination: DropEnd | null;
  rule: string;
  note: PolicyNote | null;
}

export interface RecentDropsAnswer {
  /** The latest first. */
  drops: RecentDrop[];
}
