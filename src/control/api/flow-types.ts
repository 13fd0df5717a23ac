/** What GET /v1/flows and /v1/flows/summary answer. */

import type { PolicyNote } from '../policies/types.js';

/** One way of a connection: as its packets are on the wire there. */
export interface FlowWay {
  source: string;
  /** Of TCP, UDP and SCTP; the identifier of ICMP queries. */
  sourcePort: number;
  destination: string;
  destinationPort: number;
  packets: number;
  bytes: number;
}

/** What policies have decided about a connection, and by which rules; null: nothing selects the pod at that end. */
export interface FlowPolicy {
  verdict: 'allowed' | 'refused';
  egress: FlowRule | null;
  ingress: FlowRule | null;
}

export interface FlowRule {
  /** `NetworkPolicy shop/db, spec.ingress[0]` */
  rule: string;
  note: PolicyNote;
}

/** A connection, as conntrack has them: the way of its first packet, and that of the answers. */
export interface FlowEntry {
  /** `tcp`, `udp`, `sctp`, `icmp`, `icmpv6`, or the number. */
  protocol: string;
  /** Of TCP its state; else UNREPLIED, REPLIED, or STREAM for UDP that goes on. */
  state: string;
  /** Keeps its place when the table is full, for others go first. */
  assured: boolean;
  /** `shop/web:http`, where it was to a service. */
  service: string | null;
  /** null: no policy was asked. */
  policy: FlowPolicy | null;
  /** That the first packet came in by: `default/web`. */
  port: string;
  original: FlowWay;
  /** Its source is the backend, its destination what that takes the client for. */
  reply: FlowWay;
  /** Since it was opened, and since its last packet (ms). */
  ageMs: number;
  idleMs: number;
  /** It ends then unless a packet comes (ms). */
  expiresMs: number;
}

export interface FlowsAnswer {
  flows: FlowEntry[];
  /** Of the next page's `continue`; null: these were the last. */
  continue: string | null;
}

/** Counted since the daemon began, but `capacity` and `size`. */
export interface FlowTableCounts {
  capacity: number;
  /** In use; some may be over and not swept away yet. */
  size: number;
  opened: number;
  expired: number;
  /** Gave way to others. */
  evicted: number;
  /** Could not be had: the table, or the port's share of it, is full of better ones. */
  refused: number;
}

export interface FlowSummary {
  /** Of those that the filters let through. */
  flows: number;
  /** By protocol and state, most first. */
  states: { protocol: string; state: string; flows: number }[];
  /** By service, most first, at most 100; null: to none. */
  services: { service: string | null; flows: number; packets: number; bytes: number }[];
  table: FlowTableCounts;
}
