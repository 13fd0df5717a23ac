/**
 * Makes the claims of service-claims.ts follow the services, whatever happened in between: a claim whose service is not
 * there is held for a minute, for its service may be on its way, and then deleted; a service without its claim, as after the
 * store has lost data, gets it again. Every node does this, by compare-and-swap; who is second finds nothing to do.
 *
 * Told of each change, it knows what is amiss without looking through all of it. Memory: two map entries a claim.
 */
import { type Clock, SYSTEM_CLOCK } from '../clock.js';
import { asPodwireError } from '../errors.js';
import { type Logger, RepeatedLog } from '../logger.js';
import { ABSENT, type Json, type Store } from '../store/store.js';
import type { ServiceAllocator } from './allocate.js';
import {
  type Claim,
  claimKeys,
  holderText,
  holdingOfKey,
  readClaim,
  type ServiceClaims,
} from './service-claims.js';
import { keyOf, type Service } from './types.js';

/** Longer than any write can take (ms); nodes differ by up to half of it, so that mostly one of them does it. */
const GRACE = 60_000;

export interface ClaimsRepairParts {
  readonly store: Store;
  readonly claims: ServiceClaims;
  readonly allocator: ServiceAllocator;
  /** As it is known here. @param key NAMESPACE/NAME */
  readonly serviceOf: (key: string) => Service | undefined;
  readonly isOwned: (key: string, claim: Claim) => Promise<boolean>;
  readonly log: Logger;
  readonly clock?: Clock;
}

export class ClaimsRepair {
  private readonly holders = new Map<string, Claim>();
  /** Services by what they have. */
  private readonly wanted = new Map<string, string>();
  /** Claims whose service does not have them, and since when. */
  private readonly stray = new Map<string, number>();
  private readonly missing = new Set<string>();
  private readonly grace = GRACE * (1 + Math.random() / 2);
  private readonly clock: Clock;
  private readonly repeated: RepeatedLog;

  constructor(private readonly parts: ClaimsRepairParts) {
    this.clock = parts.clock ?? SYSTEM_CLOCK;
    this.repeated = new RepeatedLog(parts.log);
  }

  /** Whether a service has that claim by what is known here. */
  holds(key: string, service: Service): boolean {
    return this.holders.get(key)?.uid === service.metadata.uid;
  }

  claimChanged(key: string, value: Json | undefined): void {
    this.release(key);
    const claim = value === undefined ? undefined : (readClaim(value) ?? UNREADABLE);
    if (claim) this.holders.set(key, claim);
    else this.holders.delete(key);
    this.look(key);
  }

  /** After the allocator has been told. */
  serviceChanged(before: Service | undefined, after: Service | undefined): void {
    const keys = new Set<string>();
    for (const key of before ? claimKeys(before).keys() : []) {
      if (this.wanted.get(key) === keyOf(before as Service)) this.wanted.delete(key);
      keys.add(key);
    }
    for (const key of after ? claimKeys(after).keys() : []) {
      this.tellClash(key, after as Service);
      this.wanted.set(key, keyOf(after as Service));
      keys.add(key);
    }
    for (const key of keys) this.look(key);
  }

  /** Puts right what is amiss. @throws nothing: what fails is tried again in the next round */
  async round(): Promise<void> {
    try {
      for (const key of [...this.missing]) await this.reassert(key);
      for (const [key, since] of [...this.stray]) await this.tidy(key, since);
      this.repeated.clear('round');
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn('round', { code, error: message }, 'claims of services not looked after');
    }
  }

  /** Where a claim stands now: its service's, nobody's, or missing. */
  private look(key: string): void {
    const claim = this.holders.get(key);
    const service = this.parts.serviceOf(this.wanted.get(key) ?? '');
    if (service && !claim) this.missing.add(key);
    else this.missing.delete(key);
    if (!claim || claim.uid === service?.metadata.uid) {
      this.stray.delete(key);
      return;
    }
    if (!this.stray.has(key)) this.stray.set(key, this.clock.now());
    const holding = holdingOfKey(key);
    if (holding && !service && !this.parts.claims.busy.has(claim.uid)) {
      this.parts.allocator.hold(holderText(claim), holding);
    }
  }

  private release(key: string): void {
    const claim = this.holders.get(key);
    const holding = claim && holdingOfKey(key);
    if (holding) this.parts.allocator.drop(holderText(claim), holding);
  }

  private async reassert(key: string): Promise<void> {
    const { store, claims, serviceOf } = this.parts;
    const service = serviceOf(this.wanted.get(key) ?? '');
    if (!service) return;
    try {
      await store.put(key, claims.claimOf(service) as unknown as Json, ABSENT);
    } catch (error) {
      if (asPodwireError(error).code !== 'CONFLICT') throw error;
    }
    this.missing.delete(key);
  }

  private async tidy(key: string, since: number): Promise<void> {
    const { store, claims, isOwned } = this.parts;
    const known = this.holders.get(key);
    if (!known || claims.busy.has(known.uid)) return;
    const isOwn = known.node === claims.claimNode;
    if (!isOwn && this.clock.now() - since < this.grace) return;
    const found = await store.get(key);
    const claim = found && (readClaim(found.value) ?? UNREADABLE);
    if (!claim || claim.uid !== known.uid || (await isOwned(key, claim))) return;
    try {
      await store.delete(key, found.revision);
    } catch (error) {
      if (asPodwireError(error).code !== 'CONFLICT') throw error;
    }
  }

  /** Only where somebody wrote to the store by hand, or it has lost data. */
  private tellClash(key: string, service: Service): void {
    const other = this.wanted.get(key);
    if (other === undefined || other === keyOf(service)) return;
    this.parts.log.warn(
      { service: keyOf(service), other, key },
      'two services have the same: delete one of them',
    );
  }
}

const UNREADABLE: Claim = { service: 'an unreadable record', uid: '', node: '' };
