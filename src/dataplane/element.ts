/**
 * The Element seam: one step of the pipeline, named for its one job.
 *
 * An element takes all packets of its input and leaves each exactly once: pushed to one output, or dropped,
 * consumed or replicated, which is counted. Outputs are inputs of other elements. The engine empties the input
 * after `process`; an element must not push to its own input.
 */
import type { Checksum } from '../wire/checksum.js';
import * as ipv6 from '../wire/ipv6.js';
import type { Batch } from './batch.js';
import { Connections } from './connections.js';
import type { Counters } from './counters.js';
import type { FlowTable } from './flows/flow-table.js';
import type { Learned } from './learned.js';
import type { Denials } from './policy/denials.js';
import type { PolicyTable } from './policy/policy-table.js';
import type { PacketPool } from './pool.js';
import type { AffinityTable } from './services/affinity.js';
import type { ServiceTable } from './services/service-table.js';
import type { Tables } from './tables.js';

export interface Element {
  readonly name: string;
  readonly input: Batch;
  process(batch: Batch): void;
}

/**
 * Where a neighbour was found: its MAC address, the lower half as a signed word, and its port (SWITCH_PORT for
 * the switch itself).
 */
export interface Neighbour {
  hi: number;
  lo: number;
  port: number;
}

/**
 * What elements share. `tables` and `now` change between cycles, never within one.
 *
 * Words of addresses are passed on signed (`| 0`): above 2^31 an unsigned one would be a number on the heap
 * wherever a call is not inlined.
 */
export class Context {
  /** Milliseconds, monotonic, read once a cycle. */
  now = 0;
  /** The same of the machine's clock, an int32: for flows and affinity, whose times are modulo 2^32. */
  millis = 0;
  /** The highest of those of `tables`, `services` and `policies`: decisions about flows are of one. */
  generation = 0;
  readonly services: ServiceTable;
  readonly policies: PolicyTable;
  readonly denials: Denials;
  readonly flows: FlowTable;
  readonly affinity: AffinityTable;
  /** By port, shared with other engines: 1 where answers to translated connections may come in. */
  readonly tracked: Uint8Array;
  /** The answer of the last successful `findNeighbour…`; valid until the next call. */
  readonly found: Neighbour = { hi: 0, lo: 0, port: 0 };

  constructor(
    readonly pool: PacketPool,
    readonly checksum: Checksum,
    readonly counters: Counters,
    readonly learned: Learned,
    public tables: Tables,
    private readonly connections = new Connections(0),
  ) {
    this.services = connections.services;
    this.policies = connections.policies;
    this.denials = connections.denials;
    this.flows = connections.flows;
    this.affinity = connections.affinity;
    this.tracked = connections.tracked;
    this.follow();
  }

  /** Between cycles, or before the first. */
  setTime(now: number): void {
    this.now = now;
    this.millis = (now + this.connections.clockStart) | 0;
  }

  /** To be called when tables, services or policies are others: what was decided before is stale. */
  follow(): void {
    const { tables, services, policies } = this;
    this.generation = Math.max(tables.generation, services.generation, policies.generation);
    this.flows.generation = this.generation;
  }

  /** Drops a packet that came from `port`. */
  drop(slot: number, reason: number): void {
    this.counters.dropped(this.pool.port[slot], reason);
    this.pool.release(slot);
  }

  /** Looks an IPv4 address up in a domain: first what the snapshot knows, then what was learned. */
  findNeighbour4(domain: number, address: number): boolean {
    const known = this.tables.neighbours;
    const index = known.lookup4(domain, address);
    if (index >= 0) return this.setFound(known.macHi(index), known.macLo(index) | 0, known.port(index));
    if (this.tables.domains.learning[domain] === 0) return false;
    const { neighbours } = this.learned;
    return this.setLearned(neighbours.lookup4(domain, address, this.now));
  }

  /** The same for the IPv6 address at `at`. */
  findNeighbour6(domain: number, view: DataView, at: number): boolean {
    const w0 = ipv6.word(view, at, 0) | 0;
    const w1 = ipv6.word(view, at, 1) | 0;
    const w2 = ipv6.word(view, at, 2) | 0;
    const w3 = ipv6.word(view, at, 3) | 0;
    return this.findNeighbourWords(domain, w0, w1, w2, w3);
  }

  findNeighbourWords(domain: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const known = this.tables.neighbours;
    const index = known.lookup6(domain, w0, w1, w2, w3);
    if (index >= 0) return this.setFound(known.macHi(index), known.macLo(index) | 0, known.port(index));
    if (this.tables.domains.learning[domain] === 0) return false;
    return this.setLearned(this.learned.neighbours.lookup6(domain, w0, w1, w2, w3, this.now));
  }

  private setLearned(index: number): boolean {
    const { neighbours } = this.learned;
    if (index < 0) return false;
    return this.setFound(neighbours.macHi(index), neighbours.macLo(index) | 0, neighbours.port(index));
  }

  private setFound(hi: number, lo: number, port: number): boolean {
    this.found.hi = hi;
    this.found.lo = lo;
    this.found.port = port;
    return true;
  }
}
