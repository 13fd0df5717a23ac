/** GET /v1/watch: changes of the store as events about resources. */
import { invalid } from '../errors.js';
import type { Pods } from '../pods.js';
import { NETWORKS, PODS, type PodRecord } from '../records.js';
import type { Change, Json, Store, Watch } from '../store/store.js';
import type { Network, Resource, WatchEvent } from './types.js';

/** @returns undefined where the parameter is not given. @throws PodwireError INVALID */
export function parseRevision(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalid('revision', `'${text}' is not a revision`);
}

/** @throws PodwireError REVISION_TOO_OLD, INVALID where the revision is in the future */
export async function watchResources(
  store: Store,
  pods: Pods,
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
      const event = eventOf(change, pods);
      if (event) send(event);
    },
  });
}

function eventOf(change: Change, pods: Pods): WatchEvent | undefined {
  const { key, revision, value, previous } = change;
  const object = resourceOf(key, value ?? previous, revision, pods);
  if (!object) return undefined;
  const type = value === undefined ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED';
  return { type, revision, object };
}

function resourceOf(
  key: string,
  value: Json | undefined,
  revision: number,
  pods: Pods,
): Resource | undefined {
  if (key.startsWith(PODS))
    return pods.viewOf(key.slice(PODS.length), value as unknown as PodRecord, revision);
  if (!key.startsWith(NETWORKS)) return undefined;
  const network = value as unknown as Network;
  return { ...network, metadata: { ...network.metadata, resourceVersion: String(revision) } };
}
