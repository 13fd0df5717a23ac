/**
 * A copy of the cluster's services, slices, namespaces and policies in this node's own store, as cluster/local-copy.ts has one
 * of nodes: it starts from it while the cluster store is away, and whoever watches its API hears of them in the order
 * of one store. A node that keeps the cluster's store has no need of it.
 *
 *     local/cluster/services/NS/NAME, local/cluster/namespaces/NAME, …, as in the cluster store   { value, revision }
 *
 * It follows behind: what has changed is written one after the other, with everybody else's work in between.
 */
import type { Resource } from '../api/types.js';
import { asPodwireError } from '../errors.js';
import { type Logger, RepeatedLog } from '../logger.js';
import type { Json, Store } from '../store/store.js';

export const SERVICES = 'cluster/services/';
export const SLICES = 'cluster/endpointslices/';
export const NAMESPACES = 'cluster/namespaces/';
export const NETWORK_POLICIES = 'cluster/networkpolicies/';
export const ADMIN_POLICIES = 'cluster/adminnetworkpolicies/';
export const BASELINE_POLICIES = 'cluster/baselineadminnetworkpolicies/';
export const RESOURCES = [
  SERVICES,
  SLICES,
  NAMESPACES,
  NETWORK_POLICIES,
  ADMIN_POLICIES,
  BASELINE_POLICIES,
] as const;

const LOCAL = 'local/';
/** There in the copy once all that the cluster store held was written here. */
const WHOLE = 'cluster/whole';

interface Copied {
  /** null: it is gone. */
  readonly value: Json;
  readonly revision: number;
}

export class ResourcesCopy {
  private readonly pending = new Map<string, Copied>();
  private readonly repeated: RepeatedLog;
  private writing: Promise<void> | undefined;
  private stopped = false;
  private whole = false;

  /** @param store this node's own. */
  constructor(
    private readonly store: Store,
    log: Logger,
  ) {
    this.repeated = new RepeatedLog(log);
  }

  /** Whether it has had everything once: then what is not in it was not there. */
  get isWhole(): boolean {
    return this.whole;
  }

  /** What was known when this node last ran, by key in the cluster store. */
  async load(): Promise<Map<string, Copied>> {
    const found = new Map<string, Copied>();
    this.whole = (await this.store.get(LOCAL + WHOLE)) !== undefined;
    for (const prefix of RESOURCES) {
      for (const { key, value } of (await this.store.list(LOCAL + prefix)).entries) {
        const copy = readCopy(value);
        if (copy) found.set(key.slice(LOCAL.length), copy);
      }
    }
    return found;
  }

  /** @param value undefined: it is gone. */
  set(key: string, value: object | undefined, revision: number): void {
    this.pending.set(key, { value: value === undefined ? null : asJson(value), revision });
    this.writing ??= this.write();
  }

  /** All that the cluster store holds was set. */
  completed(revision: number): void {
    if (this.whole) return;
    this.whole = true;
    // Behind what was set, as everything is written in order.
    this.set(WHOLE, {}, revision);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.writing;
  }

  private async write(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = this.pending;
      if (next === undefined || this.stopped) break;
      this.pending.delete(next[0]);
      await this.writeOne(...next);
    }
    this.writing = undefined;
  }

  private async writeOne(key: string, copy: Copied): Promise<void> {
    try {
      if (copy.value === null) await this.store.delete(LOCAL + key);
      else await this.store.put(LOCAL + key, asJson(copy));
    } catch (error) {
      const { code, message } = asPodwireError(error);
      const text = 'what is known of services and policies cannot be written down';
      this.repeated.warn('copy', { code, error: message }, text);
    }
  }
}

function readCopy(value: Json): Copied | undefined {
  const copy = value as Partial<Copied> | null;
  return copy?.value && typeof copy.revision === 'number' ? (copy as Copied) : undefined;
}

/** For watchers: the resource that a key of the local store holds. @param isOwn whether the cluster's state is in it. */
export function watchedResource(
  isOwn: boolean,
): (key: string, value: Json, revision: number) => Resource | undefined {
  return (key, value, revision) => {
    const prefix = isOwn ? '' : LOCAL;
    if (!RESOURCES.some((one) => key.startsWith(prefix + one))) return undefined;
    const copy = isOwn ? { value, revision } : readCopy(value);
    if (!copy?.value) return undefined;
    const resource = copy.value as unknown as Resource;
    return { ...resource, metadata: { ...resource.metadata, resourceVersion: String(copy.revision) } };
  };
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
