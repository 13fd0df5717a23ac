/**
 * What the cluster store holds of nodes, and under which keys:
 *
 *     cluster/config         ClusterConfig, written by the first node
 *     cluster/nodes/NAME     PublishedNode
 *     cluster/alive/NAME     on the node's lease: session.ts
 *     cluster/subnets/…      who owns which subnet: subnets.ts
 *
 * Any node may write there, so what is read is checked like a request: a record that does not fit is left out
 * and told, and harms no other.
 */
import type { Node, NodeSpec, ObjectMeta } from '../api/types.js';
import { asPodwireError } from '../errors.js';
import { CLUSTER_META } from '../model/meta.js';
import { NODE_SCHEMA, normalNodeSpec } from '../model/node.js';
import { checker, closed } from '../model/schema.js';
import type { Json } from '../store/store.js';

export const CLUSTER = 'cluster/';
export const CLUSTER_CONFIG = 'cluster/config';
export const CLUSTER_NODES = 'cluster/nodes/';
export const CLUSTER_ALIVE = 'cluster/alive/';
export const CLUSTER_SUBNETS = 'cluster/subnets/';

/** A Node in the store: without status; `metadata.uid` is its daemon's. */
export interface PublishedNode {
  readonly metadata: ObjectMeta & { readonly uid: string };
  readonly spec: NodeSpec;
  readonly managed: 'daemon' | 'manual';
}

const check = checker<PublishedNode>(
  closed(
    {
      metadata: { ...CLUSTER_META, required: ['name', 'uid'] },
      spec: (NODE_SCHEMA.properties as Record<string, typeof NODE_SCHEMA>).spec,
      managed: { type: 'string', enum: ['daemon', 'manual'] },
    },
    ['metadata', 'spec', 'managed'],
  ),
  'the record',
);

/** What a record says, or what is wrong with it. */
export type ReadNode = { readonly node: PublishedNode } | { readonly problem: string };

export function readNode(name: string, value: Json): ReadNode {
  try {
    const { metadata, spec, managed } = check(value);
    if (metadata.name !== name) return { problem: `its record names node ${metadata.name}` };
    return { node: { metadata, spec: normalNodeSpec(spec), managed } };
  } catch (error) {
    return { problem: `its record cannot be read: ${asPodwireError(error).message}` };
  }
}

export function nodeResource({ metadata, spec }: PublishedNode): Node {
  return { apiVersion: 'podwire.dev/v1', kind: 'Node', metadata, spec };
}
