/**
 * What the control side and the worker say to each other. Every request gets one answer with its number; an
 * event comes unasked.
 */
import type { SharedConnections } from '../connections.js';
import type { GossipShare } from '../gossip.js';
import type { PolicyChanges } from '../policy-spec.js';
import type { ServiceChanges } from '../service-spec.js';
import type { TablesData } from '../tables.js';
import type { RawPort, TapPort, TunnelPort } from './driver.js';

export type IoChoice = 'auto' | 'uring' | 'poll';

/** Given to the worker when it starts. */
export interface WorkerStart {
  readonly io: IoChoice;
  readonly slots: number;
  readonly seed: number;
  /** The eventfd that the control side signals after posting a request. */
  readonly wakeFd: number;
  /** This worker's place among several, and how they tell one another what they have learned. */
  readonly gossip?: GossipShare;
  /** Whether it asks peers if they answer: the one that reads the tunnel does. */
  readonly probes: boolean;
  /** What limits of ports share where there are several (shaping/rate-buckets.ts). */
  readonly buckets?: SharedArrayBuffer;
  /** What all workers know of connections, and this one's place among them. */
  readonly connections: SharedConnections & { readonly own: number };
}

export type Request =
  | { readonly type: 'add-port'; readonly tap: TapPort }
  | { readonly type: 'add-raw'; readonly raw: RawPort }
  | { readonly type: 'add-tunnel'; readonly tunnel: TunnelPort }
  | { readonly type: 'remove-port'; readonly port: number }
  | { readonly type: 'swap'; readonly tables: TablesData }
  /** Several may be parts of one change: all but the last have the generation before. */
  | { readonly type: 'services'; readonly changes: ServiceChanges }
  | { readonly type: 'policies'; readonly changes: PolicyChanges }
  /** Connections of an earlier daemon, opened at ports that this worker reads: rows of flows/flow-rows.ts. */
  | { readonly type: 'restore-flows'; readonly rows: Int32Array }
  /** Whether all services were told; connections of before keep their backends until then. */
  | { readonly type: 'services-whole'; readonly isWhole: boolean }
  | { readonly type: 'learned' }
  | { readonly type: 'usage' }
  | { readonly type: 'stop' };

export interface NumberedRequest {
  readonly id: number;
  readonly request: Request;
}

export interface LearnedMac {
  readonly domain: number;
  readonly vlan: number;
  readonly mac: string;
  readonly port: number;
  readonly ageMs: number;
}

export interface LearnedNeighbour {
  readonly domain: number;
  readonly address: string;
  readonly mac: string;
  readonly port: number;
  readonly ageMs: number;
}

export interface LearnedAnswer {
  readonly fdb: readonly LearnedMac[];
  readonly neighbours: readonly LearnedNeighbour[];
}

/** Where the slots of the packet pool are. */
export interface UsageAnswer {
  readonly slots: number;
  readonly free: number;
  readonly inFlight: number;
  readonly held: number;
}

export type Answer =
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly code: string; readonly message: string };

export type Event =
  | {
      readonly type: 'started';
      readonly io: 'uring' | 'poll';
      readonly ioReason: string;
      readonly counters: SharedArrayBuffer;
      readonly peerStates: SharedArrayBuffer;
      /** What the machine's monotonic clock showed when the worker's own showed 0 (ms). */
      readonly clockStart: number;
    }
  | { readonly type: 'start-failed'; readonly code: string; readonly message: string }
  | { readonly type: 'port-down'; readonly port: number; readonly reason: string }
  /** A datagram to this address was refused: it is larger than the kernel knows the path to be. */
  | { readonly type: 'path-mtu'; readonly address: string }
  /** A peer has begun or ceased to answer. */
  | { readonly type: 'peer'; readonly peer: number; readonly isUp: boolean };
