/**
 * Address management of one network: which address belongs to which pod.
 *
 * A pod gets one address of each family that its bridge domain has, the lowest free one or the one it asks
 * for. Never given out: the network address and the IPv4 broadcast address (RFC 919), the subnet-router
 * anycast address (RFC 4291 section 2.6.1), and what is reserved for the gateway and the node. Nothing here is
 * stored: attachment records are the truth, and are claimed again when the daemon starts.
 */
import { parseCidr } from '../wire/address.js';
import { addressAt, canonicalIp, encloses, familyOf, holds, indexIn, sizeOf } from './cidr.js';
import { invalid, PodwireError } from './errors.js';

/** The addresses of one bridge domain: at most one prefix of each family. */
export interface AddressRange {
  readonly cidrs: readonly string[];
  /** Addresses that are not for pods, with what has them: 'the gateway'. */
  readonly reserved: ReadonlyMap<string, string>;
  /** Prefixes within, that addresses of pods are in. A family without any is had by those that ask for an address. Default: all. */
  readonly given?: readonly string[];
}

export interface Allocation {
  /** Index of the bridge domain within its network. */
  readonly domain: number;
  /** IPv4 first. */
  readonly ips: readonly string[];
}

/** Of a network without prefixes. */
const NO_ADDRESSES: Allocation = { domain: 0, ips: [] };

export class AddressPool {
  private readonly owners = new Map<string, string>();
  private readonly allocations = new Map<string, Allocation>();
  /** Addresses of pods of other nodes, with who has them. */
  private readonly foreign = new Map<string, string>();
  /** By prefix: no position below is free. Spares a search through what is taken. */
  private readonly lowest = new Map<string, bigint>();

  /** @param network its name, for messages. @param ranges one for each bridge domain. */
  constructor(
    private readonly network: string,
    private ranges: readonly AddressRange[],
  ) {}

  /** From now on: what is taken stays so. */
  setRanges(ranges: readonly AddressRange[]): void {
    this.ranges = ranges;
    this.lowest.clear();
  }

  /** Who of the pods has the address. */
  ownerOf(address: string): string | undefined {
    return this.foreign.has(address) ? undefined : this.owners.get(address);
  }

  /** How many owners have addresses. */
  get size(): number {
    return this.allocations.size;
  }

  /** How many addresses pods of other nodes have. */
  get foreignSize(): number {
    return this.foreign.size;
  }

  /**
   * Gives `owner` addresses; one that has some keeps them. `wanted` fixes addresses, at most one of a family;
   * they choose the bridge domain, which otherwise is the first with room.
   *
   * @throws PodwireError INVALID naming `ips[i]`, ADDRESS_IN_USE, ADDRESS_EXHAUSTED
   */
  allocate(owner: string, wanted: readonly string[] = []): Allocation {
    const existing = this.allocations.get(owner);
    if (existing) return existing;
    const fixed = wanted.map((address, index) => this.checkWanted(address, index, owner));
    const allocation = this.choose(fixed, wanted);
    if (!allocation) throw this.exhausted();
    this.claim(owner, allocation);
    return allocation;
  }

  private choose(fixed: readonly string[], wanted: readonly string[]): Allocation | undefined {
    if (this.ranges.length === 0) return NO_ADDRESSES;
    if (fixed.length > 0) return this.complete(this.domainOf(fixed, wanted), fixed);
    return this.ranges.map((_, domain) => this.complete(domain, [])).find((found) => found !== undefined);
  }

  /** Takes addresses that a stored attachment has. @throws PodwireError ADDRESS_IN_USE */
  claim(owner: string, allocation: Allocation): void {
    for (const address of allocation.ips) this.refuseTaken(address, owner);
    for (const address of allocation.ips) this.owners.set(address, owner);
    this.allocations.set(owner, allocation);
  }

  /**
   * Takes an address that a pod of another node has, or the host, which is not ours to give or to refuse: one that is taken here
   * as well stays with its owner.
   */
  claimForeign(holder: string, address: string): void {
    if (!this.owners.has(address)) this.owners.set(address, holder);
    this.foreign.set(address, holder);
  }

  /** Frees what `claimForeign` took and is not in the list any more. */
  keepForeign(addresses: ReadonlySet<string>): void {
    for (const address of [...this.foreign.keys()]) {
      if (addresses.has(address)) continue;
      this.foreign.delete(address);
      if (!this.isAllocated(address)) this.free(address);
    }
  }

  release(owner: string): readonly string[] {
    const ips = this.allocations.get(owner)?.ips ?? [];
    for (const address of ips) this.free(address);
    this.allocations.delete(owner);
    return ips;
  }

  /** Whether a stored attachment's addresses still fit the network. */
  fits(allocation: Allocation): boolean {
    const range = this.ranges[allocation.domain];
    // Without prefixes the addresses are the node's, and none of the pool's business.
    if (range === undefined) return this.ranges.length === 0;
    return allocation.ips.every(
      (address) => !range.reserved.has(address) && range.cidrs.some((cidr) => isUsable(cidr, address)),
    );
  }

  /** Pods have to say which address they want: none is given out otherwise. */
  private get isOnRequest(): boolean {
    return this.ranges.every(({ given }) => given?.length === 0);
  }

  /** @throws PodwireError ADDRESS_EXHAUSTED where no domain has room for one more; what is had on request is not asked */
  checkRoom(): void {
    if (!this.isOnRequest && !this.choose([], [])) throw this.exhausted();
  }

  private complete(domain: number, fixed: readonly string[]): Allocation | undefined {
    const range = this.ranges[domain];
    const ips = range.cidrs.flatMap((cidr) => {
      const own = fixed.find((address) => holds(cidr, address));
      if (own !== undefined) return own;
      const given = givenOf(range, cidr);
      return given.length === 0 ? [] : this.firstFree(domain, cidr, given);
    });
    return ips.length > 0 && ips.every((address) => address !== undefined) ? { domain, ips } : undefined;
  }

  private firstFree(domain: number, cidr: string, given: readonly string[]): string | undefined {
    for (const prefix of given) {
      const address = this.lowestFree(domain, cidr, prefix);
      if (address !== undefined) return address;
    }
    return undefined;
  }

  /** @param prefix of which the address is to be; @param cidr the subnet that it is in. */
  private lowestFree(domain: number, cidr: string, prefix: string): string | undefined {
    const { reserved } = this.ranges[domain];
    const [first, end] = prefix === cidr ? usable(cidr) : [0n, sizeOf(prefix)];
    for (let index = this.lowest.get(prefix) ?? first; index < end; index++) {
      const address = addressAt(prefix, index);
      if (reserved.has(address) || this.owners.has(address) || !isUsable(cidr, address)) continue;
      this.lowest.set(prefix, index);
      return address;
    }
    this.lowest.set(prefix, end);
    return undefined;
  }

  private free(address: string): void {
    const holder = this.foreign.get(address);
    if (holder !== undefined) {
      // It was ours and another node's at once, until one of the two lost.
      this.owners.set(address, holder);
      return;
    }
    this.owners.delete(address);
    for (const [cidr, lowest] of this.lowest) {
      const index = indexIn(cidr, address);
      if (index !== undefined && index < lowest) this.lowest.set(cidr, index);
    }
  }

  private isAllocated(address: string): boolean {
    return [...this.allocations.values()].some(({ ips }) => ips.includes(address));
  }

  private checkWanted(text: string, index: number, owner: string): string {
    const field = `ips[${index}]`;
    const address = canonicalIp(text);
    const range = this.ranges.find(({ cidrs }) => cidrs.some((cidr) => holds(cidr, address)));
    if (!range)
      throw invalid(
        field,
        `${address} is not in network ${this.network} (${this.prefixes() || 'no addresses'})`,
      );
    if (!range.cidrs.some((cidr) => isUsable(cidr, address))) {
      throw invalid(field, `${address} is the network or broadcast address of its prefix`);
    }
    refuseOutside(range, address, field);
    const holder = range.reserved.get(address);
    if (holder) throw inUse(address, holder);
    this.refuseTaken(address, owner);
    return address;
  }

  private domainOf(fixed: readonly string[], wanted: readonly string[]): number {
    if (new Set(fixed.map(familyOf)).size < fixed.length) {
      throw invalid('ips', `${wanted.join(' and ')}: at most one address of each family`);
    }
    const domains = fixed.map((address) =>
      this.ranges.findIndex(({ cidrs }) => cidrs.some((cidr) => holds(cidr, address))),
    );
    if (new Set(domains).size > 1) {
      throw invalid('ips', `${wanted.join(' and ')} are in different bridge domains of ${this.network}`);
    }
    return domains[0];
  }

  private refuseTaken(address: string, owner: string): void {
    const holder = this.owners.get(address);
    if (holder === undefined || holder === owner) return;
    throw inUse(address, this.foreign.get(address) === holder ? holder : `pod ${holder}`);
  }

  private exhausted(): PodwireError {
    if (this.isOnRequest) {
      return invalid(
        'ips',
        `network ${this.network} gives out no addresses: say one, or give it spec.ranges`,
      );
    }
    return new PodwireError(
      'ADDRESS_EXHAUSTED',
      `network ${this.network} (${this.prefixes()}) has no free address; detach pods or use a larger prefix`,
    );
  }

  private prefixes(): string {
    return this.ranges.flatMap(({ cidrs }) => cidrs).join(', ');
  }
}

function inUse(address: string, holder: string): PodwireError {
  return new PodwireError('ADDRESS_IN_USE', `${address} belongs to ${holder}`);
}

function givenOf({ given }: AddressRange, cidr: string): readonly string[] {
  return given === undefined ? [cidr] : given.filter((prefix) => encloses(cidr, prefix));
}

function refuseOutside(range: AddressRange, address: string, field: string): void {
  const given = range.cidrs.filter((cidr) => holds(cidr, address)).flatMap((cidr) => givenOf(range, cidr));
  if (given.length === 0 || given.some((prefix) => holds(prefix, address))) return;
  throw invalid(
    field,
    `${address} is not within ${given.join(', ')}, which pods of the network have addresses of`,
  );
}

/** Positions of a prefix that hosts may have: from the first, up to but without the second. */
export function usable(cidr: string): [first: bigint, end: bigint] {
  const { family, prefix } = parseCidr(cidr);
  const size = sizeOf(cidr);
  if (family === 6) return prefix >= 127 ? [0n, size] : [1n, size];
  return prefix >= 31 ? [0n, size] : [1n, size - 1n];
}

/** Whether a host in the prefix can have the address. */
export function isUsable(cidr: string, address: string): boolean {
  const index = indexIn(cidr, address);
  const [first, end] = usable(cidr);
  return index !== undefined && index >= first && index < end;
}
