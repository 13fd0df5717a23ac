/**
 * What the switch learned from packets of unguarded ports: MAC addresses and neighbours, in domains that ask
 * for it. All of it ages, is bounded, and never crosses a tunnel.
 */
import * as ipv6 from '../wire/ipv6.js';
import { LEARNED_AGE, LEARNED_CAPACITY, MAX_PORTS } from './constants.js';
import type { Counters } from './counters.js';
import { Fdb, LEARN } from './tables/fdb.js';
import { LearnedNeighbours } from './tables/neighbours.js';

/** Entries that one sweep frees at most, so that it never holds up a cycle. */
const SWEEP_BUDGET = 64;

/** How long to wait between sweeps while there is something to age (ms). */
const SWEEP_INTERVAL = 1000;

export class Learned {
  readonly fdb: Fdb;
  readonly neighbours: LearnedNeighbours;
  private nextSweep = 0;

  /** @param seed keys the hashes; the same seed gives the same evictions. */
  constructor(
    private readonly counters: Counters,
    seed: number,
  ) {
    const bounds = { capacity: LEARNED_CAPACITY, ports: MAX_PORTS, ageingMs: LEARNED_AGE, seed };
    this.fdb = new Fdb(bounds);
    this.neighbours = new LearnedNeighbours(bounds);
  }

  learnMac(domain: number, vlan: number, hi: number, lo: number, port: number, now: number): void {
    if (this.fdb.learn(domain, vlan, hi, lo, port, now) === LEARN.moved) this.counters.movedAddress();
  }

  lookupMac(domain: number, vlan: number, hi: number, lo: number, now: number): number {
    return this.fdb.lookup(domain, vlan, hi, lo, now);
  }

  learnIpv4(domain: number, address: number, hi: number, lo: number, port: number, now: number): void {
    this.neighbours.learn4(domain, address, hi, lo, port, now);
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
    this.neighbours.learn6(domain, w0, w1, w2, ipv6.word(view, at, 3) | 0, hi, lo, port, now);
  }

  forgetPort(port: number): void {
    this.fdb.forgetPort(port);
    this.neighbours.forgetPort(port);
  }

  /** Frees what has aged. Answers how long until the next sweep (ms), or -1 when there is nothing to age. */
  sweep(now: number): number {
    if (this.fdb.size === 0 && this.neighbours.size === 0) return -1;
    if (now < this.nextSweep) return this.nextSweep - now;
    this.fdb.sweep(now, SWEEP_BUDGET);
    this.neighbours.sweep(now, SWEEP_BUDGET);
    this.nextSweep = now + SWEEP_INTERVAL;
    return SWEEP_INTERVAL;
  }
}
