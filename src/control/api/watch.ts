/** GET /v1/watch: changes of the store as events about resources. */
import { invalid, PodwireError } from '../errors.js';
import type { Pods } from '../pods.js';
import { IMPAIRMENTS, NETWORKS, PODS, readPodRecord } from '../records.js';
import type { Change, Json, Store, Watch } from '../store/store.js';
import type { Impairment, Network, Resource, WatchEvent } from './types.js';

/** @returns undefined where the parameter is not given. @throws PodwireError INVALID */
export function parseRevision(text: string | null, name = 'revision'): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalid(name, `'${text}' is not a revision`);
}

/** What of the cluster a key of the store holds: a node, a service; undefined for another key. */
export type ClusterReader = (key: string, value: Json, revision: number) => Resource | undefined;

/** A WebSocket's path, asked without an upgrade. */
export function refusePlain(): never {
  throw new PodwireError('INVALID', 'this path is a WebSocket: send an upgrade request');
}

/** @throws PodwireError REVISION_TOO_OLD, INVALID where the revision is in the future */
export async function watchResources(
  store: Store,
  pods: Pods,
  cluster: ClusterReader,
  after: number | undefined,
  send: (event: WatchEvent) => void,
): Promise<Watch> {
  const { revision } = await store.list(NETWORKS);
  if (after !== undefined && after > revision) {
    throw invalid('revision', `${after} is in the future: the store is at ${revision}`);
  }
  return store.watch({
    prefix: '',
    after: after ?? revision,
    onChange: (change) => {
      const event = eventOf(change, pods, cluster);
      if (event) send(event);
    },
  });
}

function eventOf(change: Change, pods: Pods, cluster: ClusterReader): WatchEvent | undefined {
  const { key, revision, value, previous } = change;
  const object = resourceOf(key, value ?? previous, revision, pods, cluster);
  if (!object) return undefined;
  const type = value === undefined ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED';
  return { type, revision, object };
}

function resourceOf(
  key: string,
  value: Json | undefined,
  revision: number,
  pods: Pods,
  cluster: ClusterReader,
): Resource | undefined {
  if (key.startsWith(PODS) && value !== undefined) {
    const name = key.slice(PODS.length);
    return pods.viewOf(name, readPodRecord(name, value), revision);
  }
  if (key.startsWith(NETWORKS) || key.startsWith(IMPAIRMENTS)) {
    const resource = value as unknown as Network | Impairment;
    return { ...resource, metadata: { ...resource.metadata, resourceVersion: String(revision) } };
  }
  return value === undefined ? undefined : cluster(key, value, revision);
}
