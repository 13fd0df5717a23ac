/**
 * Nodes as resources of the API: those that publish themselves, and those applied by hand for a peer that runs no
 * daemon. What is written is known here when the call returns.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Node, NodeStatus } from '../api/types.js';
import { PodwireError } from '../errors.js';
import type { PutResult } from '../networks.js';
import { checkVersion, stampMeta } from '../records.js';
import type { Json, Store } from '../store/store.js';
import type { KnownNode, KnownNodes } from './known-nodes.js';
import { CLUSTER_NODES, nodeResource, type PublishedNode } from './records.js';

export interface NodesParts {
  /** The cluster store. */
  readonly store: Store;
  readonly known: KnownNodes;
  readonly self: string;
  /** Another address of a node that has this one, for messages: 'node k2'. */
  readonly holderOf: (address: string, except: string) => string | undefined;
  readonly statusOf: (name: string) => NodeStatus;
  /** Whether the node's daemon holds its lease. */
  readonly isAlive: (name: string) => Promise<boolean>;
  /** Makes these the node's subnets, and no others. @throws PodwireError SUBNET_TAKEN */
  readonly claim: (node: PublishedNode) => Promise<void>;
  readonly release: (name: string) => Promise<void>;
  /** Resolves when a change of this revision is known here. */
  readonly seen: (revision: number) => Promise<void>;
}

export class Nodes {
  constructor(private readonly parts: NodesParts) {}

  /** @throws PodwireError NOT_FOUND */
  view(name: string): Node {
    return this.viewOf(this.need(name));
  }

  /** Sorted by name. */
  list(): Node[] {
    return this.parts.known.list().map((known) => this.viewOf(known));
  }

  /** @throws PodwireError PROTECTED, CONFLICT, INVALID, SUBNET_TAKEN, STORE_UNREACHABLE */
  async put(name: string, given: Node): Promise<PutResult> {
    const { known, store, self } = this.parts;
    const existing = known.get(name);
    if (name === self) throw protectedError(`node ${name} is this node, which publishes itself`);
    if (existing?.node.managed === 'daemon') {
      throw protectedError(`node ${name} is published by its own daemon; one that is gone can be deleted`);
    }
    checkVersion(`node ${name}`, given.metadata, existing?.revision ?? 0);
    this.refuseUsedAddress(name, given);
    const metadata = stampMeta(given.metadata, existing?.node.metadata);
    const node: PublishedNode = {
      metadata: { ...metadata, uid: String(metadata.uid) },
      spec: given.spec,
      managed: 'manual',
    };
    if (isDeepStrictEqual(node, existing?.node)) return 'unchanged';
    await this.parts.claim(node);
    try {
      const revision = await store.put(CLUSTER_NODES + name, asJson(node), existing?.revision ?? 0);
      await this.parts.seen(revision);
    } catch (error) {
      if (!existing) await this.parts.release(name).catch(() => {});
      throw error;
    }
    return existing ? 'configured' : 'created';
  }

  /** @throws PodwireError NOT_FOUND, PROTECTED, STORE_UNREACHABLE */
  async delete(name: string): Promise<Node> {
    const { store, self } = this.parts;
    const known = this.need(name);
    if (name === self) throw protectedError(`node ${name} is this node, which publishes itself`);
    if (known.node.managed === 'daemon' && (await this.parts.isAlive(name))) {
      throw protectedError(`node ${name} is alive: its daemon publishes it; stop that first`);
    }
    const view = this.viewOf(known);
    const revision = await store.delete(CLUSTER_NODES + name, known.revision);
    await this.parts.release(name);
    if (revision !== undefined) await this.parts.seen(revision);
    return view;
  }

  private refuseUsedAddress(name: string, { spec }: Node): void {
    const address = spec.underlay?.address ?? '';
    const holder = this.parts.holderOf(address, name);
    if (holder === undefined) return;
    const field = 'spec.underlay.address';
    throw new PodwireError('INVALID', `${field}: ${address} is that of ${holder}`, field);
  }

  private need(name: string): KnownNode {
    const known = this.parts.known.get(name);
    if (known) return known;
    const problem = this.parts.known.problems.get(name);
    throw new PodwireError(
      'NOT_FOUND',
      problem === undefined
        ? `there is no node ${name}; 'podwire nodes' lists them`
        : `node ${name} is not known: ${problem}`,
    );
  }

  private viewOf({ node, revision }: KnownNode): Node {
    const { metadata, ...rest } = nodeResource(node);
    const status = this.parts.statusOf(metadata.name);
    return { ...rest, metadata: { ...metadata, resourceVersion: String(revision) }, status };
  }
}

function protectedError(message: string): PodwireError {
  return new PodwireError('PROTECTED', message);
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
