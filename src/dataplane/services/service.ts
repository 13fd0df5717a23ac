/**
 * One service of the ServiceTable: its backends in typed arrays, and which of them a new flow is given.
 *
 * `choose` is a function of the set of active backends and the hash alone, so all nodes pick alike. Backends are positions in
 * the list that the service was made of, and hold until the next change: keep address and port, and ask `indexOf4` again.
 *
 * The Maglev table of a scope is made when it is first asked: of many services few are used here. That packet pays for it: 0.1 ms
 * for five backends, 17 for 8,000. A list longer than SCANNED gets an index of addresses in the same way.
 *
 * All of it lies in a WordStore, so that a first packet misses the cache as seldom as can be: of a backend its address and what META
 * says, of a scope its Maglev table. Memory: 250 bytes, and 8 a backend of IPv4, 20 of IPv6; and what tables/maglev.ts says.
 */
import { parseIp } from '../../wire/address.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import { BACKEND_STATES, type BackendSpec, type BackendState, type ServiceSpec } from '../service-spec.js';
import { bucketsFor, mix32 } from '../tables/hash.js';
import { buildMaglev, MAX_BACKENDS } from '../tables/maglev.js';
import { requireInteger, TABLE_ERROR, TableError } from '../tables/table-error.js';
import { type Block, WordStore } from '../tables/word-store.js';
import { StoredSlots } from './stored-slots.js';

/** Of a backend, for one scope. ABSENT: it is none of this scope's. */
export const STATE = { ACTIVE: 0, DRAINING: 1, UNREADY: 2, ABSENT: BACKEND_STATES.length } as const;

/** Answers of `choose` that are no backends. */
export const NOBODY = -1;
export const ELSEWHERE = -2;

/** IANA's numbers; that of SCTP is in RFC 9260 section 1.2. */
export const SERVICE_PROTOCOLS = { TCP: PROTOCOL.TCP, UDP: PROTOCOL.UDP, SCTP: 132 } as const;

/** Most backends that are looked through one by one. */
const SCANNED = 16;

/** The last word of a backend: its port, and from these bits on its STATE in both scopes, and whether it is on this node. */
const META = { CLUSTER: 16, NODE: 18, LOCAL: 20 } as const;
const STATE_MASK = 3;

export class Service {
  /** How long a client that opens no flow keeps its backend (ms); 0: not at all. */
  readonly affinityMs: number;
  readonly isIpv6: boolean;
  private readonly words: Int32Array;
  private readonly base: number;
  /** Words of a backend. */
  private readonly stride: number;
  private clusterSlots: StoredSlots | undefined;
  private nodeSlots: StoredSlots | undefined;
  readonly id: number;
  /** How many backends. */
  readonly count: number;
  readonly name: string;
  readonly protocol: number;
  /** Whether TCP connections go on whose backend is in the list no more. */
  readonly drains: boolean;
  /** Whether other nodes have none of its node ports. */
  readonly isOwn: boolean;
  private readonly names: readonly string[];
  private readonly block: Block;
  /** Positions plus one by hash of address and port. */
  private positions: Int32Array | undefined;

  /** @throws TableError TABLE_INVALID, TABLE_TOO_LARGE, TABLE_DUPLICATE; AddressError */
  constructor(
    spec: ServiceSpec,
    private readonly store = new WordStore(0),
  ) {
    const { id, name, family, protocol, affinitySeconds = 0, backends } = spec;
    this.isIpv6 = family === 'IPv6';
    this.stride = this.isIpv6 ? 5 : 2;
    this.names = namesOf(spec);
    const rows = backends.map((backend) => [...wordsOf(backend.address, this.isIpv6), metaOf(backend)]);
    this.affinityMs = 1000 * affinitySeconds;
    this.id = id;
    this.count = backends.length;
    this.name = name;
    this.protocol = SERVICE_PROTOCOLS[protocol];
    this.drains = spec.onRemoval === 'drain';
    this.isOwn = spec.isOwn === true;
    this.block = store.allocate(this.stride * rows.length);
    this.words = this.block.words;
    this.base = this.block.base;
    this.words.set(rows.flat(), this.base);
  }

  /** Gives its room back: it must not be asked again. */
  release(): void {
    const { store } = this;
    store.release(this.block);
    if (this.clusterSlots !== undefined) store.release(this.clusterSlots.block);
    if (this.nodeSlots !== undefined) store.release(this.nodeSlots.block);
  }

  /**
   * The backend for a new flow, by its hash (choice-hash.ts); NOBODY: there is no active one, refuse · ELSEWHERE: in the scope of the
   * node none, but other nodes have some, drop.
   */
  choose(hash: number, isNodeScope: boolean): number {
    const slots = isNodeScope ? this.slotsOfNode() : this.slotsOfCluster();
    if (slots.count > 0) return slots.pick(hash);
    return isNodeScope && this.slotsOfCluster().count > 0 ? ELSEWHERE : NOBODY;
  }

  /** Word `i` of the backend's address, int32: of IPv4 there is one. */
  word(index: number, i: number): number {
    return this.words[this.base + index * this.stride + i];
  }

  port(index: number): number {
    return this.meta(index) & 0xffff;
  }

  /** STATE of the backend for clients in this scope. */
  state(index: number, isNodeScope: boolean): number {
    return (this.meta(index) >>> (isNodeScope ? META.NODE : META.CLUSTER)) & STATE_MASK;
  }

  /** Whether the backend is on this node. */
  isLocal(index: number): boolean {
    return this.meta(index) >>> META.LOCAL !== 0;
  }

  /** Whether a flow may be given the backend. */
  isActive(index: number, isNodeScope: boolean): boolean {
    return this.state(index, isNodeScope) === STATE.ACTIVE;
  }

  /** Where the backend is in the list, or -1. */
  indexOf4(address: number, port: number): number {
    if (this.count > SCANNED) return this.searched4(address | 0, port);
    for (let i = 0; i < this.count; i++) if (this.is4(i, address | 0, port)) return i;
    return -1;
  }

  indexOf6(w0: number, w1: number, w2: number, w3: number, port: number): number {
    if (this.count > SCANNED) return this.searched6(w0 | 0, w1 | 0, w2 | 0, w3 | 0, port);
    for (let i = 0; i < this.count; i++) if (this.is6(i, w0 | 0, w1 | 0, w2 | 0, w3 | 0, port)) return i;
    return -1;
  }

  private searched4(address: number, port: number): number {
    const positions = this.indexed();
    const mask = positions.length - 1;
    for (let slot = hashOf(address, port) & mask; positions[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.is4(positions[slot] - 1, address, port)) return positions[slot] - 1;
    }
    return -1;
  }

  private searched6(w0: number, w1: number, w2: number, w3: number, port: number): number {
    const positions = this.indexed();
    const mask = positions.length - 1;
    for (let slot = hashOf(w3, port) & mask; positions[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.is6(positions[slot] - 1, w0, w1, w2, w3, port)) return positions[slot] - 1;
    }
    return -1;
  }

  private is4(index: number, address: number, port: number): boolean {
    return this.word(index, 0) === address && this.port(index) === port;
  }

  private is6(index: number, w0: number, w1: number, w2: number, w3: number, port: number): boolean {
    if (this.word(index, 3) !== w3 || this.port(index) !== port) return false;
    return this.word(index, 0) === w0 && this.word(index, 1) === w1 && this.word(index, 2) === w2;
  }

  private meta(index: number): number {
    return this.words[this.base + index * this.stride + this.stride - 1];
  }

  private slotsOfCluster(): StoredSlots {
    this.clusterSlots ??= this.build(false);
    return this.clusterSlots;
  }

  private slotsOfNode(): StoredSlots {
    this.nodeSlots ??= this.build(true);
    return this.nodeSlots;
  }

  private build(isNodeScope: boolean): StoredSlots {
    const weighted = this.names.map((name, at) => ({ name, weight: this.isActive(at, isNodeScope) ? 1 : 0 }));
    return new StoredSlots(buildMaglev(weighted), this.store);
  }

  /** Backends are the control plane's, not a neighbour's: the hash needs no key. */
  private indexed(): Int32Array {
    if (this.positions !== undefined) return this.positions;
    const positions = new Int32Array(bucketsFor(2 * this.count));
    const mask = positions.length - 1;
    for (let i = 0; i < this.count; i++) {
      let slot = hashOf(this.word(i, this.stride - 2), this.port(i)) & mask;
      while (positions[slot] !== 0) slot = (slot + 1) & mask;
      positions[slot] = i + 1;
    }
    this.positions = positions;
    return positions;
  }
}

/** Int32 words. Throws AddressError, and TABLE_INVALID where it is of the other family. */
export function wordsOf(address: string, isIpv6: boolean): Int32Array {
  const { family, words } = parseIp(address);
  if ((family === 6) === isIpv6) return Int32Array.from(words);
  throw new TableError(TABLE_ERROR.invalid, `${address} is no IPv${isIpv6 ? 6 : 4} address`);
}

function hashOf(last: number, port: number): number {
  return mix32((last ^ Math.imul(port, 0x9e37_79b1)) | 0);
}

/** They key Maglev tables, which are made when nobody can be told that two are one. */
function namesOf({ name, backends }: ServiceSpec): string[] {
  if (backends.length > MAX_BACKENDS) {
    const many = `${name} has ${backends.length} backends: at most ${MAX_BACKENDS} are possible`;
    throw new TableError(TABLE_ERROR.tooLarge, many);
  }
  const names = backends.map((backend) => backend.name);
  if (new Set(names).size === names.length) return names;
  throw new TableError(TABLE_ERROR.duplicate, `${name} has two backends of one name`);
}

function metaOf({ port, cluster, node, local }: BackendSpec): number {
  requireInteger('port of a backend', port, 0, 0xffff);
  const states = (stateOf(cluster) << META.CLUSTER) | (stateOf(node) << META.NODE);
  return port | states | ((local ? 1 : 0) << META.LOCAL);
}

function stateOf(state: BackendState | undefined): number {
  return state === undefined ? STATE.ABSENT : BACKEND_STATES.indexOf(state);
}
