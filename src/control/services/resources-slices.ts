/**
 * EndpointSlices: those that were applied, and beside them, to be read only, those that podwire computes from selectors and
 * pods. Computed ones say so by their label `endpointslice.kubernetes.io/managed-by: podwire.dev`, which no other may have.
 */
import { PodwireError } from '../errors.js';
import type { PutResult } from '../networks.js';
import { MANAGER, MANAGER_LABEL } from './from-pods.js';
import type { StoredKind } from './resources-kind.js';
import { type StoredParts, StoredResources } from './resources-stored.js';
import { type EndpointSlice, keyOf } from './types.js';

interface SlicesParts extends StoredParts {
  readonly computedSlices: () => Iterable<EndpointSlice>;
}

export class SliceResources extends StoredResources<EndpointSlice> {
  constructor(
    private readonly parts: SlicesParts,
    kind: StoredKind<EndpointSlice>,
  ) {
    super(parts, kind);
  }

  /** @throws PodwireError NOT_FOUND */
  override view(key: string): EndpointSlice {
    const computed = this.kind.get(key) ? undefined : this.computed(namespaceOf(key)).get(key);
    return computed ?? super.view(key);
  }

  /** Sorted by key; an applied one hides a computed one of its name. */
  override list(namespace?: string): EndpointSlice[] {
    const all = this.computed(namespace);
    for (const slice of super.list(namespace)) all.set(keyOf(slice), slice);
    return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, slice]) => slice);
  }

  /** @throws PodwireError CONFLICT, PROTECTED, STORE_UNREACHABLE */
  override async put(key: string, given: EndpointSlice): Promise<PutResult> {
    refuseComputed(given);
    return super.put(key, given);
  }

  /** @throws PodwireError NOT_FOUND, CONFLICT, PROTECTED, STORE_UNREACHABLE */
  override delete(key: string): Promise<EndpointSlice> {
    return this.alone(key, async () => {
      const view = this.view(key);
      if (!this.kind.get(key)) refuseComputed(view);
      return this.kind.delete(key);
    });
  }

  private computed(namespace: string | undefined): Map<string, EndpointSlice> {
    const found = new Map<string, EndpointSlice>();
    for (const slice of this.parts.computedSlices()) {
      if (namespace === undefined || slice.metadata.namespace === namespace) found.set(keyOf(slice), slice);
    }
    return found;
  }
}

function refuseComputed({ metadata }: EndpointSlice): void {
  if (metadata.labels?.[MANAGER_LABEL] !== MANAGER) return;
  throw new PodwireError(
    'PROTECTED',
    `endpointslice ${metadata.name} is computed by podwire (label ${MANAGER_LABEL}: ${MANAGER}): change the service or its pods`,
  );
}

function namespaceOf(key: string): string {
  return key.split('/')[0];
}
