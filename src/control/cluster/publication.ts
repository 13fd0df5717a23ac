/**
 * This node's own record in the cluster store. It is its daemon's, known by the uid that the data directory keeps:
 * another daemon of the same name is refused for as long as this one is alive, and takes its place when it is
 * gone, as a machine does that was installed anew.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NodeSpec } from '../api/types.js';
import { PodwireError } from '../errors.js';
import { ABSENT, type Entry, type Json, type Store } from '../store/store.js';
import { CLUSTER_NODES, type PublishedNode, readNode } from './records.js';

export interface Identity {
  readonly name: string;
  readonly uid: string;
}

/** As Kubernetes names it; what is near to what. */
export const ZONE_LABEL = 'topology.kubernetes.io/zone';

/** Whether the node of that name is alive as another than this. */
export type IsAlive = (name: string) => Promise<boolean>;

/** @throws PodwireError NODE_NAME_TAKEN */
export async function refuseTakenName(store: Store, self: Identity, isAlive: IsAlive): Promise<void> {
  const found = await store.get(CLUSTER_NODES + self.name);
  if (found) await refuseOther(found, self, isAlive);
}

/**
 * Writes the record where it says something else, and returns its revision.
 * @throws PodwireError NODE_NAME_TAKEN, and what the store throws
 */
export async function publishNode(
  store: Store,
  self: Identity,
  { spec, zone }: { readonly spec: NodeSpec; readonly zone: string | undefined },
  isAlive: IsAlive,
): Promise<number> {
  for (;;) {
    const found = await store.get(CLUSTER_NODES + self.name);
    const before = found && (await refuseOther(found, self, isAlive));
    const { labels, ...metadata }: Partial<PublishedNode['metadata']> = before?.metadata ?? {
      creationTimestamp: new Date().toISOString(),
    };
    const record: PublishedNode = {
      metadata: {
        ...metadata,
        name: self.name,
        uid: self.uid,
        ...withZone(labels, zone),
      },
      spec,
      managed: 'daemon',
    };
    if (found && before && isDeepStrictEqual(before, record)) return found.revision;
    try {
      return await store.put(CLUSTER_NODES + self.name, asJson(record), found?.revision ?? ABSENT);
    } catch (error) {
      if (!(error instanceof PodwireError) || error.code !== 'CONFLICT') throw error;
    }
  }
}

function withZone(
  labels: Record<string, string> | undefined,
  zone: string | undefined,
): { labels?: Record<string, string> } {
  const { [ZONE_LABEL]: _, ...others } = labels ?? {};
  const all = { ...others, ...(zone !== undefined && { [ZONE_LABEL]: zone }) };
  return Object.keys(all).length > 0 ? { labels: all } : {};
}

/** Answers the record where it is this node's own; undefined where it may be replaced. */
async function refuseOther(
  { value }: Entry,
  self: Identity,
  isAlive: IsAlive,
): Promise<PublishedNode | undefined> {
  const read = readNode(self.name, value);
  if (!('node' in read)) return undefined;
  const { node } = read;
  if (node.metadata.uid === self.uid) return node;
  if (node.managed === 'manual') {
    throw taken(`node ${self.name} was applied by hand: 'podwire delete node ${self.name}' first`);
  }
  if (await isAlive(self.name)) {
    throw taken(`another daemon is node ${self.name} of this cluster: give this one another --name`);
  }
  return undefined;
}

function taken(message: string): PodwireError {
  return new PodwireError('NODE_NAME_TAKEN', message);
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
