/**
 * Who is at which address. While a pod moves, or its node tells it late, two may say that they have the same one: the last word
 * counts, and when that is taken back, the one before it.
 */
import { IDENTITY_UNKNOWN, type PolicyAddressSpec } from '../../dataplane/policy-spec.js';

/** Whoever claims an address: each claims it once. */
export type Claimant = object;

interface Place {
  readonly address: string;
  readonly domain: number | undefined;
  /** The last one counts. */
  readonly claims: Map<Claimant, number>;
  told: number;
}

export class Places {
  private readonly places = new Map<string, Place>();
  private readonly changed = new Set<Place>();

  /** @param domain undefined: the networks that are routed. */
  claim(claimant: Claimant, address: string, domain: number | undefined, identity: number): void {
    const key = placeKey(address, domain);
    const place = this.places.get(key) ?? { address, domain, claims: new Map(), told: IDENTITY_UNKNOWN };
    place.claims.delete(claimant);
    place.claims.set(claimant, identity);
    this.places.set(key, place);
    this.changed.add(place);
  }

  release(claimant: Claimant, address: string, domain: number | undefined): void {
    const place = this.places.get(placeKey(address, domain));
    if (place?.claims.delete(claimant)) this.changed.add(place);
  }

  /** The identity at an address; undefined: nobody is known to be there. */
  at(address: string, domain?: number): number | undefined {
    const place = this.places.get(placeKey(address, domain));
    return place && current(place);
  }

  /** What is different since the last call. */
  take(): PolicyAddressSpec[] {
    const specs: PolicyAddressSpec[] = [];
    for (const place of this.changed) {
      const identity = current(place) ?? IDENTITY_UNKNOWN;
      if (identity !== place.told) specs.push(spec(place, identity));
      place.told = identity;
      if (place.claims.size === 0) this.places.delete(placeKey(place.address, place.domain));
    }
    this.changed.clear();
    return specs;
  }

  whole(): PolicyAddressSpec[] {
    return [...this.places.values()].flatMap((place) => {
      const identity = current(place);
      return identity === undefined ? [] : [spec(place, identity)];
    });
  }
}

function current({ claims }: Place): number | undefined {
  return [...claims.values()].at(-1);
}

function spec({ address, domain }: Place, identity: number): PolicyAddressSpec {
  return { address, ...(domain !== undefined && { domain }), identity };
}

function placeKey(address: string, domain: number | undefined): string {
  return `${domain ?? ''} ${address}`;
}
