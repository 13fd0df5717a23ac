/**
 * Services as forwarding knows them: addresses at which connections are taken, and the backends that they are handed to.
 * Plain data; control/services makes it of manifests, services/service-table.ts makes it a lookup structure.
 *
 * There may be 50,000 with 250,000 backends, of which one changes at any moment. So they are no part of the snapshot: what is
 * different is told as ServiceChanges, in order, each with a generation of its own out of the snapshots' sequence.
 */

/** In place of a frontend's address: every one of the node. */
export const NODE_FRONTEND = 'node';

/**
 * Whose backends a client is given. cluster: any · local: this node's · split: any for clients in the cluster, pods and
 * nodes, and this node's for all others, since only they come through a load balancer that knows where endpoints are.
 */
export const SCOPES = ['cluster', 'local', 'split'] as const;
export type Scope = (typeof SCOPES)[number];

/**
 * active: may be given new flows · draining: serves, and keeps the flows that it has · unready: does not serve; TCP
 * connections go on until their end, datagrams go elsewhere.
 */
export const BACKEND_STATES = ['active', 'draining', 'unready'] as const;
export type BackendState = (typeof BACKEND_STATES)[number];

/** What becomes of a TCP connection whose backend is in the list no more: both ends are told, or it goes on. */
export const REMOVAL_POLICIES = ['reset', 'drain'] as const;
export type RemovalPolicy = (typeof REMOVAL_POLICIES)[number];

export interface FrontendSpec {
  /** Or NODE_FRONTEND. An address that is given out goes before it. */
  readonly address: string;
  readonly port: number;
  readonly scope: Scope;
}

export interface BackendSpec {
  /** Its name in Maglev tables, the same on every node. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** On this node. */
  readonly local: boolean;
  /** For clients in the scope of the cluster, and of the node; of backends elsewhere without the latter. */
  readonly cluster: BackendState;
  readonly node?: BackendState;
}

export interface ServiceSpec {
  /** Stays the same while the service has this port and family; as small as can be. */
  readonly id: number;
  /** For people: `shop/web:http`, and of the second family `shop/web:http/IPv6`. */
  readonly name: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** A frontend that two services claim is the one's with the lower number. */
  readonly frontends: readonly FrontendSpec[];
  /** Its NODE_FRONTENDs are of this node alone, and no other node's: a port that a pod publishes. */
  readonly isOwn?: boolean;
  readonly backends: readonly BackendSpec[];
  /** A client keeps its backend until it has been silent for so long. */
  readonly affinitySeconds?: number;
  /** Default reset. */
  readonly onRemoval?: RemovalPolicy;
}

export interface ServiceChanges {
  /** Higher than that of every snapshot and change before: what was decided about flows before is decided again. */
  readonly generation: number;
  /** Applied first. A number may be in both lists. */
  readonly removed: readonly number[];
  /** New, or in place of that with the number. */
  readonly changed: readonly ServiceSpec[];
}
