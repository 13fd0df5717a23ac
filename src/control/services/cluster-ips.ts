/**
 * Cluster IPs: which address of the service prefixes belongs to which service. One prefix of each family at most; the
 * first is that of services that do not say a family. Nothing is stored here: services are the truth.
 *
 * Never given: the first address of a prefix, the last of an IPv4 one (as in Kubernetes, although nobody broadcasts there),
 * and what is reserved, as for the resolver.
 */
import { addressAt, familyOf, indexIn, sizeOf } from '../cidr.js';
import { invalid, PodwireError } from '../errors.js';
import { lowBand, NumberBand } from './number-band.js';
import type { IpFamily } from './types.js';

/** Most addresses that are chosen from; of a larger prefix others can be fixed. Kubernetes has as many. */
const MOST_CHOSEN = 2 ** 16;
const LOW_BAND = { part: 16, most: 256 } as const;

interface Prefix {
  readonly cidr: string;
  readonly band: NumberBand;
}

export class ClusterIps {
  private readonly owners = new Map<string, string>();
  private readonly prefixes = new Map<IpFamily, Prefix>();

  /** @param reserved addresses with who has them: 'the resolver'. */
  constructor(cidrs: readonly string[], reserved: ReadonlyMap<string, string> = new Map()) {
    for (const cidr of cidrs) this.prefixes.set(`IPv${familyOf(cidr)}`, { cidr, band: bandOf(cidr) });
    for (const [address, holder] of reserved) this.owners.set(address, holder);
  }

  /** In the order of the prefixes. */
  get families(): IpFamily[] {
    return [...this.prefixes.keys()];
  }

  ownerOf(address: string): string | undefined {
    return this.owners.get(address);
  }

  holds(address: string): boolean {
    return this.prefixOf(address) !== undefined;
  }

  /** Whether `owner` could have it. @throws PodwireError INVALID, ADDRESS_IN_USE, naming the field */
  check(owner: string, address: string, field: string): void {
    const prefix = this.prefixOf(address);
    if (!prefix) {
      const all = [...this.prefixes.values()].map(({ cidr }) => cidr).join(', ');
      throw invalid(field, `${address} is not in the service prefixes (${all})`);
    }
    const index = indexIn(prefix.cidr, address) ?? 0n;
    if (index === 0n || (familyOf(address) === 4 && index === sizeOf(prefix.cidr) - 1n)) {
      throw invalid(field, `${address} is the first or last address of ${prefix.cidr}`);
    }
    const holder = this.owners.get(address);
    if (holder === undefined || holder === owner) return;
    throw new PodwireError('ADDRESS_IN_USE', `${field}: ${address} belongs to ${holder}`, field);
  }

  /** A free one, not taken yet. @throws PodwireError ADDRESS_EXHAUSTED naming the field */
  choose(family: IpFamily, field: string): string {
    const prefix = this.prefixes.get(family);
    const at = prefix?.band.choose((number) => this.owners.has(addressAt(prefix.cidr, BigInt(number))));
    if (prefix && at !== undefined) return addressAt(prefix.cidr, BigInt(at));
    throw new PodwireError(
      'ADDRESS_EXHAUSTED',
      `${field}: ${prefix?.cidr ?? family} has no free address`,
      field,
    );
  }

  take(owner: string, address: string): void {
    this.owners.set(address, owner);
  }

  release(owner: string, address: string): void {
    if (this.owners.get(address) === owner) this.owners.delete(address);
  }

  private prefixOf(address: string): Prefix | undefined {
    const prefix = this.prefixes.get(`IPv${familyOf(address)}`);
    return prefix && indexIn(prefix.cidr, address) !== undefined ? prefix : undefined;
  }
}

function bandOf(cidr: string): NumberBand {
  const size = Number(sizeOf(cidr));
  const end = Math.min(familyOf(cidr) === 4 ? size - 1 : size, MOST_CHOSEN);
  return new NumberBand(1, 1 + lowBand(Math.min(size, MOST_CHOSEN), LOW_BAND.part, LOW_BAND.most), end);
}
