/**
 * A copy of what is known of the cluster in this node's own store, so that it starts and forwards while the cluster
 * store is away, and so that whoever watches this node's API hears of other nodes in the order of one store.
 *
 *     local/cluster/config       ClusterConfig, and which store it was
 *     local/cluster/nodes/NAME   NodeCopy
 *
 * It follows behind: only what is new is written, one record after the other.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Node } from '../api/types.js';
import type { Json, Store } from '../store/store.js';
import { type ClusterConfig, readConfig } from './config.js';
import type { KnownNode } from './known-nodes.js';
import { CLUSTER_NODES, nodeResource, type PublishedNode, readNode } from './records.js';

const CONFIG = 'local/cluster/config';
export const NODE_COPIES = 'local/cluster/nodes/';

/** A node as it was last known, and which of its subnets were its own by the store's word. */
export interface NodeCopy {
  readonly node: PublishedNode;
  readonly revision: number;
  readonly owned: readonly string[];
}

export class LocalCopy {
  private readonly written = new Map<string, NodeCopy>();
  private config: ClusterConfig | undefined;

  private constructor(private readonly store: Store) {}

  static async open(store: Store): Promise<LocalCopy> {
    const copy = new LocalCopy(store);
    const config = await store.get(CONFIG);
    if (config) copy.config = readConfig(config.value);
    for (const { key, value } of (await store.list(NODE_COPIES)).entries) {
      const name = key.slice(NODE_COPIES.length);
      const found = readCopy(name, value);
      if (found) copy.written.set(name, found);
    }
    return copy;
  }

  /** What the cluster was like; undefined: this node has never been in it. */
  get knownConfig(): ClusterConfig | undefined {
    return this.config;
  }

  get nodes(): readonly NodeCopy[] {
    return [...this.written.values()];
  }

  async saveConfig(config: ClusterConfig): Promise<void> {
    if (isDeepStrictEqual(config, this.config)) return;
    await this.store.put(CONFIG, asJson(config));
    this.config = config;
  }

  /** Makes the copy say what is known now. @returns whether it said something else before */
  async saveNodes(
    known: readonly KnownNode[],
    ownedBy: (node: PublishedNode) => readonly string[],
  ): Promise<boolean> {
    let changed = false;
    const names = new Set(known.map(({ node }) => node.metadata.name));
    for (const { node, revision } of known) {
      const { name } = node.metadata;
      const copy = { node, revision, owned: ownedBy(node) };
      if (isDeepStrictEqual(copy, this.written.get(name))) continue;
      await this.store.put(NODE_COPIES + name, asJson(copy));
      this.written.set(name, copy);
      changed = true;
      await turn();
    }
    for (const name of [...this.written.keys()]) {
      if (names.has(name)) continue;
      await this.store.delete(NODE_COPIES + name);
      this.written.delete(name);
      changed = true;
      await turn();
    }
    return changed;
  }
}

/** The embedded store writes within the caller's turn; others' work comes between. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** undefined where another version of podwire wrote something else. */
export function readCopy(name: string, value: Json): NodeCopy | undefined {
  const copy = value as { node?: Json; revision?: number; owned?: readonly string[] } | null;
  const read = copy?.node === undefined ? undefined : readNode(name, copy.node);
  if (!read || !('node' in read)) return undefined;
  return { node: read.node, revision: copy?.revision ?? 0, owned: copy?.owned ?? [] };
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** For watchers: the node that a key of the local store holds. @param isOwn whether the cluster's state is in it. */
export function watchedNode(
  isOwn: boolean,
): (key: string, value: Json, revision: number) => Node | undefined {
  const prefix = isOwn ? CLUSTER_NODES : NODE_COPIES;
  return (key, value, revision) => {
    if (!key.startsWith(prefix)) return undefined;
    const name = key.slice(prefix.length);
    const copy = isOwn ? undefined : readCopy(name, value);
    const read = isOwn ? readNode(name, value) : undefined;
    const node = copy?.node ?? (read && 'node' in read ? read.node : undefined);
    if (!node) return undefined;
    const { metadata, ...rest } = nodeResource(node);
    return { ...rest, metadata: { ...metadata, resourceVersion: String(copy?.revision ?? revision) } };
  };
}
