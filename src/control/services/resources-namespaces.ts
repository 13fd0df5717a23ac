/**
 * Namespaces: one is there when something is in it, or when it was applied; only an applied one has labels beside the one
 * that Kubernetes gives to all. `default` is always there.
 *
 * Deleting one deletes what is in it, as in Kubernetes: services, slices and this node's pods at once, pods of other nodes
 * when those hear of it. What is in it is deleted first, so that who asks again after a failure goes on where it ended.
 */
import { asPodwireError, PodwireError } from '../errors.js';
import type { KeyedLock } from '../keyed-lock.js';
import type { Logger } from '../logger.js';
import { DEFAULT_NAMESPACE } from '../model/kinds.js';
import { parseNamespace } from '../model/namespace.js';
import type { PutResult } from '../networks.js';
import type { StoredKind } from './resources-kind.js';
import type { ServiceResources } from './resources-services.js';
import type { SliceResources } from './resources-slices.js';
import type { Namespace } from './types.js';

interface NamespacesParts {
  readonly lock: KeyedLock;
  readonly log: Logger;
  readonly settled: () => Promise<void>;
  readonly pods: {
    readonly list: (namespace?: string) => string[];
    readonly delete: (key: string) => Promise<unknown>;
  };
}

export class NamespaceResources {
  constructor(
    private readonly parts: NamespacesParts,
    readonly kind: StoredKind<Namespace>,
    private readonly services: ServiceResources,
    private readonly slices: SliceResources,
  ) {}

  /** @throws PodwireError NOT_FOUND */
  view(name: string): Namespace {
    if (this.kind.get(name) || !this.implied().has(name)) return active(this.kind.view(name));
    return active(impliedNamespace(name));
  }

  /** Sorted by name. */
  list(): Namespace[] {
    const names = new Set([...this.implied(), ...this.kind.keys()]);
    return [...names].sort().map((name) => this.view(name));
  }

  /** @throws PodwireError CONFLICT, STORE_UNREACHABLE */
  put(name: string, given: Namespace): Promise<PutResult> {
    return this.parts.lock.run(`namespaces/${name}`, async () => {
      const result = await this.kind.put(name, given);
      await this.parts.settled();
      return result;
    });
  }

  /** @returns with what was deleted in it. @throws PodwireError NOT_FOUND, PROTECTED, STORE_UNREACHABLE */
  delete(name: string): Promise<Namespace> {
    return this.parts.lock.run(`namespaces/${name}`, async () => {
      if (name === DEFAULT_NAMESPACE) {
        throw new PodwireError('PROTECTED', `namespace ${name} is always there and cannot be deleted`);
      }
      const view = this.view(name);
      // Other nodes hear of a namespace that ends only where there was one.
      if (!this.kind.get(name)) await this.kind.put(name, impliedNamespace(name));
      const deleted = await this.empty(name);
      await this.kind.delete(name);
      await this.parts.settled();
      return { ...view, status: { phase: 'Terminating', deleted } };
    });
  }

  /** Somebody has deleted it, here or at another node: this node's pods in it go as well. */
  wasDeleted(name: string): void {
    if (this.parts.pods.list(name).length === 0) return;
    this.emptyPods(name).catch((error) => {
      this.parts.log.warn(
        { namespace: name, error: asPodwireError(error).message },
        'pods of a deleted namespace not deleted',
      );
    });
  }

  private async empty(name: string): Promise<string[]> {
    const deleted: string[] = [];
    const each = async (kind: string, keys: readonly string[], remove: (key: string) => Promise<unknown>) => {
      for (const key of keys) {
        if (await isDeleted(remove(key))) deleted.push(`${kind}/${key}`);
      }
    };
    const { kind: services } = this.services;
    await each('service', keysIn(services, name), (key) => this.services.delete(key));
    await each('endpointslice', keysIn(this.slices.kind, name), (key) => this.slices.delete(key));
    deleted.push(...(await this.emptyPods(name)));
    return deleted;
  }

  private async emptyPods(name: string): Promise<string[]> {
    const deleted: string[] = [];
    for (const key of this.parts.pods.list(name)) {
      if (await isDeleted(this.parts.pods.delete(key))) deleted.push(`pod/${key}`);
    }
    return deleted;
  }

  private implied(): Set<string> {
    const keys = [...this.services.kind.keys(), ...this.slices.kind.keys(), ...this.parts.pods.list()];
    return new Set([DEFAULT_NAMESPACE, ...keys.map((key) => key.split('/')[0])]);
  }
}

function keysIn(kind: { keys(): Iterable<string> }, namespace: string): string[] {
  return [...kind.keys()].filter((key) => key.startsWith(`${namespace}/`)).sort();
}

/** False where somebody else has deleted it meanwhile. */
async function isDeleted(deletion: Promise<unknown>): Promise<boolean> {
  try {
    await deletion;
    return true;
  } catch (error) {
    if (asPodwireError(error).code === 'NOT_FOUND') return false;
    throw error;
  }
}

function impliedNamespace(name: string): Namespace {
  return parseNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

function active(namespace: Namespace): Namespace {
  return { ...namespace, status: { phase: 'Active' } };
}
