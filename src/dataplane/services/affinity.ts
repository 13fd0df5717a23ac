/**
 * Which backend a client was given, for services with affinity: (service, client's address) to backend's address and port.
 *
 * A client keeps its backend while that is active in the scope, until it has opened no flow for the service's seconds. At the bound the
 * one that opened none for longest goes, whatever its service: it is then chosen for by its address, which gives the same
 * backend while the set is the same.
 *
 * An engine has one of its own: a client's flows come in by one port, and so at one engine.
 *
 * Keyed by hash (tables/hash.ts). Memory: 72 bytes an entry, once it is used. Every operation is O(1). `now`: ms, modulo 2^32.
 */
import { type FlowKey, isIpv6 } from '../flows/flow-key.js';
import { Chains } from '../tables/chains.js';
import { KeyedHash } from '../tables/hash.js';
import { Lists } from '../tables/lists.js';
import type { Service } from './service.js';

/** Our tuning. Kubernetes' default lets a client be remembered for three hours. */
export const AFFINITY_CAPACITY = 65_536;

/** Words of an entry: the client's address, the backend's, service, the backend's port, when it was last used, the key's hash. */
const ENTRY_SHIFT = 4;
const CLIENT = 0;
const BACKEND = 4;
const SERVICE = 8;
const PORT = 9;
const USED = 10;
const HASH = 11;

const ALL = 0;
const NOBODY = -1;

export class AffinityTable {
  size = 0;
  private readonly hash: KeyedHash;
  private readonly chains: Chains;
  private readonly byAge: Lists;
  private readonly entries: Int32Array;

  constructor(
    seed: number,
    readonly capacity = AFFINITY_CAPACITY,
  ) {
    this.hash = new KeyedHash(seed);
    this.chains = new Chains(capacity);
    this.byAge = new Lists(capacity, 1);
    this.entries = new Int32Array((capacity + 1) << ENTRY_SHIFT);
  }

  /** The backend of the client that `key` comes from, or -1. Counts as a use. */
  find(service: Service, key: FlowKey, isNodeScope: boolean, now: number): number {
    const entry = this.entryOf(service, key);
    if (entry === 0) return NOBODY;
    const index = this.isOver(entry, service, now) ? NOBODY : this.backendOf(entry, service);
    if (index < 0 || !service.isActive(index, isNodeScope)) {
      this.forget(entry);
      return NOBODY;
    }
    this.use(entry, now);
    return index;
  }

  /** The client is given this backend. */
  keep(service: Service, key: FlowKey, index: number, now: number): void {
    const { entries } = this;
    const entry = this.entryOf(service, key) || this.add(service, key);
    const at = entry << ENTRY_SHIFT;
    const width = service.isIpv6 ? 4 : 1;
    for (let i = 0; i < width; i++) entries[at + BACKEND + i] = service.word(index, i);
    entries[at + PORT] = service.port(index);
    this.use(entry, now);
  }

  private entryOf(service: Service, key: FlowKey): number {
    const { entries, chains } = this;
    for (let entry = chains.head(this.hashOf(service, key)); entry !== 0; entry = chains.next(entry)) {
      const at = entry << ENTRY_SHIFT;
      if (entries[at + SERVICE] === service.id && this.isClient(at, key)) return entry;
    }
    return 0;
  }

  private isClient(at: number, { source, subject }: FlowKey): boolean {
    const { entries } = this;
    const from = at + CLIENT;
    if (entries[from + 3] !== source[3]) return false;
    if (!isIpv6(subject)) return true;
    return entries[from] === source[0] && entries[from + 1] === source[1] && entries[from + 2] === source[2];
  }

  /** A service has one family, so its number tells keys of IPv4 from those of IPv6. */
  private hashOf({ id }: Service, { source, subject }: FlowKey): number {
    if (!isIpv6(subject)) return this.hash.hash2(source[3], id);
    return this.hash.hash5(source[0], source[1], source[2], source[3], id);
  }

  private isOver(entry: number, { affinityMs }: Service, now: number): boolean {
    return (now - this.entries[(entry << ENTRY_SHIFT) + USED]) >>> 0 >= affinityMs;
  }

  private backendOf(entry: number, service: Service): number {
    const { entries } = this;
    const at = entry << ENTRY_SHIFT;
    const from = at + BACKEND;
    const port = entries[at + PORT];
    if (!service.isIpv6) return service.indexOf4(entries[from], port);
    return service.indexOf6(entries[from], entries[from + 1], entries[from + 2], entries[from + 3], port);
  }

  private add(service: Service, key: FlowKey): number {
    if (this.size === this.capacity) this.forget(this.byAge.oldest(ALL));
    const { entries, chains } = this;
    const entry = chains.allocate();
    const at = entry << ENTRY_SHIFT;
    const hash = this.hashOf(service, key);
    chains.link(hash, entry);
    this.byAge.push(ALL, entry);
    for (let i = 0; i < 4; i++) entries[at + CLIENT + i] = key.source[i];
    entries[at + SERVICE] = service.id;
    entries[at + HASH] = hash;
    this.size++;
    return entry;
  }

  private use(entry: number, now: number): void {
    this.entries[(entry << ENTRY_SHIFT) + USED] = now | 0;
    this.byAge.refresh(ALL, entry);
  }

  private forget(entry: number): void {
    this.byAge.unlink(ALL, entry);
    this.chains.release(this.entries[(entry << ENTRY_SHIFT) + HASH], entry);
    this.size--;
  }
}
