/**
 * What the switch learned from packets of unguarded ports: MAC addresses and neighbours, in domains that ask
 * for it. All of it ages, is bounded, and never crosses a tunnel. Engines side by side share it
 * (learned-sharing.ts); one that is alone has nobody to tell.
 */
import * as ipv6 from '../wire/ipv6.js';
import { LEARNED_AGE, LEARNED_CAPACITY, MAX_PORTS } from './constants.js';
import type { Counters } from './counters.js';
import type { GossipShare } from './gossip.js';
import { LearnedSharing } from './learned-sharing.js';
import { Fdb, LEARN } from './tables/fdb.js';
import { LearnedNeighbours } from './tables/neighbours.js';
import type { Tables } from './tables.js';

/** Entries that one sweep frees at most, so that it never holds up a cycle. */
const SWEEP_BUDGET = 64;

/** How long to wait between sweeps while there is something to age (ms). */
const SWEEP_INTERVAL = 1000;

export class Learned {
  readonly fdb: Fdb;
  readonly neighbours: LearnedNeighbours;
  private readonly sharing: LearnedSharing | null;
  private nextSweep = 0;

  /** @param seed keys the hashes; the same seed gives the same evictions. */
  constructor(
    private readonly counters: Counters,
    seed: number,
    share?: GossipShare,
  ) {
    const bounds = { capacity: LEARNED_CAPACITY, ports: MAX_PORTS, ageingMs: LEARNED_AGE, seed };
    this.fdb = new Fdb(bounds);
    this.neighbours = new LearnedNeighbours(bounds);
    this.sharing = share ? new LearnedSharing(share, this.fdb, this.neighbours, counters) : null;
  }

  learnMac(domain: number, vlan: number, hi: number, lo: number, port: number, now: number): void {
    const status = this.fdb.learn(domain, vlan, hi, lo, port, now);
    if (status === LEARN.moved) this.counters.movedAddress();
    this.sharing?.learnedMac(status, domain, vlan, hi, lo, port, now | 0);
  }

  lookupMac(domain: number, vlan: number, hi: number, lo: number, now: number): number {
    return this.fdb.lookup(domain, vlan, hi, lo, now);
  }

  learnIpv4(domain: number, address: number, hi: number, lo: number, port: number, now: number): void {
    const status = this.neighbours.learn4(domain, address, hi, lo, port, now);
    this.sharing?.learnedIpv4(status, domain, address, hi, lo, port, now | 0);
  }

  /** The address lies at `at`. */
  learnIpv6(
    domain: number,
    view: DataView,
    at: number,
    hi: number,
    lo: number,
    port: number,
    now: number,
  ): void {
    const w0 = ipv6.word(view, at, 0) | 0;
    const w1 = ipv6.word(view, at, 1) | 0;
    const w2 = ipv6.word(view, at, 2) | 0;
    const w3 = ipv6.word(view, at, 3) | 0;
    const status = this.neighbours.learn6(domain, w0, w1, w2, w3, hi, lo, port, now);
    this.sharing?.learnedIpv6(status, domain, w0, w1, w2, w3, hi, lo, port, now | 0);
  }

  /** Hears what engines beside this one have learned. */
  listen(now: number): void {
    this.sharing?.drain(now | 0);
  }

  /** A snapshot is in force, in place of the one that `listen` was last called under. */
  swap(tables: Tables): void {
    this.sharing?.swap(tables);
  }

  forgetPort(port: number): void {
    this.fdb.forgetPort(port);
    this.neighbours.forgetPort(port);
  }

  /**
   * Frees what has aged, and tells others what they have missed. Answers how long until the next sweep (ms), or -1
   * when there is nothing to age and nobody to listen to: rings of an engine that is idle are emptied every second.
   */
  sweep(now: number): number {
    if (this.fdb.size === 0 && this.neighbours.size === 0 && !this.isListening) return -1;
    if (now < this.nextSweep) return this.nextSweep - now;
    this.fdb.sweep(now, SWEEP_BUDGET);
    this.neighbours.sweep(now, SWEEP_BUDGET);
    this.sharing?.repair(now | 0);
    this.nextSweep = now + SWEEP_INTERVAL;
    return SWEEP_INTERVAL;
  }

  private get isListening(): boolean {
    return this.sharing?.isLearning === true;
  }
}
