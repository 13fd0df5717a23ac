/**
 * What the store holds, and under which keys:
 *
 *     networks/NAME       a Network as applied
 *     impairments/NAME    an Impairment as applied
 *     pods/NS/NAME        PodRecord: the Pod, and how it is attached
 *     local/node          NodeRecord: whose data directory this is
 *     local/cluster/…     what was last known of the cluster: cluster/local-copy.ts
 *     cluster/…           the state of the cluster, where this node keeps it: cluster/records.ts
 *
 * Network, Impairment and Pod are held in memory too; the store is written first, so that memory never knows more.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { PublishedPort } from './api/publish-types.js';
import type { Limits, ObjectMeta, Pod } from './api/types.js';
import { PodwireError } from './errors.js';
import type { Json, Store } from './store/store.js';

/** Whose interface it is by the word of a container runtime (CNI 1.1, section 2). */
export interface ContainerReference {
  readonly id: string;
  /** `name` of the network configuration. */
  readonly config: string;
}

/** One interface of a pod: everything needed to attach it in the same way again. */
export interface AttachmentRecord {
  /** Name of its port: the pod's key; of interfaces that came beside another `NAMESPACE/NAME/IFNAME`. */
  readonly port: string;
  readonly netns: string;
  /** 'device:inode' of the namespace: another one may take its path. */
  readonly netnsId: string;
  readonly ifname: string;
  readonly network: string;
  /** Index of the bridge domain within the network. */
  readonly domain: number;
  readonly ips: readonly string[];
  readonly mac: string;
  readonly mtu: number;
  /** More names that it has in its network. */
  readonly aliases?: readonly string[];
  readonly limits?: Limits;
  /** Ports of the node that lead here. */
  readonly published?: readonly PublishedPort[];
  /** Of a virtual machine: the TAP that its monitor opens, in the namespace, and the user who may. `ifname` is a name only. */
  readonly tap?: string;
  readonly tapOwner?: number;
  /** Where a container runtime has asked for it. */
  readonly container?: ContainerReference;
}

export interface PodRecord {
  readonly pod: Pod;
  /** It was applied and outlives its attachments; else it came with the first and goes with the last. */
  readonly applied: boolean;
  /** In the order in which they were made: the first has the pod's address. */
  readonly attachments: readonly AttachmentRecord[];
}

/** As stored by this version or by one in which a pod had one interface. */
export function readPodRecord(key: string, value: Json): PodRecord {
  const { attachment, ...record } = value as unknown as PodRecord & { attachment?: AttachmentRecord };
  if (record.attachments) return record;
  return { ...record, attachments: attachment ? [{ ...attachment, port: key }] : [] };
}

export interface NodeRecord {
  readonly name: string;
  /** Tells this node from another that has its name. */
  readonly uid: string;
  /** Its pod subnets, which it asks for again. */
  readonly podCidrs?: readonly string[];
}

export const PODS = 'pods/';
export const NETWORKS = 'networks/';
export const IMPAIRMENTS = 'impairments/';
const NODE = 'local/node';

export function podKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** Of the pod that a port belongs to. */
export function podKeyOfPort(port: string): string {
  return port.split('/').slice(0, 2).join('/');
}

/** Records of one kind in memory and in the store, written with compare-and-swap. */
export class Records<T extends object> {
  private readonly records = new Map<string, { value: T; revision: number }>();
  /** One was written or removed. */
  onChange: () => void = () => {};

  /** @param read what a stored value is, where it is not simply a T. */
  constructor(
    private readonly store: Store,
    private readonly prefix: string,
    private readonly read = (_key: string, value: Json): T => value as unknown as T,
  ) {}

  async load(): Promise<void> {
    const { entries } = await this.store.list(this.prefix);
    for (const { key, value, revision } of entries) {
      const name = key.slice(this.prefix.length);
      this.records.set(name, { value: this.read(name, value), revision });
    }
  }

  get(key: string): T | undefined {
    return this.records.get(key)?.value;
  }

  revision(key: string): number {
    return this.records.get(key)?.revision ?? 0;
  }

  /** Sorted by key. */
  list(): [key: string, value: T][] {
    return [...this.records]
      .map(([key, { value }]): [string, T] => [key, value])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** @throws PodwireError CONFLICT, STORE_FAILED */
  async save(key: string, value: T): Promise<void> {
    const revision = await this.store.put(this.prefix + key, asJson(value), this.revision(key));
    this.records.set(key, { value, revision });
    this.onChange();
  }

  async remove(key: string): Promise<void> {
    await this.store.delete(this.prefix + key, this.revision(key));
    this.records.delete(key);
    this.onChange();
  }
}

/** Whose data directory this is, and what it remembers. @throws PodwireError STATE_MISMATCH where it is another node's */
export async function claimNode(store: Store, name: string): Promise<NodeRecord> {
  const found = (await store.get(NODE))?.value as unknown as Partial<NodeRecord> | undefined;
  if (found?.name !== undefined && found.name !== name) {
    throw new PodwireError(
      'STATE_MISMATCH',
      `the data directory holds the state of node ${found.name}, not ${name}: give --name ${found.name} or another --data`,
    );
  }
  const record = { ...found, name, uid: found?.uid ?? randomUUID() };
  if (found?.uid === undefined) await store.put(NODE, asJson(record));
  return record;
}

export async function rememberSubnets(
  store: Store,
  node: NodeRecord,
  podCidrs: readonly string[],
): Promise<void> {
  if (isDeepStrictEqual(node.podCidrs, podCidrs)) return;
  await store.put(NODE, asJson({ ...node, podCidrs }));
}

/** Metadata of a new or changed resource: the store's fields stay, the user's are as given. */
export function stampMeta(given: ObjectMeta, existing: ObjectMeta | undefined): ObjectMeta {
  const { resourceVersion: _, uid: __, creationTimestamp: ___, ...rest } = given;
  return {
    ...rest,
    uid: existing?.uid ?? randomUUID(),
    creationTimestamp: existing?.creationTimestamp ?? new Date().toISOString(),
  };
}

/** What a PUT with a resourceVersion relies on. @throws PodwireError CONFLICT */
export function checkVersion(what: string, given: ObjectMeta, revision: number): void {
  const { resourceVersion } = given;
  if (resourceVersion === undefined || resourceVersion === String(revision)) return;
  throw new PodwireError(
    'CONFLICT',
    `${what} has resourceVersion ${revision || 'none'}, not ${resourceVersion}: it has changed; read it again`,
    'metadata.resourceVersion',
  );
}

/** Records are plain data; leaving out undefined fields makes them JSON. */
function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
