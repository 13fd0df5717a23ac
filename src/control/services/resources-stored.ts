/**
 * Resources of a kind that are kept as they are written, with nothing to choose or to claim: what is put is in the store, known
 * here and in force when the call returns.
 */
import type { ObjectMeta } from '../api/types.js';
import type { KeyedLock } from '../keyed-lock.js';
import type { PutResult } from '../networks.js';
import type { StoredKind } from './resources-kind.js';

export interface StoredParts {
  readonly lock: KeyedLock;
  /** Resolves when what listeners were told is in force. */
  readonly settled: () => Promise<void>;
}

export class StoredResources<T extends { metadata: ObjectMeta }> {
  constructor(
    private readonly common: StoredParts,
    readonly kind: StoredKind<T>,
  ) {}

  /** @param key NAMESPACE/NAME, or NAME. @throws PodwireError NOT_FOUND */
  view(key: string): T {
    return this.kind.view(key);
  }

  /** Sorted by key. */
  list(namespace?: string): T[] {
    return this.kind.list(namespace);
  }

  /** @throws PodwireError CONFLICT, STORE_UNREACHABLE */
  put(key: string, given: T): Promise<PutResult> {
    return this.alone(key, () => this.kind.put(key, inItsNamespace(key, given)));
  }

  /** @returns as it was. @throws PodwireError NOT_FOUND, CONFLICT, STORE_UNREACHABLE */
  delete(key: string): Promise<T> {
    return this.alone(key, () => this.kind.delete(key));
  }

  /** Without another change of the same resource beside it; ends when it is in force. */
  protected alone<R>(key: string, change: () => Promise<R>): Promise<R> {
    return this.common.lock.run(this.kind.prefix + key, async () => {
      const result = await change();
      await this.common.settled();
      return result;
    });
  }
}

/** Whoever writes to a path may leave its namespace out of the resource. */
function inItsNamespace<T extends { metadata: ObjectMeta }>(key: string, given: T): T {
  const [namespace, name] = key.split('/');
  return name === undefined ? given : { ...given, metadata: { ...given.metadata, namespace } };
}
