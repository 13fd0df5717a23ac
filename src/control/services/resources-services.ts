/**
 * Services as resources: applied at any node, given what they do not say (services/allocate.ts), claimed for the whole cluster
 * (service-claims.ts), written, and in force here when the call returns.
 *
 * What is chosen and turns out to be another's, since two nodes chose at once, is chosen again. What a service asks for by
 * itself it gets, or an error that names the field. Of the status the address of a load balancer stays unless another is
 * given.
 */
import type { Clock } from '../clock.js';
import { PodwireError } from '../errors.js';
import type { KeyedLock } from '../keyed-lock.js';
import type { Logger } from '../logger.js';
import { parseService } from '../model/service.js';
import type { PutResult } from '../networks.js';
import type { Store } from '../store/store.js';
import { ServiceAllocator } from './allocate.js';
import { reservedAddresses } from './reserved-addresses.js';
import { SERVICES } from './resources-copy.js';
import { type KindParts, StoredKind } from './resources-kind.js';
import {
  type Claim,
  claimKeys,
  holderText,
  holdingOfKey,
  refuseTaken,
  ServiceClaims,
} from './service-claims.js';
import { ClaimsRepair } from './service-claims-repair.js';
import { keyOf, type Service } from './types.js';

export interface ServicesParts {
  readonly store: Store;
  /** uid of this node. */
  readonly node: string;
  readonly serviceCidrs: readonly string[];
  readonly lock: KeyedLock;
  readonly log: Logger;
  readonly settled: () => Promise<void>;
  readonly clock?: Clock;
}

/** Lost races for what was chosen: each is another service that was just made elsewhere. */
const RACES = 50;

export class ServiceResources {
  readonly kind: StoredKind<Service>;
  readonly repair: ClaimsRepair;
  private readonly allocator: ServiceAllocator;
  private readonly claims: ServiceClaims;

  constructor(
    private readonly parts: ServicesParts,
    private readonly kindParts: Omit<KindParts<Service>, 'kind' | 'prefix' | 'parse'> & {
      /** @throws PodwireError STORE_UNREACHABLE */
      readonly checkReachable: () => void;
    },
  ) {
    const { store, node, serviceCidrs, log } = parts;
    this.allocator = new ServiceAllocator({
      cidrs: serviceCidrs,
      reserved: reservedAddresses(serviceCidrs),
    });
    const isOwned = (key: string, claim: Claim) => this.isOwned(key, claim);
    this.claims = new ServiceClaims(store, node, isOwned);
    this.kind = new StoredKind<Service>({
      ...kindParts,
      kind: 'service',
      prefix: SERVICES,
      parse: parseService,
      changed: (key, before, after) =>
        this.changed(key, before, after?.value, () => kindParts.changed(key, before, after)),
    });
    this.repair = new ClaimsRepair({
      store,
      claims: this.claims,
      allocator: this.allocator,
      serviceOf: (key) => this.kind.get(key)?.value,
      isOwned,
      log,
      ...(parts.clock && { clock: parts.clock }),
    });
  }

  /** @throws PodwireError NOT_FOUND */
  view(key: string): Service {
    return this.kind.view(key);
  }

  list(namespace?: string): Service[] {
    return this.kind.list(namespace);
  }

  /**
   * @throws PodwireError CONFLICT, INVALID, ADDRESS_IN_USE, ADDRESS_EXHAUSTED, PORT_IN_USE, NODE_PORTS_EXHAUSTED,
   * STORE_UNREACHABLE
   */
  put(key: string, given: Service): Promise<PutResult> {
    return this.parts.lock.run(`services/${key}`, async () => {
      this.kindParts.checkReachable();
      const [namespace] = key.split('/');
      const before = this.kind.get(key)?.value;
      const busy = new Set<string>();
      try {
        const result = await this.kind.put(
          key,
          { ...given, metadata: { ...given.metadata, namespace } },
          {
            prepare: (service, existing) => this.prepare(withStatus(service, existing), existing, busy),
            failed: (full, isUnsure) => this.undo(full, isUnsure),
          },
        );
        const after = this.kind.get(key)?.value;
        if (before && result === 'configured') await this.giveBack(before, after);
        await this.parts.settled();
        return result;
      } finally {
        for (const uid of busy) this.claims.busy.delete(uid);
      }
    });
  }

  /** @throws PodwireError NOT_FOUND, CONFLICT, STORE_UNREACHABLE */
  delete(key: string): Promise<Service> {
    return this.parts.lock.run(`services/${key}`, async () => {
      const deleted = await this.kind.delete(key);
      await this.giveBack(deleted, this.kind.get(key)?.value);
      await this.parts.settled();
      return deleted;
    });
  }

  /** Complete, with all that it is given claimed. */
  private async prepare(
    service: Service,
    existing: Service | undefined,
    busy: Set<string>,
  ): Promise<Service> {
    const fixed = new Set(claimKeys(service).keys());
    const { uid = '' } = service.metadata;
    this.claims.busy.add(uid);
    busy.add(uid);
    for (let race = 0; race < RACES; race++) {
      const full = this.allocator.allocate(service);
      const taken = await this.claimAll(full, existing, fixed);
      if (!taken) return full;
      this.restore(keyOf(service));
      const { key, claim } = taken;
      if (fixed.has(key)) refuseTaken(claimKeys(full).get(key), claim);
      const holding = holdingOfKey(key);
      if (holding) this.allocator.hold(holderText(claim), holding);
    }
    throw new PodwireError('CONFLICT', 'other nodes take each address that is chosen: try again');
  }

  private async claimAll(
    full: Service,
    existing: Service | undefined,
    fixed: ReadonlySet<string>,
  ): Promise<{ key: string; claim: Claim } | undefined> {
    const had = existing ? claimKeys(existing) : new Map();
    const keys = [...claimKeys(full).keys()].filter((key) => !had.has(key) || !this.repair.holds(key, full));
    try {
      return await this.claims.take(full, keys, fixed);
    } catch (error) {
      this.restore(keyOf(full));
      throw error;
    }
  }

  /** @param isUnsure it may have been written: what it has is not given back, and found later if it was not. */
  private async undo(full: Service, isUnsure: boolean): Promise<void> {
    this.restore(keyOf(full));
    if (!isUnsure) await this.giveBack(full, this.kind.get(keyOf(full))?.value);
  }

  private restore(key: string): void {
    this.allocator.release(key);
    const known = this.kind.get(key)?.value;
    if (known) this.allocator.claim(known);
  }

  /** What the one has and the other, where it is the same service, has not. */
  private giveBack(before: Service, after: Service | undefined): Promise<void> {
    const isSame = after?.metadata.uid === before.metadata.uid;
    const kept = after && isSame ? claimKeys(after) : new Map();
    return this.claims.giveBack(
      before,
      [...claimKeys(before).keys()].filter((key) => !kept.has(key)),
    );
  }

  private changed(
    key: string,
    before: Service | undefined,
    after: Service | undefined,
    tell: () => void,
  ): void {
    this.restore(key);
    this.repair.serviceChanged(before, after);
    tell();
  }

  /** By the store's word. */
  private async isOwned(key: string, { service, uid }: Claim): Promise<boolean> {
    const found = await this.parts.store.get(SERVICES + service);
    if (!found) return false;
    try {
      const stored = parseService(found.value);
      return stored.metadata.uid === uid && claimKeys(stored).has(key);
    } catch {
      return false;
    }
  }
}

/** Whoever applies a manifest again does not know where the load balancer is. */
function withStatus(service: Service, existing: Service | undefined): Service {
  if (service.status || !existing?.status || service.spec.type !== 'LoadBalancer') return service;
  return { ...service, status: existing.status };
}
