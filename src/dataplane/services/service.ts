/**
 * One service of the ServiceTable: its backends in typed arrays, and which of them a new flow is given.
 *
 * `choose` is a function of the set of active backends and the hash alone, so all nodes pick alike. Backends are positions in
 * the list that the service was made of, and hold until the next change: keep address and port, and ask `indexOf4` again.
 *
 * The Maglev table of a scope is made when it is first asked: of many services few are used here. That packet pays for it: 0.1 ms
 * for five backends, 17 for 8,000. A list longer than SCANNED gets an index of addresses in the same way.
 *
 * Memory: about 1.5 KiB for five backends of IPv4, of which most is what V8 keeps of each array; and what tables/maglev.ts says.
 */
import { parseIp } from '../../wire/address.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import { BACKEND_STATES, type BackendSpec, type BackendState, type ServiceSpec } from '../service-spec.js';
import { bucketsFor, mix32 } from '../tables/hash.js';
import { buildMaglev, MAX_BACKENDS, type MaglevSlots, pickBackend } from '../tables/maglev.js';
import { requireInteger, TABLE_ERROR, TableError } from '../tables/table-error.js';

/** Of a backend, for one scope. ABSENT: it is none of this scope's. */
export const STATE = { ACTIVE: 0, DRAINING: 1, UNREADY: 2, ABSENT: BACKEND_STATES.length } as const;

/** Answers of `choose` that are no backends. */
export const NOBODY = -1;
export const ELSEWHERE = -2;

/** IANA's numbers; that of SCTP is in RFC 9260 section 1.2. */
export const SERVICE_PROTOCOLS = { TCP: PROTOCOL.TCP, UDP: PROTOCOL.UDP, SCTP: 132 } as const;

/** Most backends that are looked through one by one. */
const SCANNED = 16;

export class Service {
  readonly id: number;
  readonly name: string;
  readonly isIpv6: boolean;
  readonly protocol: number;
  /** How long a client that opens no flow keeps its backend (ms); 0: not at all. */
  readonly affinityMs: number;
  /** Whether TCP connections go on whose backend is in the list no more. */
  readonly drains: boolean;
  /** How many backends. */
  readonly count: number;
  /** Addresses: one int32 word each, or four. */
  readonly words: Int32Array;
  readonly ports: Uint16Array;
  /** STATE of each for clients in the scope of the cluster, and of the node. */
  readonly cluster: Uint8Array;
  readonly node: Uint8Array;
  /** 1: on this node. */
  readonly local: Uint8Array;
  private readonly names: readonly string[];
  private clusterSlots: MaglevSlots | undefined;
  private nodeSlots: MaglevSlots | undefined;
  /** Positions plus one by hash of address and port. */
  private positions: Int32Array | undefined;

  /** @throws TableError TABLE_INVALID, TABLE_TOO_LARGE, TABLE_DUPLICATE; AddressError */
  constructor(spec: ServiceSpec) {
    const { id, name, family, protocol, affinitySeconds = 0, backends } = spec;
    this.id = id;
    this.name = name;
    this.isIpv6 = family === 'IPv6';
    this.protocol = SERVICE_PROTOCOLS[protocol];
    this.affinityMs = 1000 * affinitySeconds;
    this.drains = spec.onRemoval === 'drain';
    this.count = backends.length;
    this.names = namesOf(spec);
    this.words = Int32Array.from(backends.flatMap(({ address }) => [...wordsOf(address, this.isIpv6)]));
    this.ports = Uint16Array.from(backends, portOf);
    this.cluster = Uint8Array.from(backends, (backend) => stateOf(backend.cluster));
    this.node = Uint8Array.from(backends, (backend) => stateOf(backend.node));
    this.local = Uint8Array.from(backends, ({ local }) => (local ? 1 : 0));
  }

  /**
   * The backend for a new flow, by its hash (choice-hash.ts); NOBODY: there is no active one, refuse · ELSEWHERE: in the scope of the
   * node none, but other nodes have some, drop.
   */
  choose(hash: number, isNodeScope: boolean): number {
    const slots = isNodeScope ? this.slotsOfNode() : this.slotsOfCluster();
    if (slots.length > 0) return pickBackend(slots, hash);
    return isNodeScope && this.slotsOfCluster().length > 0 ? ELSEWHERE : NOBODY;
  }

  /** Whether a flow may be given the backend. */
  isActive(index: number, isNodeScope: boolean): boolean {
    return (isNodeScope ? this.node : this.cluster)[index] === STATE.ACTIVE;
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
    return this.words[index] === address && this.ports[index] === port;
  }

  private is6(index: number, w0: number, w1: number, w2: number, w3: number, port: number): boolean {
    const { words } = this;
    const at = 4 * index;
    if (words[at + 3] !== w3 || this.ports[index] !== port) return false;
    return words[at] === w0 && words[at + 1] === w1 && words[at + 2] === w2;
  }

  private slotsOfCluster(): MaglevSlots {
    this.clusterSlots ??= this.build(this.cluster);
    return this.clusterSlots;
  }

  private slotsOfNode(): MaglevSlots {
    this.nodeSlots ??= this.build(this.node);
    return this.nodeSlots;
  }

  private build(states: Uint8Array): MaglevSlots {
    return buildMaglev(this.names.map((name, at) => ({ name, weight: states[at] === STATE.ACTIVE ? 1 : 0 })));
  }

  /** Backends are the control plane's, not a neighbour's: the hash needs no key. */
  private indexed(): Int32Array {
    if (this.positions !== undefined) return this.positions;
    const positions = new Int32Array(bucketsFor(2 * this.count));
    const mask = positions.length - 1;
    for (let i = 0; i < this.count; i++) {
      const last = this.isIpv6 ? this.words[4 * i + 3] : this.words[i];
      let slot = hashOf(last, this.ports[i]) & mask;
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

function portOf({ port }: BackendSpec): number {
  requireInteger('port of a backend', port, 0, 0xffff);
  return port;
}

function stateOf(state: BackendState | undefined): number {
  return state === undefined ? STATE.ABSENT : BACKEND_STATES.indexOf(state);
}
