/**
 * Namespaces: one is there when something is in it, or when it was applied; only an applied one has labels beside the one
 * that Kubernetes gives to all. `default` is always there.
 *
 * Deleting one deletes what is in it, as in Kubernetes: services, slices, policies and this node's pods at once, pods of other
 * nodes when those hear of it. What is in it is deleted first, so that who asks again after a failure goes on where it ended;
 * policies last of all, so that none of its pods is open before it goes.
 */
import { asPodwireError, PodwireError } from '../errors.js';
import type { Logger } from '../logger.js';
import { DEFAULT_NAMESPACE } from '../model/kinds.js';
import { parseNamespace } from '../model/namespace.js';
import type { StoredKind } from './resources-kind.js';
import { type StoredParts, StoredResources } from './resources-stored.js';
import type { Namespace } from './types.js';

/** Resources of a kind that are in namespaces. */
export interface NamespacedKind {
  readonly kind: { readonly word: string; keys(): Iterable<string> };
  delete(key: string): Promise<unknown>;
}

interface NamespacesParts extends StoredParts {
  readonly log: Logger;
  readonly pods: {
    readonly list: (namespace?: string) => string[];
    readonly delete: (key: string) => Promise<unknown>;
  };
}

export class NamespaceResources extends StoredResources<Namespace> {
  /**
   * @param within deleted in this order, before its pods
   * @param behind after them
   */
  constructor(
    private readonly parts: NamespacesParts,
    kind: StoredKind<Namespace>,
    private readonly within: readonly NamespacedKind[],
    private readonly behind: readonly NamespacedKind[],
  ) {
    super(parts, kind);
  }

  /** @throws PodwireError NOT_FOUND */
  override view(name: string): Namespace {
    if (this.kind.get(name) || !this.implied().has(name)) return active(this.kind.view(name));
    return active(impliedNamespace(name));
  }

  /** Sorted by name. */
  override list(): Namespace[] {
    const names = new Set([...this.implied(), ...this.kind.keys()]);
    return [...names].sort().map((name) => this.view(name));
  }

  /** @returns with what was deleted in it. @throws PodwireError NOT_FOUND, PROTECTED, STORE_UNREACHABLE */
  override delete(name: string): Promise<Namespace> {
    return this.alone(name, async () => {
      if (name === DEFAULT_NAMESPACE) {
        throw new PodwireError('PROTECTED', `namespace ${name} is always there and cannot be deleted`);
      }
      const view = this.view(name);
      // Other nodes hear of a namespace that ends only where there was one.
      if (!this.kind.get(name)) await this.kind.put(name, impliedNamespace(name));
      const deleted = await this.empty(name);
      await this.kind.delete(name);
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
    const deleted = await emptyKinds(this.within, name);
    deleted.push(...(await this.emptyPods(name)));
    return [...deleted, ...(await emptyKinds(this.behind, name))];
  }

  private async emptyPods(name: string): Promise<string[]> {
    const deleted: string[] = [];
    for (const key of this.parts.pods.list(name)) {
      if (await isDeleted(this.parts.pods.delete(key))) deleted.push(`pod/${key}`);
    }
    return deleted;
  }

  private implied(): Set<string> {
    const kinds = [...this.within, ...this.behind];
    const keys = [...kinds.flatMap(({ kind }) => [...kind.keys()]), ...this.parts.pods.list()];
    return new Set([DEFAULT_NAMESPACE, ...keys.map((key) => key.split('/')[0])]);
  }
}

/** @returns what was deleted: `service/shop/web`. */
async function emptyKinds(kinds: readonly NamespacedKind[], namespace: string): Promise<string[]> {
  const deleted: string[] = [];
  for (const resources of kinds) {
    const { kind } = resources;
    for (const key of keysIn(kind, namespace)) {
      if (await isDeleted(resources.delete(key))) deleted.push(`${kind.word}/${key}`);
    }
  }
  return deleted;
}

function keysIn(kind: NamespacedKind['kind'], namespace: string): string[] {
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
